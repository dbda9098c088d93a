/// A day of the proleptic Gregorian calendar, without a clock or a zone.
public struct CivilDate: Hashable, Sendable {
  public var year: Int
  /// From 1.
  public var month: Int
  /// From 1.
  public var day: Int

  /// A day counted from 1970-01-01.
  ///
  /// Years are counted from March, in cycles of 400 years of 146,097 days (Hinnant, "chrono-Compatible Low-Level Date
  /// Algorithms").
  public init(daysSince1970 days: Int) {
    let shifted = days + 719_468
    let cycle = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfCycle = shifted - cycle * 146_097
    let yearOfCycle =
      (dayOfCycle - dayOfCycle / 1460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
    let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    year = yearOfCycle + cycle * 400 + (month <= 2 ? 1 : 0)
  }

  /// 0 for Sunday, of a day counted from 1970-01-01, which was a Thursday.
  public static func weekday(daysSince1970 days: Int) -> Int { ((days + 4) % 7 + 7) % 7 }
}

/// A moment as RFC 3339 writes it, to the second.
public func timestamp(secondsSince1970 seconds: Int64, offsetMinutes: Int = 0) -> String {
  let local = seconds + Int64(offsetMinutes) * 60
  let days = Int(local >= 0 ? local / 86_400 : (local - 86_399) / 86_400)
  let second = Int(local - Int64(days) * 86_400)
  let date = CivilDate(daysSince1970: days)
  func two(_ number: Int) -> String { (number < 10 ? "0" : "") + String(number) }
  let sign = offsetMinutes < 0 ? "-" : "+"
  let offset = abs(offsetMinutes)
  let zone = offset == 0 ? "Z" : "\(sign)\(two(offset / 60)):\(two(offset % 60))"
  return "\(date.year)-\(two(date.month))-\(two(date.day))T\(two(second / 3600)):"
    + "\(two(second / 60 % 60)):\(two(second % 60))\(zone)"
}
