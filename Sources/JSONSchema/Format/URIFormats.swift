/// URIs (RFC 3986) and IRIs (RFC 3987).
enum URIFormats {
  static func isURI(_ text: String, _ repertoire: Format.Repertoire) -> Bool {
    URIReference(text).scheme != nil && isReference(text, repertoire)
  }

  static func isReference(_ text: String, _ repertoire: Format.Repertoire) -> Bool {
    let reference = URIReference(text)
    guard reference.authority.map({ isAuthority($0, repertoire) }) ?? true,
      consists(of: "/:@", reference.path, repertoire),
      reference.query.map({ consists(of: "/:@?", $0, repertoire, isQuery: true) }) ?? true,
      reference.fragment.map({ consists(of: "/:@?", $0, repertoire) }) ?? true
    else { return false }
    // Without a scheme, a colon in the first segment would make one.
    let first = reference.path.utf8.prefix { $0 != UInt8(ascii: "/") }
    if reference.scheme == nil, reference.authority == nil, first.contains(UInt8(ascii: ":")) {
      return false
    }
    return reference.authority != nil || !reference.path.utf8.starts(with: "//".utf8)
  }

  private static func isAuthority(_ text: String, _ repertoire: Format.Repertoire) -> Bool {
    var bytes = Array(text.utf8)[...]
    if let at = bytes.lastIndex(of: UInt8(ascii: "@")) {
      let user = String(decoding: bytes[..<at], as: UTF8.self)
      guard consists(of: ":", user, repertoire) else { return false }
      bytes = bytes[(at + 1)...]
    }
    if bytes.first == UInt8(ascii: "[") {
      guard let close = bytes.firstIndex(of: UInt8(ascii: "]")) else { return false }
      let literal = bytes[bytes.index(after: bytes.startIndex)..<close]
      let rest = bytes[(close + 1)...]
      guard rest.isEmpty || isPort(rest) else { return false }
      return AddressFormats.isIPv6(literal) || isFutureAddress(literal)
    }
    var host = bytes
    if let colon = bytes.firstIndex(of: UInt8(ascii: ":")) {
      guard isPort(bytes[colon...]) else { return false }
      host = bytes[..<colon]
    }
    return consists(of: "", String(decoding: host, as: UTF8.self), repertoire)
  }

  private static func isPort(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.first == UInt8(ascii: ":") && bytes.dropFirst().allSatisfy(\.isASCIIDigit)
  }

  private static func isFutureAddress(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard let first = bytes.first, first | 0x20 == UInt8(ascii: "v"),
      let dot = bytes.firstIndex(of: UInt8(ascii: "."))
    else { return false }
    let version = bytes[(bytes.startIndex + 1)..<dot]
    let rest = bytes[(dot + 1)...]
    return !version.isEmpty && version.allSatisfy(\.isASCIIHexDigit) && !rest.isEmpty
      && consists(of: ":", String(decoding: rest, as: UTF8.self), .ascii)
  }

  /// Whether there are but unreserved characters, sub-delimiters, escapes, and the `others`.
  private static func consists(
    of others: String, _ text: String, _ repertoire: Format.Repertoire, isQuery: Bool = false
  ) -> Bool {
    var rest = Array(text.unicodeScalars)[...]
    while let scalar = rest.popFirst() {
      if scalar == "%" {
        guard rest.count >= 2, rest.prefix(2).allSatisfy({ $0.properties.isASCIIHexDigit }) else {
          return false
        }
        rest = rest.dropFirst(2)
      } else if scalar.isASCII {
        let byte = UInt8(ascii: scalar)
        guard
          byte.isASCIILetter || byte.isASCIIDigit
            || "-._~!$&'()*+,;=".unicodeScalars.contains(scalar)
            || others.unicodeScalars.contains(scalar)
        else { return false }
      } else {
        guard repertoire == .international, isInternational(scalar.value, isQuery: isQuery) else {
          return false
        }
      }
    }
    return true
  }

  /// RFC 3987 §2.2: `ucschar`, and in a query `iprivate`.
  private static func isInternational(_ value: UInt32, isQuery: Bool) -> Bool {
    switch value {
    case 0xa0...0xd7ff, 0xf900...0xfdcf, 0xfdf0...0xffef: true
    case 0xe000...0xf8ff, 0xf0000...0xffffd, 0x100000...0x10fffd: isQuery
    case 0x10000...0xeffff: value & 0xffff < 0xfffe && value >> 16 < 0xf
    default: false
    }
  }
}
