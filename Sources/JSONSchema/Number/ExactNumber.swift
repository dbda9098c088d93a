/// A JSON number with every digit: `digits` × 10^`exponent`, in the one form that equal numbers share.
///
/// JSON Schema compares numbers by their mathematical value (2020-12 core §4.2.2, validation §6.2).
struct ExactNumber: Hashable, Sendable {
  /// Beyond it an exponent is as good as infinite; no file can hold the digits.
  private static let largestExponent = 1 << 40
  private var isNegative = false
  /// Without zeros at either end; empty for zero.
  private var digits: [UInt8] = []
  private var exponent = 0

  /// - Parameter json: a number as JSON writes it (RFC 8259 §6).
  init?(json: String) {
    var bytes = Array(json.utf8)[...]
    if bytes.first == UInt8(ascii: "-") {
      isNegative = true
      bytes = bytes.dropFirst()
    }
    var point = 0
    var hasPoint = false
    while let byte = bytes.first {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        digits.append(byte - UInt8(ascii: "0"))
        if hasPoint { point += 1 }
      case UInt8(ascii: "."): hasPoint = true
      case UInt8(ascii: "e"), UInt8(ascii: "E"):
        exponent = ExactNumber.exponent(bytes.dropFirst())
        bytes = []
        continue
      default: return nil
      }
      bytes = bytes.dropFirst()
    }
    guard !digits.isEmpty else { return nil }
    exponent -= point
    normalize()
  }

  init(_ count: Int) {
    isNegative = count < 0
    digits = String(count.magnitude).utf8.map { $0 - UInt8(ascii: "0") }
    normalize()
  }

  private static func exponent(_ text: ArraySlice<UInt8>) -> Int {
    let isNegative = text.first == UInt8(ascii: "-")
    var value = 0
    for byte in text where byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") {
      value = min(value * 10 + Int(byte - UInt8(ascii: "0")), largestExponent)
    }
    return isNegative ? -value : value
  }

  private mutating func normalize() {
    let leading = digits.prefix { $0 == 0 }.count
    digits.removeFirst(leading)
    while digits.last == 0 {
      digits.removeLast()
      exponent += 1
    }
    if digits.isEmpty { (isNegative, exponent) = (false, 0) }
  }

  var isZero: Bool { digits.isEmpty }

  /// Whether there is no fraction: `1.0` and `1e3` are integers.
  var isInteger: Bool { exponent >= 0 }

  /// The number as a count; the largest one if it's larger, 0 if it's negative, nil if it has a fraction.
  var count: Int? {
    guard isInteger else { return nil }
    if isNegative { return 0 }
    guard digits.count + exponent <= 18 else { return Int.max }
    var value = 0
    for digit in digits { value = value * 10 + Int(digit) }
    for _ in 0..<exponent { value *= 10 }
    return value
  }

  /// A text that equal numbers share, and no others.
  var canonical: String {
    (isNegative ? "-" : "") + String(decoding: digits.map { $0 + 48 }, as: UTF8.self)
      + "e\(exponent)"
  }

  /// Whether dividing by `divisor` leaves nothing over; nil if `steps` end before that is known.
  ///
  /// - Precondition: `divisor` is not zero.
  /// - Complexity: O(*n*) in the digits if the divisor has at most 18, O(*n* × *m*) else.
  func isMultiple(of divisor: ExactNumber, steps: inout Int) -> Bool? {
    precondition(!divisor.isZero, "no number is divided by zero")
    if isZero { return true }
    // Neither ends in a zero: a quotient with a fraction of tens can't be whole.
    let zeros = exponent - divisor.exponent
    guard zeros >= 0 else { return false }
    if divisor.digits.count <= 18 {
      steps -= digits.count / 4
      return steps > 0 ? isMultiple(of: divisor.smallDigits, zeros: zeros) : nil
    }
    // About ten subtractions for each digit.
    guard zeros < steps else {
      steps = 0
      return nil
    }
    steps -= (digits.count + zeros) * divisor.digits.count
    return steps > 0 ? isMultiple(ofLong: divisor.digits, zeros: zeros) : nil
  }

  private var smallDigits: UInt64 { digits.reduce(0) { $0 * 10 + UInt64($1) } }

  private func isMultiple(of divisor: UInt64, zeros: Int) -> Bool {
    var rest = UInt128(0)
    let wide = UInt128(divisor)
    for digit in digits { rest = (rest * 10 + UInt128(digit)) % wide }
    // rest × 10^zeros, by squaring: below 2^60 each, so that products fit.
    var (power, left) = (UInt128(10) % wide, zeros)
    while left > 0 {
      if left & 1 == 1 { rest = rest * power % wide }
      power = power * power % wide
      left >>= 1
    }
    return rest == 0
  }

  private func isMultiple(ofLong divisor: [UInt8], zeros: Int) -> Bool {
    // The remainder, least digit first.
    let other = Array(divisor.reversed())
    var rest: [UInt8] = []
    for place in 0..<(digits.count + zeros) {
      rest.insert(place < digits.count ? digits[place] : 0, at: 0)
      while ExactNumber.isSmaller(other, orEqualTo: rest) {
        ExactNumber.subtract(other, from: &rest)
      }
    }
    return rest.allSatisfy { $0 == 0 }
  }

  private static func isSmaller(_ left: [UInt8], orEqualTo right: [UInt8]) -> Bool {
    let length = right.lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0
    guard left.count == length else { return left.count < length }
    for place in (0..<length).reversed() where left[place] != right[place] {
      return left[place] < right[place]
    }
    return true
  }

  private static func subtract(_ left: [UInt8], from right: inout [UInt8]) {
    var borrow: Int8 = 0
    for place in right.indices {
      var digit = Int8(right[place]) - borrow - (place < left.count ? Int8(left[place]) : 0)
      borrow = digit < 0 ? 1 : 0
      if digit < 0 { digit += 10 }
      right[place] = UInt8(digit)
    }
    while right.last == 0 { right.removeLast() }
  }
}

extension ExactNumber: Comparable {
  static func < (left: ExactNumber, right: ExactNumber) -> Bool {
    if left.isNegative != right.isNegative { return left.isNegative }
    return left.isNegative
      ? isSmallerMagnitude(right, than: left) : isSmallerMagnitude(left, than: right)
  }

  private static func isSmallerMagnitude(_ left: ExactNumber, than right: ExactNumber) -> Bool {
    if left.isZero || right.isZero { return left.isZero && !right.isZero }
    let (leftTop, rightTop) = (
      left.digits.count + left.exponent, right.digits.count + right.exponent
    )
    if leftTop != rightTop { return leftTop < rightTop }
    return left.digits.lexicographicallyPrecedes(right.digits)
  }
}
