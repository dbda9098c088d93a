import ConfigModel

/// When something begins, as crontab(5) writes it: minute, hour, day of the month, month, day of the week.
///
/// A field is `*`, numbers, ranges and lists of them, each with a step (`*/15`, `9-17/2,20`); months and days of the
/// week may be named (`JAN`, `MON-FRI`), and 7 is Sunday too. As with cron, a day counts that fits either of the two
/// fields for days, where neither begins with `*`; else it has to fit both.
public struct CronSchedule: Hashable, Sendable {
  /// A bit for each number that fits.
  private var minutes: UInt64
  private var hours: UInt64
  private var days: UInt64
  private var months: UInt64
  private var weekdays: UInt64
  private var eitherDay: Bool

  private static let monthNames = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
  ]
  private static let weekdayNames = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
  private static let maximumLength = 256

  /// - Throws: what is wrong with it.
  init(_ text: String) throws(CronError) {
    guard text.utf8.count <= CronSchedule.maximumLength else {
      throw CronError(description: "it has more than \(CronSchedule.maximumLength) characters")
    }
    let fields = text.split { $0 == " " || $0 == "\t" }
    guard fields.count == 5 else {
      throw CronError(
        description: "it has \(fields.count) fields, and not five: minute hour day month weekday")
    }
    minutes = try CronSchedule.field(fields[0], "minute", 0...59)
    hours = try CronSchedule.field(fields[1], "hour", 0...23)
    days = try CronSchedule.field(fields[2], "day of the month", 1...31)
    months = try CronSchedule.field(fields[3], "month", 1...12, CronSchedule.monthNames)
    let week = try CronSchedule.field(
      fields[4], "day of the week", 0...7, CronSchedule.weekdayNames)
    weekdays = (week | week >> 7) & 0x7f
    eitherDay = !fields[2].hasPrefix("*") && !fields[4].hasPrefix("*")
    guard hasDays else { throw CronError(description: "no year has such a day") }
  }

  private static func field(
    _ text: Substring, _ what: String, _ range: ClosedRange<Int>, _ names: [String] = []
  ) throws(CronError) -> UInt64 {
    var bits: UInt64 = 0
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let stepped = part.split(separator: "/", omittingEmptySubsequences: false)
      guard let first = stepped.first, stepped.count <= 2,
        let step = stepped.count == 2 ? number(stepped[1]) : 1, step > 0
      else { throw CronError(description: "the \(what) '\(part)' is malformed") }
      let ends = first.split(separator: "-", omittingEmptySubsequences: false)
      var (low, high) = (range.lowerBound, range.upperBound)
      if first == "*" {
        // Sunday is not counted twice: else a step would begin anew there.
        if range == 0...7 { high = 6 }
      } else {
        guard ends.count <= 2, let from = value(ends[0], range, names),
          let to = ends.count == 2
            ? value(ends[1], range, names) : (stepped.count == 2 ? high : from)
        else {
          throw CronError(
            description: "the \(what) '\(part)' is no number from \(low) to \(high), nor a range")
        }
        guard from <= to else {
          throw CronError(description: "the \(what) '\(part)' ends before it begins")
        }
        (low, high) = (from, to)
      }
      for number in stride(from: low, through: high, by: step) { bits |= 1 << UInt64(number) }
    }
    return bits
  }

  private static func number(_ text: Substring) -> Int? {
    // `Int` takes a sign, too.
    text.utf8.count <= 3 && text.utf8.allSatisfy { (48...57).contains($0) } ? Int(text) : nil
  }

  private static func value(
    _ text: Substring, _ range: ClosedRange<Int>, _ names: [String]
  ) -> Int? {
    if let index = names.firstIndex(of: text.uppercased()) {
      return range.lowerBound == 1 ? index + 1 : index
    }
    return number(text).flatMap { range.contains($0) ? $0 : nil }
  }

  /// Whether it happens at all: there is no 31st of April.
  private var hasDays: Bool {
    if eitherDay { return true }
    let lengths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    return (1...12).contains { month in
      months >> UInt64(month) & 1 == 1 && days & ((2 << UInt64(lengths[month - 1])) - 1) != 0
    }
  }

  /// The fewest minutes from one beginning to the next, by clocks that do not change; nil if there is only one in 28
  /// years, after which the days of the week are the same again.
  ///
  /// - Complexity: O(days) of 28 years.
  var shortestPause: Int? {
    let minutes = minutesOfDay
    guard let first = minutes.first, let last = minutes.last else { return nil }
    var shortest = zip(minutes.dropFirst(), minutes).map { $0.0 - $0.1 }.min()
    var before: Int?
    for day in 0..<(28 * 366) {
      let date = CivilDate(daysSince1970: day)
      guard
        includes(
          month: date.month, day: date.day, weekday: CivilDate.weekday(daysSince1970: day))
      else { continue }
      if let before {
        let pause = (day - before) * 1440 + first - last
        shortest = min(shortest ?? pause, pause)
        // Days that follow each other can't come closer.
        if day - before == 1 { return shortest }
      }
      before = day
    }
    return shortest
  }

  /// - Parameter weekday: from 0, which is Sunday.
  public func includes(month: Int, day: Int, weekday: Int) -> Bool {
    guard months >> UInt64(month) & 1 == 1 else { return false }
    let (isDay, isWeekday) = (days >> UInt64(day) & 1 == 1, weekdays >> UInt64(weekday) & 1 == 1)
    return eitherDay ? isDay || isWeekday : isDay && isWeekday
  }

  /// The minutes of a day, from 0, at which it begins; in order.
  public var minutesOfDay: [Int] {
    (0..<24).filter { hours >> UInt64($0) & 1 == 1 }.flatMap { hour in
      (0..<60).filter { minutes >> UInt64($0) & 1 == 1 }.map { hour * 60 + $0 }
    }
  }
}

struct CronError: Error, Hashable { var description: String }
