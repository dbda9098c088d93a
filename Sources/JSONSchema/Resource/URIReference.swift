/// A URI or a reference to one, cut into its parts (RFC 3986 §3); compared as written.
struct URIReference: Hashable, Sendable {
  var scheme: String?
  var authority: String?
  var path: String
  var query: String?
  var fragment: String?

  init(_ text: String) {
    var rest = Array(text.utf8)[...]
    func take(until stops: String) -> String {
      let part = rest.prefix { byte in !stops.utf8.contains(byte) }
      rest = rest.dropFirst(part.count)
      return String(decoding: part, as: UTF8.self)
    }
    func skip(_ lead: String) -> Bool {
      guard rest.starts(with: lead.utf8) else { return false }
      rest = rest.dropFirst(lead.utf8.count)
      return true
    }
    if let colon = rest.firstIndex(of: UInt8(ascii: ":")),
      URIReference.isScheme(rest[..<colon])
    {
      scheme = String(decoding: rest[..<colon], as: UTF8.self).lowercased()
      rest = rest[(colon + 1)...]
    }
    if skip("//") { authority = take(until: "/?#") }
    path = take(until: "?#")
    if skip("?") { query = take(until: "#") }
    if skip("#") { fragment = String(decoding: rest, as: UTF8.self) }
  }

  static func isScheme(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard let first = bytes.first, first.isASCIILetter else { return false }
    return bytes.allSatisfy { $0.isASCIILetter || $0.isASCIIDigit || "+-.".utf8.contains($0) }
  }

  /// Without the fragment.
  var withoutFragment: URIReference {
    var copy = self
    copy.fragment = nil
    return copy
  }

  var text: String {
    var text = scheme.map { $0 + ":" } ?? ""
    if let authority { text += "//" + authority }
    text += path
    if let query { text += "?" + query }
    if let fragment { text += "#" + fragment }
    return text
  }

  /// The URI that a reference means where this one is the base (RFC 3986 §5.2).
  func resolving(_ reference: URIReference) -> URIReference {
    var target = reference
    if reference.scheme != nil {
      target.path = URIReference.withoutDots(reference.path)
      return target
    }
    target.scheme = scheme
    if reference.authority != nil {
      target.path = URIReference.withoutDots(reference.path)
      return target
    }
    target.authority = authority
    if reference.path.isEmpty {
      target.path = path
      target.query = reference.query ?? query
    } else if reference.path.utf8.first == UInt8(ascii: "/") {
      target.path = URIReference.withoutDots(reference.path)
    } else {
      target.path = URIReference.withoutDots(merged(with: reference.path))
    }
    return target
  }

  private func merged(with relative: String) -> String {
    if authority != nil, path.isEmpty { return "/" + relative }
    let bytes = Array(path.utf8)
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return relative }
    return String(decoding: bytes[...slash], as: UTF8.self) + relative
  }

  /// RFC 3986 §5.2.4.
  static func withoutDots(_ path: String) -> String {
    guard path.utf8.contains(UInt8(ascii: ".")) else { return path }
    let isRooted = path.utf8.first == UInt8(ascii: "/")
    var output: [Substring] = []
    let segments = path.dropFirst(isRooted ? 1 : 0)
      .split(separator: "/", omittingEmptySubsequences: false)
    for (index, segment) in segments.enumerated() {
      let isLast = index == segments.count - 1
      switch segment {
      case ".": if isLast { output.append("") }
      case "..":
        if !output.isEmpty { output.removeLast() }
        if isLast { output.append("") }
      default: output.append(segment)
      }
    }
    return (isRooted ? "/" : "") + output.joined(separator: "/")
  }
}

extension UInt8 {
  var isASCIILetter: Bool { (0x61...0x7a).contains(self | 0x20) }
  var isASCIIDigit: Bool { (0x30...0x39).contains(self) }
  var isASCIIHexDigit: Bool { isASCIIDigit || (0x61...0x66).contains(self | 0x20) }
}
