import ConfigModel

/// The text of one file: valid UTF-8 without a byte order mark, and the places in it.
struct SourceText {
  let file: String
  let bytes: [UInt8]
  /// Where each line begins.
  private let lineStarts: [Int]
  /// Continuation bytes before each block: a position costs no more in a file of one long line.
  private let continuations: [Int]
  private static let blockBytes = 256

  /// The text of `bytes`, or the finding that they are none.
  static func decode(
    _ bytes: [UInt8], file: String, _ diagnostics: inout [Diagnostic]
  ) -> SourceText? {
    let mark: [UInt8] = [0xef, 0xbb, 0xbf]
    let text = SourceText(file: file, bytes: bytes.starts(with: mark) ? Array(bytes[3...]) : bytes)
    if let offset = firstInvalidByte(text.bytes) {
      diagnostics.append(
        Diagnostic(
          .textEncoding, at: text.span(offset, offset), "the file is not UTF-8",
          hint: "byte 0x\(String(text.bytes[offset], radix: 16)) can't stand here; save it as UTF-8"
        ))
      return nil
    }
    if let offset = text.bytes.firstIndex(of: 0) {
      diagnostics.append(
        Diagnostic(.textNUL, at: text.span(offset, offset), "a NUL character can't be published"))
      return nil
    }
    return text
  }

  init(file: String, bytes: [UInt8]) {
    self.file = file
    self.bytes = bytes
    var starts = [0]
    for (offset, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") {
      starts.append(offset + 1)
    }
    lineStarts = starts
    var before = [0]
    for start in stride(from: 0, to: bytes.count, by: SourceText.blockBytes) {
      let block = bytes[start..<min(start + SourceText.blockBytes, bytes.count)]
      before.append(before[before.count - 1] + block.count { $0 & 0xc0 == 0x80 })
    }
    continuations = before
  }

  /// Characters that begin before `offset`.
  private func characters(before offset: Int) -> Int {
    let block = offset / SourceText.blockBytes
    let rest = bytes[(block * SourceText.blockBytes)..<offset]
    return offset - continuations[block] - rest.count { $0 & 0xc0 == 0x80 }
  }

  /// The place of the byte at `offset`.
  ///
  /// - Complexity: O(log *n*) in lines.
  func position(_ offset: Int) -> SourcePosition {
    let offset = min(max(offset, 0), bytes.count)
    var low = 0
    var high = lineStarts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if lineStarts[middle] <= offset { low = middle } else { high = middle }
    }
    // Continuation bytes begin no character; a broken one before `offset` counts as one each.
    let column = characters(before: offset) - characters(before: lineStarts[low])
    return SourcePosition(line: low + 1, column: column + 1)
  }

  /// The byte at a place; the end of its line, where the line is shorter.
  func offset(_ position: SourcePosition) -> Int {
    guard position.line <= lineStarts.count else { return bytes.count }
    let start = lineStarts[position.line - 1]
    // The end of the line, before its line feed.
    let next = position.line < lineStarts.count ? lineStarts[position.line] - 1 : bytes.count
    let wanted = characters(before: start) + min(max(position.column, 1) - 1, next - start)
    // The first byte before which that many characters begin; a character's later bytes come after it.
    var (low, high) = (start, next)
    while low < high {
      let middle = (low + high) / 2
      if characters(before: middle) < wanted { low = middle + 1 } else { high = middle }
    }
    while low < next, bytes[low] & 0xc0 == 0x80 { low += 1 }
    return low
  }

  /// The place of a byte that is known by its line and its number in it, from 1.
  func position(line: Int, byte: Int) -> SourcePosition {
    guard line >= 1, line <= lineStarts.count else { return position(bytes.count) }
    return position(min(lineStarts[line - 1] + max(byte, 1) - 1, bytes.count))
  }

  func span(_ start: Int, _ end: Int) -> SourceSpan {
    SourceSpan(file: file, start: position(start), end: position(end))
  }

  /// Whether a `%TAG` directive before a place has another `%`.
  func hasEscapedDirective(before position: SourcePosition) -> Bool {
    let head = bytes[..<offset(position)]
    return head.ranges(of: Array("%TAG".utf8)).contains { range in
      let before = head[..<range.lowerBound]
      guard before.isEmpty || SourceText.lineEnds.contains(where: before.hasSuffix) else {
        return false
      }
      let line = head[range.upperBound...].prefix { $0 >= 0x20 || $0 == UInt8(ascii: "\t") }
      let comment = line.indices.dropFirst().first { at in
        line[at] == UInt8(ascii: "#") && line[at - 1] <= 0x20
      }
      return line[..<(comment ?? line.endIndex)].contains(UInt8(ascii: "%"))
    }
  }

  /// Where a line ends for libyaml: YAML 1.1, section 4.1.4.
  private static let lineEnds = ["\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"].map {
    Array($0.utf8)
  }

  /// Whether nothing but white space follows a place.
  func isBlank(from position: SourcePosition) -> Bool {
    bytes[offset(position)...].allSatisfy { $0 <= 0x20 }
  }

  /// The text between two places.
  func slice(_ span: SourceSpan) -> String {
    let start = offset(span.start)
    return String(decoding: bytes[start..<max(start, offset(span.end))], as: UTF8.self)
  }

  private static func firstInvalidByte(_ bytes: [UInt8]) -> Int? {
    if String(validating: bytes, as: UTF8.self) != nil { return nil }
    var offset = 0
    while offset < bytes.count {
      let length = validSequence(bytes, at: offset)
      if length == 0 { return offset }
      offset += length
    }
    return nil
  }

  /// The length of the well-formed sequence at `offset` (Unicode 15, table 3-7); 0 if there is
  /// none.
  private static func validSequence(_ bytes: [UInt8], at offset: Int) -> Int {
    let lead = bytes[offset]
    let length: Int
    switch lead {
    case 0..<0x80: return 1
    case 0xc2...0xdf: length = 2
    case 0xe0...0xef: length = 3
    case 0xf0...0xf4: length = 4
    default: return 0
    }
    guard offset + length <= bytes.count else { return 0 }
    let rest = bytes[offset + 1..<offset + length]
    guard let second = rest.first, rest.allSatisfy({ $0 & 0xc0 == 0x80 }) else { return 0 }
    let isNarrow: Bool =
      switch lead {
      case 0xe0: second < 0xa0
      case 0xed: second > 0x9f
      case 0xf0: second < 0x90
      case 0xf4: second > 0x8f
      default: false
      }
    return isNarrow ? 0 : length
  }

  /// Whether the text holds some bytes.
  ///
  /// - Complexity: O(*n*); the library's search takes many times as long.
  static func contains(_ sought: [UInt8], in bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBufferPointer { bytes in
      sought.withUnsafeBufferPointer { sought in
        guard let first = sought.first, bytes.count >= sought.count else { return sought.isEmpty }
        for start in 0...(bytes.count - sought.count) where bytes[start] == first {
          if (1..<sought.count).allSatisfy({ bytes[start + $0] == sought[$0] }) { return true }
        }
        return false
      }
    }
  }
}

extension ArraySlice<UInt8> {
  fileprivate func hasSuffix(_ end: [UInt8]) -> Bool { suffix(end.count).elementsEqual(end) }
}
