/// What libjsonnet 0.18 reads as something else: characters from U+40000 on, whose first byte it takes too much of. It
/// reads and writes their escapes right.
///
/// - Precondition of all: the bytes are UTF-8, so that a byte from 0xf1 on begins such a character.
enum UnreadableText {
  static let explanation =
    "a character from U+40000 on, which the evaluator would take for another: write its escape in a "
    + "string, as \\udb40\\udd00, and leave it out elsewhere"
  static let explanationOfName =
    "its name, or a variable, has a character from U+40000 on, which the evaluator would take for "
    + "another: name it without"

  static func offset(in bytes: [UInt8]) -> Int? { bytes.firstIndex { $0 >= 0xf1 } }

  static func isIn(_ text: String) -> Bool { text.utf8.contains { $0 >= 0xf1 } }

  /// The place of the character at an offset.
  static func place(_ offset: Int, of bytes: [UInt8], in file: String) -> JsonnetPlace {
    let before = bytes[..<offset]
    let line = 1 + before.count { $0 == UInt8(ascii: "\n") }
    let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    let column = offset - lineStart + 1
    return JsonnetPlace(file: file, start: (line, column), end: (line, column + 4))
  }
}

extension JsonnetEvaluator {
  /// JSON, or Jsonnet that has such characters in strings with escapes alone, as the evaluator can read it.
  public static func readable(json: [UInt8]) -> [UInt8] {
    guard UnreadableText.offset(in: json) != nil else { return json }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(json.count + 64)
    for scalar in String(decoding: json, as: UTF8.self).unicodeScalars {
      if scalar.value < 0x40000 {
        bytes += UTF8.encode(scalar)!
      } else {
        bytes += escape(scalar).utf8
      }
    }
    return bytes
  }

  static func escape(_ scalar: UnicodeScalar) -> String {
    UTF16.encode(scalar)!.map { "\\u" + String($0, radix: 16) }.joined()
  }
}
