/// A value of a structured file, with the place that it comes from.
public struct ConfigValue: Hashable, Sendable {
  public indirect enum Content: Hashable, Sendable {
    case null
    case boolean(Bool)
    /// A number as JSON writes it, every digit kept.
    case number(String)
    case string(String)
    case sequence([ConfigValue])
    /// In the order of the file, without duplicates.
    case map([Member])
  }

  public struct Member: Hashable, Sendable {
    public var key: String
    public var keySpan: SourceSpan
    public var value: ConfigValue

    public init(key: String, keySpan: SourceSpan, value: ConfigValue) {
      self.key = key
      self.keySpan = keySpan
      self.value = value
    }
  }

  public var content: Content
  public var span: SourceSpan

  public init(_ content: Content, at span: SourceSpan) {
    self.content = content
    self.span = span
  }

  /// The member of a map; nil for anything else.
  public subscript(_ key: String) -> ConfigValue? {
    guard case .map(let members) = content else { return nil }
    return members.first { $0.key.utf8.elementsEqual(key.utf8) }?.value
  }
}

extension ConfigValue {
  /// How nulls in maps are written.
  public enum Nulls: Sendable { case dropped, kept }

  /// Compact JSON: maps sorted by code point, only what must be escaped is.
  ///
  /// Nulls in sequences always stay, and in maps inside sequences too.
  public func canonicalJSON(nulls: Nulls) -> [UInt8] {
    var bytes: [UInt8] = []
    writeJSON(to: &bytes, nulls: nulls)
    return bytes
  }

  private func writeJSON(to bytes: inout [UInt8], nulls: Nulls) {
    switch content {
    case .null: bytes += Array("null".utf8)
    case .boolean(let value): bytes += Array((value ? "true" : "false").utf8)
    case .number(let digits): bytes += Array(digits.utf8)
    case .string(let text): ConfigValue.writeJSON(text, to: &bytes)
    case .sequence(let items):
      bytes.append(UInt8(ascii: "["))
      for (index, item) in items.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        item.writeJSON(to: &bytes, nulls: .kept)
      }
      bytes.append(UInt8(ascii: "]"))
    case .map(let members):
      bytes.append(UInt8(ascii: "{"))
      // UTF-8 sorts as code points do.
      let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      var isFirst = true
      for member in sorted {
        if nulls == .dropped, member.value.isNothing { continue }
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        ConfigValue.writeJSON(member.key, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        member.value.writeJSON(to: &bytes, nulls: nulls)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  /// Null, or a map that was written with members and has nothing but nulls in it.
  public var isNothing: Bool {
    switch content {
    case .null: true
    case .map(let members): !members.isEmpty && members.allSatisfy { $0.value.isNothing }
    default: false
    }
  }

  private static func writeJSON(_ text: String, to bytes: inout [UInt8]) {
    let digits = Array("0123456789abcdef".utf8)
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
      case 0x08: bytes += Array("\\b".utf8)
      case 0x09: bytes += Array("\\t".utf8)
      case 0x0a: bytes += Array("\\n".utf8)
      case 0x0c: bytes += Array("\\f".utf8)
      case 0x0d: bytes += Array("\\r".utf8)
      case 0..<0x20:
        bytes += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
