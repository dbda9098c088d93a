import ConfigModel

/// Parses JSON (RFC 8259) with the place of every key and value.
struct JSONParser {
  private struct Stop: Error {}

  private let text: SourceText
  private var at = 0
  private var diagnostics: [Diagnostic] = []

  /// The value of a file, as far as it can be read; nil if it is malformed. An empty file is null.
  static func parse(_ text: SourceText, _ diagnostics: inout [Diagnostic]) -> ConfigValue? {
    var parser = JSONParser(text: text)
    defer { diagnostics += parser.diagnostics }
    do {
      parser.skipSpace()
      if parser.at == text.bytes.count { return ConfigValue(.null, at: text.span(0, 0)) }
      let value = try parser.value(depth: 1)
      parser.skipSpace()
      guard parser.at == text.bytes.count else {
        throw parser.fail("nothing may follow the value", hint: "a file holds one JSON value")
      }
      return value
    } catch {
      return nil
    }
  }

  private init(text: SourceText) { self.text = text }

  private var byte: UInt8? { at < text.bytes.count ? text.bytes[at] : nil }

  private mutating func fail(
    _ message: String, code: DiagnosticCode = .jsonSyntax, from start: Int? = nil,
    hint: String? = nil
  ) -> Stop {
    let start = start ?? at
    report(Diagnostic(code, at: text.span(start, max(start, at)), message, hint: hint))
    return Stop()
  }

  private mutating func report(_ finding: Diagnostic) {
    guard diagnostics.count < CompilerLimits.diagnosticsPerFile else { return }
    diagnostics.append(finding)
  }

  private mutating func skipSpace() {
    while let byte, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { at += 1 }
  }

  private mutating func value(depth: Int) throws -> ConfigValue {
    guard depth <= CompilerLimits.depth + 1 else {
      throw fail(
        "nested more than \(CompilerLimits.depth) deep", code: .limitDepth)
    }
    let start = at
    switch byte {
    case UInt8(ascii: "{"): return try map(depth: depth)
    case UInt8(ascii: "["): return try sequence(depth: depth)
    case UInt8(ascii: "\""):
      let string = try string()
      return ConfigValue(.string(string), at: text.span(start, at))
    case let byte? where byte == UInt8(ascii: "-") || byte.isDigit:
      let digits = try number()
      return ConfigValue(.number(digits), at: text.span(start, at))
    case let byte? where byte.isLetter: return try word()
    case UInt8(ascii: "/"): throw fail("JSON has no comments")
    case UInt8(ascii: "'"): throw fail("a string begins with a double quote")
    case nil: throw fail("a value is missing at the end of the file")
    default: throw fail("a value is expected")
    }
  }

  private mutating func word() throws -> ConfigValue {
    let start = at
    while let byte, byte.isLetter || byte.isDigit { at += 1 }
    let span = text.span(start, at)
    switch String(decoding: text.bytes[start..<at], as: UTF8.self) {
    case "null": return ConfigValue(.null, at: span)
    case "true": return ConfigValue(.boolean(true), at: span)
    case "false": return ConfigValue(.boolean(false), at: span)
    case let word: throw fail("'\(word)' is no JSON value", from: start, hint: "quote it")
    }
  }

  private mutating func map(depth: Int) throws -> ConfigValue {
    let start = at
    var members: [ConfigValue.Member] = []
    var places: [[UInt8]: SourceSpan] = [:]
    at += 1
    skipSpace()
    if byte == UInt8(ascii: "}") {
      at += 1
      return ConfigValue(.map([]), at: text.span(start, at))
    }
    while true {
      guard byte == UInt8(ascii: "\"") else {
        throw fail(
          byte == UInt8(ascii: "}") ? "a comma stands before the end" : "a key is expected",
          hint: "a key is a string in double quotes")
      }
      let keyStart = at
      let key = try string()
      let keySpan = text.span(keyStart, at)
      let first = places[Array(key.utf8)]
      if let first {
        report(.duplicateKey(key, at: keySpan, first: first))
      } else {
        places[Array(key.utf8)] = keySpan
      }
      skipSpace()
      guard byte == UInt8(ascii: ":") else { throw fail("a colon is expected after the key") }
      at += 1
      skipSpace()
      let value = try value(depth: depth + 1)
      if first == nil {
        members.append(ConfigValue.Member(key: key, keySpan: keySpan, value: value))
      }
      guard try takeSeparator(or: UInt8(ascii: "}"), opened: start) else { break }
    }
    return ConfigValue(.map(members), at: text.span(start, at))
  }

  private mutating func sequence(depth: Int) throws -> ConfigValue {
    let start = at
    var items: [ConfigValue] = []
    at += 1
    skipSpace()
    if byte == UInt8(ascii: "]") {
      at += 1
      return ConfigValue(.sequence([]), at: text.span(start, at))
    }
    while true {
      if byte == UInt8(ascii: "]") { throw fail("a comma stands before the end") }
      items.append(try value(depth: depth + 1))
      guard try takeSeparator(or: UInt8(ascii: "]"), opened: start) else { break }
    }
    return ConfigValue(.sequence(items), at: text.span(start, at))
  }

  /// Takes a comma, then true; or the closing bracket, then false.
  private mutating func takeSeparator(or end: UInt8, opened: Int) throws -> Bool {
    skipSpace()
    let closing = Character(UnicodeScalar(end))
    switch byte {
    case UInt8(ascii: ","):
      at += 1
      skipSpace()
      return true
    case end:
      at += 1
      return false
    case nil:
      throw fail("this is never closed by '\(closing)'", from: opened)
    default: throw fail("a comma or '\(closing)' is expected")
    }
  }

  private mutating func number() throws -> String {
    let start = at
    var isInteger = true
    let isNegative = byte == UInt8(ascii: "-")
    if isNegative { at += 1 }
    let whole = try digits("a digit is expected in the number", from: start)
    if whole.count > 1, whole.first == UInt8(ascii: "0") {
      throw fail("a number can't begin with 0", from: start)
    }
    if byte == UInt8(ascii: ".") {
      isInteger = false
      at += 1
      _ = try digits("a digit is expected after the point", from: start)
    }
    if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
      isInteger = false
      at += 1
      if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { at += 1 }
      _ = try digits("a digit is expected in the exponent", from: start)
    }
    if let byte, byte.isLetter || byte == UInt8(ascii: "_") {
      throw fail("a number ends before this character")
    }
    guard isInteger else { return String(decoding: text.bytes[start..<at], as: UTF8.self) }
    return Numbers.decimal(String(decoding: whole, as: UTF8.self), isNegative: isNegative)
  }

  private mutating func digits(_ expectation: String, from start: Int) throws -> ArraySlice<UInt8> {
    let first = at
    while let byte, byte.isDigit { at += 1 }
    guard at > first else { throw fail(expectation, from: start) }
    return text.bytes[first..<at]
  }
}

extension JSONParser {
  /// The string whose opening quote is next.
  private mutating func string() throws -> String {
    let start = at
    var units: [UInt8] = []
    at += 1
    while true {
      switch byte {
      case nil, UInt8(ascii: "\n"), UInt8(ascii: "\r"):
        at = start + 1
        throw fail("the string is never closed", from: start, hint: "add the closing quote")
      case UInt8(ascii: "\""):
        at += 1
        return String(decoding: units, as: UTF8.self)
      case UInt8(ascii: "\\"): try escape(into: &units)
      case let byte? where byte < 0x20:
        throw fail("a control character must be escaped in a string")
      case let byte?:
        units.append(byte)
        at += 1
      }
    }
  }

  private mutating func escape(into units: inout [UInt8]) throws {
    let start = at
    at += 2
    guard at <= text.bytes.count else { throw fail("the escape is cut off", from: start) }
    switch text.bytes[at - 1] {
    case UInt8(ascii: "\""): units.append(UInt8(ascii: "\""))
    case UInt8(ascii: "\\"): units.append(UInt8(ascii: "\\"))
    case UInt8(ascii: "/"): units.append(UInt8(ascii: "/"))
    case UInt8(ascii: "b"): units.append(0x08)
    case UInt8(ascii: "f"): units.append(0x0c)
    case UInt8(ascii: "n"): units.append(0x0a)
    case UInt8(ascii: "r"): units.append(0x0d)
    case UInt8(ascii: "t"): units.append(0x09)
    case UInt8(ascii: "u"):
      let scalar = try unicodeEscape(from: start)
      units += Array(String(Character(scalar)).utf8)
    default:
      let name = text.slice(text.span(start, at))
      throw fail("'\(name)' is no escape", from: start)
    }
  }

  private mutating func unicodeEscape(from start: Int) throws -> UnicodeScalar {
    var value = try hexadecimal(from: start)
    if (0xd800...0xdbff).contains(value), at + 1 < text.bytes.count,
      text.bytes[at] == UInt8(ascii: "\\"), text.bytes[at + 1] == UInt8(ascii: "u")
    {
      at += 2
      let low = try hexadecimal(from: start)
      if (0xdc00...0xdfff).contains(low) {
        value = 0x10000 + (value - 0xd800) << 10 + (low - 0xdc00)
      }
    }
    // Both are reported, and the rest of the file is still looked at.
    if value == 0 {
      _ = fail("a NUL character can't be published", code: .textNUL, from: start)
    }
    guard let scalar = UnicodeScalar(value) else {
      _ = fail("half of a surrogate pair is no character", code: .textSurrogate, from: start)
      return "\u{fffd}"
    }
    return scalar
  }

  private mutating func hexadecimal(from start: Int) throws -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte, let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
        throw fail("four hexadecimal digits are expected", from: start)
      }
      value = value << 4 | UInt32(digit)
      at += 1
    }
    return value
  }
}

extension UInt8 {
  var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
  var isLetter: Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20)
  }
}

extension Diagnostic {
  static func duplicateKey(_ key: String, at span: SourceSpan, first: SourceSpan) -> Diagnostic {
    Diagnostic(
      .keyDuplicate, at: span, "the key '\(key)' stands twice in one map",
      hint: "remove one of them", related: [Related(first, "first here")])
  }
}
