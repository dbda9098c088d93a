/// What a text is expected to be (JSON Schema 2020-12 validation §7.3).
enum Format: String, Sendable, CaseIterable {
  case dateTime = "date-time"
  case date
  case time
  case duration
  case email
  case idnEmail = "idn-email"
  case hostname
  case idnHostname = "idn-hostname"
  case ipv4
  case ipv6
  case uri
  case uriReference = "uri-reference"
  case iri
  case iriReference = "iri-reference"
  case uuid
  case uriTemplate = "uri-template"
  case jsonPointer = "json-pointer"
  case relativeJSONPointer = "relative-json-pointer"
  case regex

  func matches(_ text: String) -> Bool {
    switch self {
    case .dateTime: DateFormats.isDateTime(text)
    case .date: DateFormats.isDate(text)
    case .time: DateFormats.isTime(text)
    case .duration: DateFormats.isDuration(text)
    case .email: MailFormats.isAddress(text, .ascii)
    case .idnEmail: MailFormats.isAddress(text, .international)
    case .hostname: HostFormats.isHostname(text, .ascii)
    case .idnHostname: HostFormats.isHostname(text, .international)
    case .ipv4: AddressFormats.isIPv4(text)
    case .ipv6: AddressFormats.isIPv6(text)
    case .uri: URIFormats.isURI(text, .ascii)
    case .uriReference: URIFormats.isReference(text, .ascii)
    case .iri: URIFormats.isURI(text, .international)
    case .iriReference: URIFormats.isReference(text, .international)
    case .uuid: Format.isUUID(text)
    case .uriTemplate: TemplateFormat.isTemplate(text)
    case .jsonPointer: PointerFormats.isPointer(text)
    case .relativeJSONPointer: PointerFormats.isRelativePointer(text)
    case .regex: (try? Pattern(text)) != nil
    }
  }

  /// What a person writes for it.
  var example: String {
    switch self {
    case .dateTime: "2026-01-31T12:30:00Z"
    case .date: "2026-01-31"
    case .time: "12:30:00Z"
    case .duration: "PT15M"
    case .email, .idnEmail: "someone@example.com"
    case .hostname, .idnHostname: "db.example.com"
    case .ipv4: "192.0.2.1"
    case .ipv6: "2001:db8::1"
    case .uri, .iri: "https://example.com/path"
    case .uriReference, .iriReference: "/path?query"
    case .uuid: "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    case .uriTemplate: "/users/{id}"
    case .jsonPointer: "/a/0"
    case .relativeJSONPointer: "1/a"
    case .regex: "^[a-z]+$"
    }
  }

  /// Which characters a name may have.
  enum Repertoire: Sendable { case ascii, international }

  /// RFC 4122 §3.
  private static func isUUID(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard bytes.count == 36 else { return false }
    return bytes.enumerated().allSatisfy { index, byte in
      [8, 13, 18, 23].contains(index) ? byte == UInt8(ascii: "-") : byte.isASCIIHexDigit
    }
  }
}

/// RFC 6901, and the draft of relative pointers.
enum PointerFormats {
  static func isPointer(_ text: String) -> Bool { isPointer(Array(text.utf8)[...]) }

  private static func isPointer(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard bytes.isEmpty || bytes.first == UInt8(ascii: "/") else { return false }
    for (index, byte) in zip(bytes.indices, bytes) where byte == UInt8(ascii: "~") {
      guard index + 1 < bytes.endIndex, "01".utf8.contains(bytes[index + 1]) else { return false }
    }
    return true
  }

  static func isRelativePointer(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    let digits = bytes.prefix { $0.isASCIIDigit }
    guard !digits.isEmpty, digits.count == 1 || digits.first != UInt8(ascii: "0") else {
      return false
    }
    let rest = bytes.dropFirst(digits.count)
    return rest.elementsEqual("#".utf8) || isPointer(rest)
  }
}

/// RFC 6570.
enum TemplateFormat {
  static func isTemplate(_ text: String) -> Bool {
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "{"):
        guard let end = rest.firstIndex(of: UInt8(ascii: "}")), isExpression(rest[..<end]) else {
          return false
        }
        rest = rest[(end + 1)...]
      case UInt8(ascii: "%"):
        guard rest.count >= 2, rest.prefix(2).allSatisfy(\.isASCIIHexDigit) else { return false }
        rest = rest.dropFirst(2)
      case 0...0x20, 0x7f: return false
      case _ where "\"<>\\^`|}".utf8.contains(byte): return false
      default: break
      }
    }
    return true
  }

  private static func isExpression(_ text: ArraySlice<UInt8>) -> Bool {
    var text = text
    if let first = text.first, "+#./;?&=,!@|".utf8.contains(first) { text = text.dropFirst() }
    let variables = text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    return variables.allSatisfy { variable in
      var name = variable
      if name.last == UInt8(ascii: "*") {
        name = name.dropLast()
      } else if let colon = name.firstIndex(of: UInt8(ascii: ":")) {
        let length = name[(colon + 1)...]
        guard (1...4).contains(length.count), length.allSatisfy(\.isASCIIDigit),
          length.first != UInt8(ascii: "0")
        else { return false }
        name = name[..<colon]
      }
      return isName(name)
    }
  }

  private static func isName(_ name: ArraySlice<UInt8>) -> Bool {
    let parts = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return parts.allSatisfy { part in
      guard !part.isEmpty else { return false }
      var rest = part
      while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "%") {
          guard rest.count >= 2, rest.prefix(2).allSatisfy(\.isASCIIHexDigit) else { return false }
          rest = rest.dropFirst(2)
        } else if !byte.isASCIILetter, !byte.isASCIIDigit, byte != UInt8(ascii: "_") {
          return false
        }
      }
      return true
    }
  }
}
