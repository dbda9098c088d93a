/// Numbers as JSON writes them, every digit kept.
enum Numbers {
  /// An integer of `digits` in a base, in decimal; no leading zeros, and no sign for zero.
  static func integer(_ digits: some Sequence<UInt8>, radix: Int, isNegative: Bool) -> String {
    // Nine decimal digits each, least first; several digits of the source multiply and add at a time.
    var limbs: [UInt64] = [0]
    var (value, scale) = (UInt64(0), UInt64(1))
    func add() {
      var carry = value
      for index in limbs.indices {
        carry += limbs[index] * scale
        limbs[index] = carry % Numbers.limb
        carry /= Numbers.limb
      }
      if carry > 0 { limbs.append(carry) }
      (value, scale) = (0, 1)
    }
    for digit in digits {
      guard let digit = Character(UnicodeScalar(digit)).hexDigitValue else { continue }
      value = value * UInt64(radix) + UInt64(digit)
      scale *= UInt64(radix)
      if scale * UInt64(radix) > Numbers.limb { add() }
    }
    add()
    let written = limbs.reversed().map { limb in
      let digits = String(limb)
      return String(repeating: "0", count: Numbers.limbDigits - digits.count) + digits
    }
    return signed(written.joined(), isNegative)
  }

  private static let limb: UInt64 = 1_000_000_000
  private static let limbDigits = 9

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
