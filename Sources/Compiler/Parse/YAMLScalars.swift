import ConfigModel

/// How an untagged plain scalar is read: the core schema of YAML 1.2 (section 10.3.2), but no more
/// than it: `no`, `on` and `1_000` are strings.
enum CoreSchema {
  enum Scalar {
    case null
    case boolean(Bool)
    case number(String)
    case notFinite
    case string
  }

  /// Digits of an octal or hexadecimal number: turning one into decimal takes their square. What
  /// is longer is a text.
  private static let maximumDigits = 4096

  static func resolve(_ text: String) -> Scalar {
    switch text {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE": return .boolean(true)
    case "false", "False", "FALSE": return .boolean(false)
    default: break
    }
    guard let first = text.utf8.first,
      first.isDigit || first == UInt8(ascii: "-") || first == UInt8(ascii: "+")
        || first == UInt8(ascii: ".")
    else { return .string }
    return number(text)
  }

  private static func number(_ text: String) -> Scalar {
    let digits = Array(text.utf8)
    if text.hasPrefix("0o"), digits.count > 2, digits.count <= maximumDigits,
      digits[2...].allSatisfy({ (48...55).contains($0) })
    {
      return .number(Numbers.integer(digits[2...], radix: 8, isNegative: false))
    }
    if text.hasPrefix("0x"), digits.count > 2,
      digits.count <= maximumDigits,
      digits[2...].allSatisfy({ Character(UnicodeScalar($0)).isHexDigit })
    {
      return .number(Numbers.integer(digits[2...], radix: 16, isNegative: false))
    }
    let isNegative = digits.first == UInt8(ascii: "-")
    let hasSign = isNegative || digits.first == UInt8(ascii: "+")
    let unsigned = digits[(hasSign ? 1 : 0)...]
    switch String(decoding: unsigned, as: UTF8.self) {
    case ".inf", ".Inf", ".INF": return .notFinite
    case ".nan", ".NaN", ".NAN": return hasSign ? .string : .notFinite
    default: break
    }
    if !unsigned.isEmpty, unsigned.allSatisfy(\.isDigit) {
      let text = String(decoding: unsigned, as: UTF8.self)
      return .number(Numbers.decimal(text, isNegative: isNegative))
    }
    return isFloat(unsigned) ? .number(Numbers.float(text)) : .string
  }

  /// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
  private static func isFloat(_ digits: ArraySlice<UInt8>) -> Bool {
    var rest = digits
    func takeDigits() -> Int {
      let taken = rest.prefix(while: \.isDigit).count
      rest = rest.dropFirst(taken)
      return taken
    }
    let whole = takeDigits()
    if rest.first == UInt8(ascii: ".") {
      rest = rest.dropFirst()
      let fraction = takeDigits()
      if whole == 0, fraction == 0 { return false }
    } else if whole == 0 {
      return false
    }
    if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
      rest = rest.dropFirst()
      if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") {
        rest = rest.dropFirst()
      }
      if takeDigits() == 0 { return false }
    }
    return rest.isEmpty
  }
}
