/// Numbers as JSON writes them, every digit kept.
enum Numbers {
  /// An integer of `digits` in a base, in decimal; no leading zeros, and no sign for zero.
  static func integer(_ digits: some Sequence<UInt8>, radix: Int, isNegative: Bool) -> String {
    // Decimal digits, least first; each digit of the source multiplies and adds.
    var decimal: [UInt8] = [0]
    for digit in digits {
      guard let value = Character(UnicodeScalar(digit)).hexDigitValue else { continue }
      var carry = value
      for index in decimal.indices {
        carry += Int(decimal[index]) * radix
        decimal[index] = UInt8(carry % 10)
        carry /= 10
      }
      while carry > 0 {
        decimal.append(UInt8(carry % 10))
        carry /= 10
      }
    }
    return signed(String(decoding: decimal.reversed().map { $0 + 48 }, as: UTF8.self), isNegative)
  }

  /// A decimal integer as written, without its sign.
  static func decimal(_ digits: some StringProtocol, isNegative: Bool) -> String {
    signed(String(digits), isNegative)
  }

  private static func signed(_ digits: String, _ isNegative: Bool) -> String {
    let significant = digits.drop { $0 == "0" }
    if significant.isEmpty { return "0" }
    return (isNegative ? "-" : "") + significant
  }

  /// A decimal fraction, with the least change that makes it JSON.
  static func float(_ text: some StringProtocol) -> String {
    var rest = text.filter { $0 != "_" }[...]
    var result = ""
    if let sign = rest.first, sign == "-" || sign == "+" {
      if sign == "-" { result = "-" }
      rest = rest.dropFirst()
    }
    let mantissa = rest.prefix { $0 != "e" && $0 != "E" }
    let exponent = rest.dropFirst(mantissa.count)
    let whole = mantissa.prefix { $0 != "." }
    let significant = whole.drop { $0 == "0" }
    result += significant.isEmpty ? "0" : String(significant)
    if mantissa.count > whole.count {
      let fraction = String(mantissa.dropFirst(whole.count + 1))
      result += "." + (fraction.isEmpty ? "0" : fraction)
    }
    return result + String(exponent)
  }
}
