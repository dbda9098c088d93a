import ConfigModel
import Synchronization

/// Remembers what files gave, so that a commit costs what it changes.
///
/// Keyed by everything that the result depends on: the path, the bytes' object id, and the settings
/// of the file.
public final class CompileCache: Sendable {
  struct Key: Hashable {
    /// Compared by bytes, as paths are: names that only look alike stay apart.
    var path: ConfigPath
    var objectID: String
    var encoding: Settings.Encoding
    var prefix: ConfigPath
    var root: ConfigPath
    var maximumValueBytes: Int
  }

  /// Files remembered; when more come, all are forgotten.
  private static let limit = 50_000
  private let files = Mutex<[Key: CompiledFile]>([:])
  /// Of layers: what a file gives depends on the others.
  private let parsed = Mutex<[Key: ParsedFile]>([:])

  public init() {}

  func file(_ key: Key?, compile: () -> CompiledFile) -> CompiledFile {
    CompileCache.find(key, in: files, compile)
  }

  func parsed(_ key: Key?, read: () -> ParsedFile) -> ParsedFile {
    CompileCache.find(key, in: parsed, read)
  }

  private static func find<Value: Sendable>(
    _ key: Key?, in table: borrowing Mutex<[Key: Value]>, _ make: () -> Value
  ) -> Value {
    guard let key else { return make() }
    if let known = table.withLock({ $0[key] }) { return known }
    let value = make()
    table.withLock { table in
      if table.count >= limit { table.removeAll() }
      table[key] = value
    }
    return value
  }
}
