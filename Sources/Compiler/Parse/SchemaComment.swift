import ConfigModel

/// `# yaml-language-server: $schema=…`: how a YAML file tells editors its schema.
enum SchemaComment {
  private static let server = Array("yaml-language-server:".utf8)
  private static let marker = Array("$schema=".utf8)

  /// Where the schema's name stands: in the first comment of this kind that has a line for itself.
  static func target(in text: SourceText) -> SourceSpan? {
    guard SourceText.contains(server, in: text.bytes) else { return nil }
    var start = 0
    while start < text.bytes.count {
      let line = text.bytes[start...].prefix { $0 != UInt8(ascii: "\n") }
      if let target = target(inLine: line) {
        return text.span(target.lowerBound, target.upperBound)
      }
      start = line.endIndex + 1
    }
    return nil
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
