public import Foundation

/// A fixture file: cases of named texts, and what is expected of them.
///
/// ```
/// # a comment, before the first case
/// === what the case shows
/// --- path/of/a/file
/// its lines
/// --- other (escaped)
/// bytes by escapes: \n \xFF; the fixture's own line ends do not count
/// --- expect
/// the expected lines
/// ```
///
/// `UPDATE_FIXTURES=1` writes what was found into the file instead of comparing.
public struct Script: Sendable {
  public struct Case: Sendable {
    public var name: String
    public var files: [(path: String, bytes: [UInt8])]
    public var expected: [String]
    fileprivate var source: [String]
  }

  public let url: URL
  public private(set) var cases: [Case] = []
  private var comments: [String] = []

  public static var mustUpdate: Bool {
    ProcessInfo.processInfo.environment["UPDATE_FIXTURES"] == "1"
  }

  /// Every fixture beside a test file, in `Fixtures/`.
  public static func all(beside testFile: String) throws -> [Script] {
    let folder = URL(fileURLWithPath: testFile).deletingLastPathComponent()
      .appendingPathComponent("Fixtures")
    return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      .filter { $0.hasSuffix(".txt") }
      .map { try Script(url: folder.appendingPathComponent($0)) }
  }

  public init(url: URL) throws {
    self.url = url
    var lines = String(decoding: try Data(contentsOf: url), as: UTF8.self)
      .components(separatedBy: "\n")
    if lines.last == "" { lines.removeLast() }
    for block in Script.split(lines, at: "=== ") {
      guard block[0].hasPrefix("=== ") else {
        comments = block
        continue
      }
      cases.append(Script.parse(block))
    }
  }

  private static func parse(_ block: [String]) -> Case {
    var parsed = Case(
      name: String(block[0].dropFirst(4)), files: [], expected: [], source: [block[0]])
    for section in split(Array(block.dropFirst()), at: "--- ") {
      let title = section[0].dropFirst(4)
      let lines = Array(section.dropFirst())
      if title == "expect" {
        parsed.expected = lines
        continue
      }
      parsed.source += section
      if title.hasSuffix(" (escaped)") {
        parsed.files.append((String(title.dropLast(10)), unescape(lines.joined())))
      } else {
        let text = lines.map { $0 + "\n" }.joined()
        parsed.files.append((String(title), Array(text.utf8)))
      }
    }
    return parsed
  }

  /// Blocks that begin with a line of that prefix; what comes before the first is one too.
  private static func split(_ lines: [String], at prefix: String) -> [[String]] {
    var blocks: [[String]] = []
    for line in lines {
      if line.hasPrefix(prefix) || blocks.isEmpty {
        blocks.append([line])
      } else {
        blocks[blocks.count - 1].append(line)
      }
    }
    return blocks
  }

  /// Writes the script with other expectations, one list a case.
  public func update(_ expectations: [[String]]) throws {
    var lines = comments
    for (item, expected) in zip(cases, expectations) {
      lines += item.source + ["--- expect"] + expected
    }
    try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: url)
  }

  public static func unescape(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\"), let next = rest.popFirst() else {
        bytes.append(byte)
        continue
      }
      switch next {
      case UInt8(ascii: "n"): bytes.append(10)
      case UInt8(ascii: "t"): bytes.append(9)
      case UInt8(ascii: "r"): bytes.append(13)
      case UInt8(ascii: "0"): bytes.append(0)
      case UInt8(ascii: "x"):
        let digits = String(decoding: rest.prefix(2), as: UTF8.self)
        rest = rest.dropFirst(2)
        bytes.append(UInt8(digits, radix: 16) ?? 0)
      default: bytes.append(next)
      }
    }
    return bytes
  }

  /// Bytes as one line: control characters, backslashes and what is no UTF-8 as escapes.
  public static func escape(_ bytes: [UInt8]) -> String {
    if let text = String(validating: bytes, as: UTF8.self) {
      return text.unicodeScalars.map { scalar in
        switch scalar {
        case "\n": "\\n"
        case "\t": "\\t"
        case "\r": "\\r"
        case "\\": "\\\\"
        case "\0": "\\0"
        case _ where scalar.value < 0x20 || scalar.value == 0x7f: hexadecimal(UInt8(scalar.value))
        default: String(scalar)
        }
      }.joined()
    }
    return bytes.map { byte in
      (0x20..<0x7f).contains(byte) && byte != UInt8(ascii: "\\")
        ? String(UnicodeScalar(byte)) : escape([byte], orElse: hexadecimal(byte))
    }.joined()
  }

  private static func escape(_ bytes: [UInt8], orElse other: String) -> String {
    bytes[0] < 0x80 ? escape(bytes) : other
  }

  private static func hexadecimal(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16, uppercase: true)
    return "\\x" + (digits.count < 2 ? "0" : "") + digits
  }
}

/// A folder of its own for one test, removed with the value.
public final class TemporaryFolder: Sendable {
  public let path: String

  public init() throws {
    let url = FileManager.default.temporaryDirectory
      .appendingPathComponent("configsync-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.resolvingSymlinksInPath().path
  }

  // What can't be removed is left to the system's own cleaning.
  deinit { try? FileManager.default.removeItem(atPath: path) }
}
