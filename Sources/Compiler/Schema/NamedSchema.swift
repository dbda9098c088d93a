import ConfigModel

/// A schema as configsync.yaml or a file names it.
struct NamedSchema: Hashable, Sendable {
  enum Target: Hashable, Sendable {
    /// A file of the repository; compared by bytes, as keys are.
    case file(ConfigPath)
    /// A URI: it is never fetched.
    case uri(String)
    /// It leads out of the repository.
    case nowhere
  }

  var target: Target
  /// As it is written.
  var text: String
  var span: SourceSpan

  init(target: Target, text: String, span: SourceSpan) {
    self.target = target
    self.text = text
    self.span = span
  }

  /// A schema that a file names for itself: a URI, or a path from its own folder.
  init(_ text: String, from file: String, at span: SourceSpan) {
    let target: Target
    if RepositoryPath.hasScheme(text) {
      target = .uri(text)
    } else {
      target =
        RepositoryPath.resolve(text, from: file).map { .file(ConfigPath(escaped: $0)) } ?? .nowhere
    }
    self.init(target: target, text: text, span: span)
  }
}

/// Paths of files in the repository, and the URIs that stand for them while schemas are compiled.
enum RepositoryPath {
  private static let scheme = "repository:///"

  /// Whether a text is a URI, as `https://…` and `urn:…` are; a Windows drive is none.
  static func hasScheme(_ text: String) -> Bool {
    guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return false }
    let name = text.utf8[..<colon]
    return name.count > 1
      && name.allSatisfy { $0.isLetter || $0.isDigit || "+-.".utf8.contains($0) }
      && (name.first?.isLetter ?? false)
  }

  /// The path that a relative one means beside `file`; nil if it leads out of the repository.
  static func resolve(_ relative: String, from file: String) -> String? {
    guard !relative.isEmpty, !relative.hasPrefix("/") else { return nil }
    var parts = ConfigPath.segments(of: file).dropLast() + []
    for part in ConfigPath.segments(of: relative) {
      switch part {
      case ".": break
      case "..":
        guard !parts.isEmpty else { return nil }
        parts.removeLast()
      default: parts.append(part)
      }
    }
    return parts.joined(separator: "/")
  }

  static func uri(of path: String) -> String { scheme + escaped(path) }

  /// A path as a relative URI (RFC 3986).
  static func escaped(_ path: String) -> String {
    var bytes: [UInt8] = []
    for byte in path.utf8 {
      if byte.isLetter || byte.isDigit || "/-._~".utf8.contains(byte) {
        bytes.append(byte)
      } else {
        bytes += "%".utf8
        bytes += String(byte >> 4, radix: 16, uppercase: true).utf8
        bytes += String(byte & 15, radix: 16, uppercase: true).utf8
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The path that a URI of `uri(of:)` stands for; nil for another URI.
  static func path(of uri: String) -> String? {
    guard uri.hasPrefix(scheme) else { return nil }
    return ConfigPath.unescape(String(uri.dropFirst(scheme.count)))
  }
}
