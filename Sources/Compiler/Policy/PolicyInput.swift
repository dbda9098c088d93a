import ConfigModel
import Jsonnet

/// What policies are given, as Jsonnet.
enum PolicyInput {
  static let config = "configsync:config"
  static let previous = "configsync:previous"
  static let program = "configsync:policy"

  /// - Parameter file: the path of a policy, quoted.
  static func call(_ file: String) -> String {
    "(import \(file))(import \"\(config)\", import \"\(previous)\")"
  }

  /// An object with a field for each key, `/production/database/pool/size`; and beside these, hidden so that they are
  /// not listed, one for each first segment, so that `config.production.database.pool.size` is the same value.
  ///
  /// Values have their types; the bytes of a raw file that is no text are null.
  static func source(of keySpace: KeySpace) -> [UInt8] {
    var bytes = Array("{\n".utf8)
    var root = Folder()
    for (path, item) in keySpace.items {
      let value = value(of: item)
      append(path.text, to: &bytes)
      bytes += ":".utf8
      bytes += value
      bytes += ",\n".utf8
      root.add(value, at: path.segments(below: .root)[...])
    }
    for (name, entry) in root.entries where name.first != UInt8(ascii: "/") {
      append(String(decoding: name, as: UTF8.self), to: &bytes)
      bytes += "::".utf8
      entry.append(to: &bytes)
      bytes += ",\n".utf8
    }
    return JsonnetEvaluator.readable(json: bytes + Array("}\n".utf8))
  }

  /// What a failure means to who writes policies, if the policy itself could not be called; nil for one inside it.
  static func meaning(of failure: JsonnetFailure) -> String? {
    guard failure.places.allSatisfy({ $0.file == program }) else { return nil }
    let message = failure.message
    if message.hasPrefix("only functions can be called") || message.contains("too many args") {
      return "a policy is a function(config, previous)"
    }
    return nil
  }

  private static func value(of item: KeySpace.Item) -> [UInt8] {
    guard item.form == .text else { return item.value }
    guard let text = String(validating: item.value, as: UTF8.self) else {
      return Array("null".utf8)
    }
    var bytes: [UInt8] = []
    append(text, to: &bytes)
    return bytes
  }

  private static func append(_ text: String, to bytes: inout [UInt8]) {
    bytes += ConfigValue(.string(text), at: SourceSpan(file: "")).canonicalJSON(nulls: .kept)
  }

  /// Keys by their segments, in their order.
  private struct Folder {
    enum Entry {
      case value([UInt8])
      case folder(Folder)

      func append(to bytes: inout [UInt8]) {
        switch self {
        case .value(let value): bytes += value
        case .folder(let folder):
          bytes += "{".utf8
          for (name, entry) in folder.entries {
            PolicyInput.append(String(decoding: name, as: UTF8.self), to: &bytes)
            bytes += ":".utf8
            entry.append(to: &bytes)
            bytes += ",".utf8
          }
          bytes += "}".utf8
        }
      }
    }

    private(set) var entries: [(name: [UInt8], entry: Entry)] = []

    /// Keys come in the order of their bytes, so that all of one folder follow each other.
    mutating func add(_ value: [UInt8], at segments: ArraySlice<String>) {
      guard let first = segments.first else { return }
      let name = Array(PolicyInput.unescaped(first).utf8)
      guard segments.count > 1 else {
        entries.append((name, .value(value)))
        return
      }
      if entries.last?.name != name { entries.append((name, .folder(Folder()))) }
      let place = entries.count - 1
      guard case .folder(var folder) = entries[place].entry else { return }
      // Taken out, so that it is changed where it is.
      entries[place].entry = .value([])
      folder.add(value, at: segments.dropFirst())
      entries[place].entry = .folder(folder)
    }
  }

  /// A segment as the map's key was written.
  private static func unescaped(_ segment: String) -> String {
    ConfigPath.unescape(segment) ?? segment
  }
}
