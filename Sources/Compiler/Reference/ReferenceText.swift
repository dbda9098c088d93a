import ConfigModel

// Bytes throughout: to Swift's characters a `/` or `}` before a combining mark is another one.

/// A reference as it is written: `${/a/b}`, `${./b}` or `${../b}`.
struct Reference: Hashable {
  /// With `${` and `}`.
  var text: String
  /// How many maps above the one that holds the key; nil if it begins at the root.
  var levels: Int?
  /// Escaped as keys are.
  var segments: [String]

  /// - Parameter inner: what stands between the braces.
  init(inner: ArraySlice<UInt8>) {
    text = "${" + String(decoding: inner, as: UTF8.self) + "}"
    var rest = inner
    if rest.starts(with: "/".utf8) {
      rest = rest.dropFirst()
    } else if rest.starts(with: "./".utf8) {
      levels = 0
      rest = rest.dropFirst(2)
    } else {
      levels = 0
      while rest.starts(with: "../".utf8) {
        levels = (levels ?? 0) + 1
        rest = rest.dropFirst(3)
      }
    }
    segments = ConfigPath.segments(of: String(decoding: rest, as: UTF8.self))
  }

  /// The key that is meant; nil if there can't be one: a segment is empty, it leads above the root, or is
  /// longer than `CompilerLimits.referenceBytes`.
  ///
  /// - Parameter key: the one that holds the reference.
  func target(from key: ConfigPath) -> ConfigPath? {
    guard !segments.contains(where: \.isEmpty), !segments.isEmpty else { return nil }
    var base = ConfigPath.root
    if let levels {
      base = key
      for _ in 0...levels {
        guard let folder = base.parent else { return nil }
        base = folder
      }
    }
    let target = ConfigPath(escaped: base.text + "/" + segments.joined(separator: "/"))
    // No key is longer, but for those that maps make; and each folder on the way is looked at.
    return target.text.utf8.count <= CompilerLimits.referenceBytes ? target : nil
  }
}

/// A text, cut at its references.
enum ReferenceText {
  enum Part: Hashable {
    /// Ready to be published: what was escaped is not any more.
    case text(String)
    case reference(Reference)

    var isReference: Bool { if case .reference = self { true } else { false } }
  }

  private static let starts = ["/", "./", "../"]

  /// Whether there may be a reference, or an escaped one.
  static func isCandidate(_ text: String) -> Bool { text.contains(byte: UInt8(ascii: "$")) }

  /// The length of `${` or `$${` before what a reference may begin with; nil if neither stands there.
  private static func opening(of bytes: ArraySlice<UInt8>) -> Int? {
    for opening in ["$${", "${"] where bytes.starts(with: opening.utf8) {
      let inner = bytes.dropFirst(opening.utf8.count)
      return starts.contains { inner.starts(with: $0.utf8) } ? opening.utf8.count : nil
    }
    return nil
  }

  /// - Complexity: O(*n*).
  static func parts(of text: String) -> [Part] {
    var parts: [Part] = []
    var literal: [UInt8] = []
    func flush() {
      if !literal.isEmpty { parts.append(.text(String(decoding: literal, as: UTF8.self))) }
      literal = []
    }
    var rest = Array(text.utf8)[...]
    while let dollar = rest.firstIndex(of: UInt8(ascii: "$")) {
      literal += rest[..<dollar]
      rest = rest[dollar...]
      switch opening(of: rest) {
      case 3:
        literal += "${".utf8
        rest = rest.dropFirst(3)
      case 2:
        let inner = rest.dropFirst(2)
        // What is never closed is a text; so is all that follows it.
        guard let end = inner.firstIndex(of: UInt8(ascii: "}")) else {
          literal += rest
          rest = []
          break
        }
        flush()
        parts.append(.reference(Reference(inner: inner[..<end])))
        rest = inner[(end + 1)...]
      default:
        literal.append(UInt8(ascii: "$"))
        rest = rest.dropFirst()
      }
    }
    literal += rest
    if !literal.isEmpty || parts.isEmpty {
      parts.append(.text(String(decoding: literal, as: UTF8.self)))
    }
    return parts
  }

  static func hasReference(_ text: String) -> Bool {
    isCandidate(text) && parts(of: text).contains(where: \.isReference)
  }

  /// The text without its escapes; for one that holds no reference.
  static func unescaped(_ text: String) -> String {
    guard isCandidate(text) else { return text }
    return parts(of: text).map { part in
      switch part {
      case .text(let text): text
      case .reference(let reference): reference.text
      }
    }.joined()
  }

  /// Where the references of a text stand in its source; the whole text where that can't be told, since it
  /// is written with escapes.
  static func places(of count: Int, in span: SourceSpan, _ source: SourceText) -> [SourceSpan] {
    let first = source.offset(span.start)
    var rest = source.bytes[first..<max(first, source.offset(span.end))]
    var places: [SourceSpan] = []
    while let dollar = rest.firstIndex(of: UInt8(ascii: "$")) {
      rest = rest[dollar...]
      let opening = opening(of: rest)
      let inner = rest.dropFirst(opening ?? 1)
      rest = inner
      guard opening == 2 else { continue }
      guard let close = inner.firstIndex(of: UInt8(ascii: "}")) else { break }
      places.append(source.span(dollar, close + 1))
      rest = inner[(close + 1)...]
    }
    return places.count == count ? places : Array(repeating: span, count: count)
  }
}
