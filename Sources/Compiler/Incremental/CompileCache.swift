import ConfigModel
import Synchronization

/// Remembers what files gave, so that a commit costs what it changes.
///
/// Keyed by everything that the result depends on: the path, the bytes' object id, and the settings
/// of the file.
public final class CompileCache: Sendable {
  struct Key: Hashable, Sendable {
    /// Compared by bytes, as paths are: names that only look alike stay apart.
    var path: ConfigPath
    var objectID: String
    var encoding: Settings.Encoding
    var prefix: ConfigPath
    var root: ConfigPath
    var maximumValueBytes: Int
    /// What the settings name for the file.
    var schema: NamedSchema?
  }

  /// A document that was checked by a schema.
  private struct Check: Hashable, Sendable {
    var key: Key
    var schema: ObjectIdentifier
  }

  struct CheckResult: Sendable {
    var diagnostics: [Diagnostic]
    var steps: Int
    /// It lives as long as what is remembered of it, so that its identity stands for it.
    fileprivate var schema: LoadedSchema?

    init(diagnostics: [Diagnostic], steps: Int) {
      self.diagnostics = diagnostics
      self.steps = steps
    }
  }

  /// Files remembered; when more come, all are forgotten.
  private static let limit = 50_000
  private let files = Mutex<[Key: CompiledFile]>([:])
  /// Of layers: what a file gives depends on the others.
  private let parsed = Mutex<[Key: ParsedFile]>([:])

  private let schemas = Mutex<[ConfigPath: LoadedSchema]>([:])
  private let checks = Mutex<[Check: CheckResult]>([:])
  /// Of each object its `$id`, or that it has none.
  private let identifiers = Mutex<[String: String?]>([:])

  private let programs = Mutex<[JsonnetStage.Key: JsonnetStage.Memory]>([:])

  public init() {}

  func jsonnet(_ key: JsonnetStage.Key) -> JsonnetStage.Memory? { programs.withLock { $0[key] } }

  func remember(_ memory: JsonnetStage.Memory, for key: JsonnetStage.Key) {
    programs.withLock { table in
      if table.count >= CompileCache.limit { table.removeAll() }
      table[key] = memory
    }
  }

  /// The schema at a path, made anew if it is not current.
  func schema(
    _ path: ConfigPath, isCurrent: (LoadedSchema) -> Bool, load: () -> LoadedSchema
  ) -> LoadedSchema {
    if let known = schemas.withLock({ $0[path] }), isCurrent(known) { return known }
    let schema = load()
    let old = schemas.withLock { table in
      if table.count >= CompileCache.limit { table.removeAll() }
      return table.updateValue(schema, forKey: path)
    }
    // What an old schema found is of no use any more, and would keep it.
    if let old {
      let identity = ObjectIdentifier(old)
      checks.withLock { table in table = table.filter { $0.key.schema != identity } }
    }
    return schema
  }

  func check(
    of key: Key?, by schema: LoadedSchema, _ check: () -> CheckResult
  ) -> CheckResult {
    let key = key.map { Check(key: $0, schema: ObjectIdentifier(schema)) }
    return CompileCache.find(key, in: checks) {
      var result = check()
      result.schema = schema
      return result
    }
  }

  func identifier(_ file: SourceTree.File, read: () -> String?) -> String? {
    CompileCache.find(file.objectID, in: identifiers, read)
  }

  func file(_ key: Key?, compile: () -> CompiledFile) -> CompiledFile {
    CompileCache.find(key, in: files, compile)
  }

  func parsed(_ key: Key?, read: () -> ParsedFile) -> ParsedFile {
    CompileCache.find(key, in: parsed, read)
  }

  private static func find<Name: Hashable & Sendable, Value: Sendable>(
    _ key: Name?, in table: borrowing Mutex<[Name: Value]>, _ make: () -> Value
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
