import ConfigModel

/// `# yaml-language-server: $schema=…`: how a YAML file tells editors its schema.
enum SchemaComment {
  private static let server = Array("yaml-language-server:".utf8)
  private static let marker = Array("$schema=".utf8)

  /// Where the schema's name stands: in the first comment of this kind that has a line for itself.
  static func target(in text: SourceText) -> SourceSpan? {
    guard SourceText.contains(server, in: text.bytes) else { return nil }
    var start = 0
    var isHead = true
    var texts: [Range<Int>]?
    while start < text.bytes.count {
      let line = text.bytes[start...].prefix { $0 != UInt8(ascii: "\n") }
      if let target = target(inLine: line) {
        // What stands in a text is no comment; behind nothing but comments there is none.
        let known = isHead ? [] : texts ?? longTexts(of: text)
        if !isHead { texts = known }
        if !known.contains(where: { $0.contains(target.lowerBound) }) {
          return text.span(target.lowerBound, target.upperBound)
        }
      }
      let first = line.first { $0 > 0x20 }
      isHead = isHead && (first == nil || first == UInt8(ascii: "#"))
      start = line.endIndex + 1
    }
    return nil
  }

  /// Where the texts are that have several lines; the YAML is known to be well-formed.
  private static func longTexts(of text: SourceText) -> [Range<Int>] {
    let reader = YAMLEventReader(text)
    var ranges: [Range<Int>] = []
    while let event = try? reader.next() {
      switch event.kind {
      case .streamEnd: return ranges
      case .scalar(_, isPlain: false, _, _) where event.end.line > event.start.line:
        ranges.append(text.offset(event.start)..<text.offset(event.end))
      default: break
      }
    }
    return ranges
  }

  private static func target(inLine line: ArraySlice<UInt8>) -> Range<Int>? {
    let isSpace: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    var rest = line.drop(while: isSpace)
    guard rest.popFirst() == UInt8(ascii: "#") else { return nil }
    rest = rest.drop(while: isSpace)
    guard rest.starts(with: server) else { return nil }
    rest = rest.dropFirst(server.count).drop(while: isSpace)
    guard rest.starts(with: marker) else { return nil }
    rest = rest.dropFirst(marker.count)
    let target = rest.prefix { $0 > 0x20 }
    return target.isEmpty ? nil : target.startIndex..<target.endIndex
  }
}
