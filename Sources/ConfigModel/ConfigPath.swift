import Foundation

/// A key of the configuration: segments joined by `/`, each escaped, with a leading `/`.
///
/// Compared by bytes, so that keys that only look alike stay apart.
public struct ConfigPath: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The text of the key, escaped.
  public let text: String

  public init(escaped text: String) { self.text = text }

  public static let root = ConfigPath(escaped: "")

  /// The folder of the program's own records.
  public static let reserved = ConfigPath(escaped: "/.configsync")

  /// Whether the key is one of the program's own, which no file may give.
  public var isReserved: Bool { self == .reserved || isInside(.reserved) }

  public func appending(_ segment: String) -> ConfigPath {
    ConfigPath(escaped: text + "/" + ConfigPath.escape(segment))
  }

  /// `%` and `/` inside a segment, as a key writes them.
  public static func escape(_ segment: String) -> String {
    guard segment.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "%") })
    else { return segment }
    var escaped = String.UnicodeScalarView()
    for scalar in segment.unicodeScalars {
      switch scalar {
      case "/": escaped.append(contentsOf: "%2F".unicodeScalars)
      case "%": escaped.append(contentsOf: "%25".unicodeScalars)
      default: escaped.append(scalar)
      }
    }
    return String(escaped)
  }

  /// A text with each `%XX` as the byte that it stands for; nil if the bytes are no UTF-8.
  public static func unescape(_ text: String) -> String? {
    guard text.contains(byte: UInt8(ascii: "%")) else { return text }
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      // A sign is no digit, though a number may begin with it.
      if byte == UInt8(ascii: "%"), rest.count >= 2, !"+-".utf8.contains(rest[rest.startIndex]),
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }

  // Cut by bytes: to Swift's characters a `/` before a combining mark is another one.

  /// The folder that the key is in; nil for the root.
  public var parent: ConfigPath? {
    let bytes = text.utf8
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return nil }
    return ConfigPath(escaped: String(text[..<slash]))
  }

  /// The path without a `/` at its end.
  public var folder: ConfigPath {
    text.utf8.last == UInt8(ascii: "/")
      ? ConfigPath(escaped: String(decoding: text.utf8.dropLast(), as: UTF8.self)) : self
  }

  /// What comes after the folder; all of it for the root.
  public var lastSegment: String { ConfigPath.segments(of: text).last ?? "" }

  /// Whether the key is inside the folder, at any depth.
  public func isInside(_ folder: ConfigPath) -> Bool {
    var text = text
    let count = folder.text.utf8.count
    return begins(with: folder)
      && text.withUTF8 { $0.count > count && $0[count] == UInt8(ascii: "/") }
  }

  /// Whether the bytes of the other key are the first of this one.
  public func begins(with other: ConfigPath) -> Bool {
    var (text, otherText) = (text, other.text)
    return text.withUTF8 { own in
      otherText.withUTF8 { first in
        guard own.count >= first.count else { return false }
        guard let left = own.baseAddress, let right = first.baseAddress else { return true }
        return memcmp(left, right, first.count) == 0
      }
    }
  }

  /// The segments between a folder and the key in it, escaped.
  public func segments(below folder: ConfigPath) -> [String] {
    Array(
      ConfigPath.segments(
        of: String(decoding: text.utf8.dropFirst(folder.text.utf8.count), as: UTF8.self)
      ).dropFirst())
  }

  /// Whether a name ends so, byte by byte: an extension after a combining mark is one, too.
  public static func name(_ name: String, endsIn end: String) -> Bool {
    name.utf8.count >= end.utf8.count && name.utf8.suffix(end.utf8.count).elementsEqual(end.utf8)
  }

  /// A name without its last extension, the whole of it where it has none.
  public static func stem(of name: String) -> String {
    name.utf8.lastIndex(of: UInt8(ascii: ".")).map { dot in
      String(decoding: name.utf8[..<dot], as: UTF8.self)
    } ?? name
  }

  /// A path cut at each `/`.
  public static func segments(of path: String) -> [String] {
    path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
  }

  public var description: String { text }

  // Swift compares texts by canonical equivalence; keys are bytes. Paths are compared and hashed
  // for every key of every commit, so this is done on the bytes at once.
  public static func == (left: ConfigPath, right: ConfigPath) -> Bool { left.compare(right) == 0 }

  public static func < (left: ConfigPath, right: ConfigPath) -> Bool { left.compare(right) < 0 }

  public func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }

  private func compare(_ other: ConfigPath) -> Int {
    var (text, otherText) = (text, other.text)
    return text.withUTF8 { left in
      otherText.withUTF8 { right in
        let count = min(left.count, right.count)
        if let first = left.baseAddress, let second = right.baseAddress, count > 0 {
          let order = memcmp(first, second, count)
          if order != 0 { return Int(order) }
        }
        return left.count - right.count
      }
    }
  }
}

extension String {
  /// Whether one of the bytes of its UTF-8 is this one.
  ///
  /// - Complexity: O(*n*), many bytes at once: it is asked of every value of every file.
  public func contains(byte: UInt8) -> Bool {
    var text = self
    return text.withUTF8 { bytes in
      bytes.baseAddress.map { memchr($0, Int32(byte), bytes.count) != nil } ?? false
    }
  }
}
