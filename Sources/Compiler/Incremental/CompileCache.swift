import ConfigModel
import Synchronization

/// Remembers what files gave, so that a commit costs what it changes.
///
/// Keyed by everything that the result depends on: the path, the bytes' object id, and the settings
/// of the file.
public final class CompileCache: Sendable {
  struct Key: Hashable {
    var path: String
    var objectID: String
    var encoding: Settings.Encoding
    var prefix: ConfigPath
    var root: String
    var maximumValueBytes: Int
  }

  /// Files remembered; when more come, all are forgotten.
  private static let limit = 50_000
  private let files = Mutex<[Key: CompiledFile]>([:])

  public init() {}

  func file(_ key: Key?, compile: () -> CompiledFile) -> CompiledFile {
    guard let key else { return compile() }
    if let known = files.withLock({ $0[key] }) { return known }
    let file = compile()
    files.withLock { files in
      if files.count >= CompileCache.limit { files.removeAll() }
      files[key] = file
    }
    return file
  }
}
