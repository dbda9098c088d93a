import ConfigModel

/// Finds what toml++ does not tell of a malformed document: where an unclosed string begins, and
/// where a key that stands twice stood first.
///
/// It follows the document only as far as keys and strings go, and stops at what it can't follow.
struct TOMLScanner {
  struct Duplicate {
    var second: SourceSpan
    var first: SourceSpan
  }

  private struct Stop: Error {}

  private let text: SourceText
  private var at = 0
  private var depth = 0
  private var table: [String] = []
  private var defined: [[String]: SourceSpan] = [:]
  private var arrayCounts: [[String]: Int] = [:]
  private(set) var duplicates: [Duplicate] = []
  private(set) var unclosedString: Int?

  init(_ text: SourceText) {
    self.text = text
    // What can't be followed ends the scan, not the report.
    do { try scan() } catch {}
  }

  private var byte: UInt8? { at < text.bytes.count ? text.bytes[at] : nil }

  private func follows(_ bytes: String) -> Bool { text.bytes[at...].starts(with: bytes.utf8) }

  private mutating func scan() throws {
    while true {
      skipSpace(withLines: true)
      guard let byte else { return }
      if byte == UInt8(ascii: "[") {
        try header()
      } else {
        try assignment(in: table)
      }
    }
  }

  private mutating func skipSpace(withLines: Bool) {
    while let byte {
      if byte == UInt8(ascii: "#") {
        while let byte = self.byte, byte != UInt8(ascii: "\n") { at += 1 }
        if !withLines { return }
      } else if byte == 0x20 || byte == 0x09 || (withLines && (byte == 0x0a || byte == 0x0d)) {
        at += 1
      } else {
        return
      }
    }
  }

  private mutating func header() throws {
    let isArray = follows("[[")
    at += isArray ? 2 : 1
    let keys = try dottedKey()
    guard let last = keys.last, follows(isArray ? "]]" : "]") else { throw Stop() }
    at += isArray ? 2 : 1
    table = resolved(keys.map(\.name))
    if isArray {
      let plain = keys.map(\.name)
      arrayCounts[plain, default: 0] += 1
      table = resolved(plain)
    } else {
      define(table, at: last.span)
    }
  }

  /// Items of an array of tables are told apart by their number.
  private func resolved(_ names: [String]) -> [String] {
    var path: [String] = []
    for index in names.indices {
      path.append(names[index])
      if let count = arrayCounts[Array(names[...index])] { path.append("#\(count)") }
    }
    return path
  }

  private mutating func define(_ path: [String], at span: SourceSpan) {
    if let first = defined[path] {
      duplicates.append(Duplicate(second: span, first: first))
    } else {
      defined[path] = span
    }
  }

  private mutating func assignment(in table: [String]) throws {
    let keys = try dottedKey()
    guard let last = keys.last, byte == UInt8(ascii: "=") else { throw Stop() }
    at += 1
    let path = table + keys.map(\.name)
    define(path, at: last.span)
    skipSpace(withLines: false)
    try value(of: path)
  }

  private mutating func value(of path: [String]) throws {
    // Far enough for any document that is not refused for its depth.
    guard depth < 4 * CompilerLimits.depth else { throw Stop() }
    depth += 1
    defer { depth -= 1 }
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "'"): _ = try string()
    case UInt8(ascii: "["):
      at += 1
      var count = 0
      try items(until: UInt8(ascii: "]")) { scanner in
        count += 1
        try scanner.value(of: path + ["#\(count)"])
      }
    case UInt8(ascii: "{"):
      at += 1
      try items(until: UInt8(ascii: "}")) { try $0.assignment(in: path) }
    default:
      while let byte, !",]}#\n".utf8.contains(byte) { at += 1 }
    }
  }

  private mutating func items(
    until end: UInt8, _ item: (inout TOMLScanner) throws -> Void
  ) throws {
    while true {
      skipSpace(withLines: true)
      guard let byte else { throw Stop() }
      if byte == end {
        at += 1
        return
      }
      if byte == UInt8(ascii: ",") {
        at += 1
      } else {
        let start = at
        try item(&self)
        if at == start { throw Stop() }
      }
    }
  }

  private mutating func dottedKey() throws -> [(name: String, span: SourceSpan)] {
    var keys: [(name: String, span: SourceSpan)] = []
    while true {
      skipSpace(withLines: false)
      let start = at
      let name: String
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
        name = try string()
      } else {
        while let byte, byte.isLetter || byte.isDigit || "_-".utf8.contains(byte) { at += 1 }
        guard at > start else { throw Stop() }
        name = String(decoding: text.bytes[start..<at], as: UTF8.self)
      }
      keys.append((name, text.span(start, at)))
      skipSpace(withLines: false)
      guard byte == UInt8(ascii: ".") else { return keys }
      at += 1
    }
  }

  /// The source of a string without its quotes; escapes are left as they are.
  private mutating func string() throws -> String {
    guard byte != nil else { throw Stop() }
    let start = at
    let found = TOMLString(at: start, in: text.bytes)
    at = found.end
    guard found.isClosed else {
      unclosedString = start
      throw Stop()
    }
    return String(decoding: text.bytes[found.content], as: UTF8.self)
  }
}
