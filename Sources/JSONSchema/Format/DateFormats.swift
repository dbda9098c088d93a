/// Dates and times of RFC 3339, whose digits are those of ASCII alone.
enum DateFormats {
  static func isDate(_ text: String) -> Bool { isDate(Array(text.utf8)[...]) }

  static func isTime(_ text: String) -> Bool { isTime(Array(text.utf8)[...]) }

  /// RFC 3339 §5.6: a date, `T` or `t`, and a time with its offset.
  static func isDateTime(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard bytes.count > 11, bytes[10] | 0x20 == UInt8(ascii: "t") else { return false }
    return isDate(bytes[..<10]) && isTime(bytes[11...])
  }

  private static func number(_ bytes: ArraySlice<UInt8>, _ digits: Int) -> Int? {
    guard bytes.count == digits, bytes.allSatisfy(\.isASCIIDigit) else { return nil }
    return bytes.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
  }

  private static func isDate(_ bytes: ArraySlice<UInt8>) -> Bool {
    let parts = bytes.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard parts.count == 3, let year = number(parts[0], 4), let month = number(parts[1], 2),
      let day = number(parts[2], 2), (1...12).contains(month)
    else { return false }
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    return (1...days[month - 1]).contains(day)
  }

  /// `12:30:45.5+02:00`; a 60th second where the last minute of a UTC day has one.
  private static func isTime(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard bytes.count >= 9 else { return false }
    let clock = bytes.prefix(8).split(
      separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard clock.count == 3, let hour = number(clock[0], 2), let minute = number(clock[1], 2),
      let second = number(clock[2], 2), hour < 24, minute < 60, second <= 60
    else { return false }
    var rest = bytes.dropFirst(8)
    if rest.first == UInt8(ascii: ".") {
      let digits = rest.dropFirst().prefix { $0.isASCIIDigit }
      guard !digits.isEmpty else { return false }
      rest = rest.dropFirst(1 + digits.count)
    }
    guard let offset = offset(rest) else { return false }
    guard second == 60 else { return true }
    let utc = (hour * 60 + minute - offset + 2 * 24 * 60) % (24 * 60)
    return utc == 23 * 60 + 59
  }

  /// In minutes; nil if the bytes are none.
  private static func offset(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard let sign = bytes.first else { return nil }
    if sign | 0x20 == UInt8(ascii: "z") { return bytes.count == 1 ? 0 : nil }
    guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
    let parts = bytes.dropFirst().split(
      separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard parts.count == 2, let hours = number(parts[0], 2), let minutes = number(parts[1], 2),
      hours < 24, minutes < 60
    else { return nil }
    return (hours * 60 + minutes) * (sign == UInt8(ascii: "-") ? -1 : 1)
  }

  /// RFC 3339 appendix A: units follow each other without a gap, weeks stand alone.
  static func isDuration(_ text: String) -> Bool {
    var rest = Array(text.utf8)[...]
    guard rest.popFirst() == UInt8(ascii: "P"), let last = rest.last, !last.isASCIIDigit else {
      return false
    }
    if last == UInt8(ascii: "W") { return units(rest, of: "W") == 1 }
    guard let time = rest.firstIndex(of: UInt8(ascii: "T")) else {
      return (units(rest, of: "YMD") ?? 0) > 0
    }
    guard let dates = units(rest[..<time], of: "YMD"),
      let times = units(rest[(time + 1)...], of: "HMS")
    else { return false }
    return dates >= 0 && times > 0
  }

  /// How many units the bytes hold; nil if these are malformed or not beside each other.
  private static func units(_ bytes: ArraySlice<UInt8>, of order: String) -> Int? {
    var rest = bytes
    var count = 0
    var expected: Int?
    let order = Array(order.utf8)
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isASCIIDigit }
      rest = rest.dropFirst(digits.count)
      guard !digits.isEmpty, let unit = rest.popFirst(), let place = order.firstIndex(of: unit),
        expected == nil || expected == place
      else { return nil }
      expected = place + 1
      count += 1
    }
    return count
  }
}
