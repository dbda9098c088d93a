import Foundation

/// A key of the configuration: segments joined by `/`, each escaped, with a leading `/`.
///
/// Compared by bytes, so that keys that only look alike stay apart.
public struct ConfigPath: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The text of the key, escaped.
  public let text: String

  public init(escaped text: String) { self.text = text }

  public static let root = ConfigPath(escaped: "")

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
