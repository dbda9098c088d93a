import ConfigModel
import Synchronization

/// Remembers what files gave, so that a commit costs what it changes.
///
/// What a path gave is remembered once, with everything that it depends on: the bytes' object id, and the settings
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
    var path: ConfigPath
    var schema: ObjectIdentifier
  }

  /// What was made, and of what.
  private struct Made<Source: Hashable & Sendable, Value: Sendable>: Sendable {
    var source: Source
    var value: Value
  }

  /// A file whose `$id` is looked for: the same bytes say something else as another format.
  private struct Identified: Hashable, Sendable {
    var objectID: String
    var format: FileParser.Format?
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

  /// Trees that the next one may be compiled from: the one before is asked for again by policies and owners.
  private static let rememberedStates = 3
  private let states = Mutex<[CompiledState]>([])

  /// The tree that differs least from this one; nil if none was compiled.
  func state(before tree: SourceTree) -> CompiledState? {
    let known = states.withLock { $0 }
    // Mostly one tree was made from the other, so that little has to be looked at.
    return known.reversed().min { left, right in
      tree.differences(from: left.tree).count < tree.differences(from: right.tree).count
    }
  }

  func remember(_ state: CompiledState) {
    states.withLock { states in
      states.removeAll { state.tree.differences(from: $0.tree).isEmpty }
      if states.count >= CompileCache.rememberedStates { states.removeFirst() }
      states.append(state)
    }
  }

  private let files = Mutex(Generations<ConfigPath, Made<Key, CompiledFile>>())
  /// Of layers: what a file gives depends on the others.
  private let parsed = Mutex(Generations<ConfigPath, Made<Key, ParsedFile>>())

  private let schemas = Mutex<[ConfigPath: LoadedSchema]>([:])
  private let checks = Mutex(Generations<Check, Made<Key, CheckResult>>())
  /// Of each object its `$id`, or that it has none.
  private let identifiers = Mutex(
    Generations<Identified, Made<Identified, SchemaIdentifiers.Found>>())

  private let storage: (any CompileStorage)?

  private let programs = Mutex(
    Generations<ConfigPath, Made<JsonnetStage.Key, JsonnetStage.Memory>>())

  /// - Parameter storage: keeps what files hold for other processes; nil to remember it in this one alone.
  public init(storage: (any CompileStorage)? = nil) { self.storage = storage }

  func flush() { storage?.flush() }

  func jsonnet(_ key: JsonnetStage.Key) -> JsonnetStage.Memory? {
    let known = programs.withLock { $0.find(key.path) }
    if let known, known.source == key { return known.value }
    guard let bytes = storage?.value(for: StoredFile.key(of: key)),
      let stored = try? StoredFile.memory(bytes, at: key.path)
    else { return nil }
    programs.withLock { $0.insert(Made(source: key, value: stored), for: key.path) }
    return stored
  }

  func remember(_ memory: JsonnetStage.Memory, for key: JsonnetStage.Key) {
    programs.withLock { $0.insert(Made(source: key, value: memory), for: key.path) }
    guard let storage, let bytes = StoredFile.encode(memory) else { return }
    storage.store(bytes, for: StoredFile.key(of: key))
  }

  /// What a structured file holds, which needs no evaluator.
  func structured(_ file: SourceTree.File, read: () -> ParsedFile) -> ParsedFile {
    guard let storage, let objectID = file.objectID else { return read() }
    let key = StoredFile.key(ofPath: file.path, objectID: objectID)
    // What can't be decoded is read anew.
    if let bytes = storage.value(for: key), let known = try? StoredFile.file(bytes, at: file.path) {
      return known
    }
    let parsed = read()
    if let bytes = StoredFile.encode(parsed) { storage.store(bytes, for: key) }
    return parsed
  }

  /// The schema at a path, made anew if it is not current.
  func schema(
    _ path: ConfigPath, isCurrent: (LoadedSchema) -> Bool, load: () -> LoadedSchema
  ) -> LoadedSchema {
    if let known = schemas.withLock({ $0[path] }), isCurrent(known) { return known }
    let schema = load()
    // What could not be read may be read the next time.
    guard !schema.diagnostics.isUnread else { return schema }
    let old = schemas.withLock { table in
      if table.count >= CompilerLimits.files { table.removeAll() }
      return table.updateValue(schema, forKey: path)
    }
    // What an old schema found is of no use any more, and would keep it.
    if let old {
      checks.withLock { $0.removeAll { $0.value.schema === old } }
    }
    return schema
  }

  func check(
    of key: Key?, by schema: LoadedSchema, _ check: () -> CheckResult
  ) -> CheckResult {
    let name = key.map { Check(path: $0.path, schema: ObjectIdentifier(schema)) }
    return CompileCache.find(name, of: key, in: checks) {
      var result = check()
      result.schema = schema
      return result
    }
  }

  func identifier(
    _ file: SourceTree.File, read: () -> SchemaIdentifiers.Found
  ) -> SchemaIdentifiers.Found {
    let name = file.objectID.map {
      Identified(objectID: $0, format: FileParser.format(of: file.path))
    }
    return CompileCache.find(name, of: name, in: identifiers, isLasting: { $0.unread == nil }, read)
  }

  func file(_ key: Key?, bytes: Int, compile: () -> CompiledFile) -> CompiledFile {
    CompileCache.find(
      key?.path, of: key, in: files, bytes: bytes, isLasting: { !$0.diagnostics.isUnread }, compile)
  }

  func parsed(_ key: Key?, bytes: Int, read: () -> ParsedFile) -> ParsedFile {
    CompileCache.find(
      key?.path, of: key, in: parsed, bytes: bytes, isLasting: { !$0.diagnostics.isUnread }, read)
  }

  private static func find<Name: Hashable & Sendable, Source, Value: Sendable>(
    _ name: Name?, of source: Source?,
    in table: borrowing Mutex<Generations<Name, Made<Source, Value>>>, bytes: Int = 0,
    isLasting: (Value) -> Bool = { _ in true }, _ make: () -> Value
  ) -> Value {
    guard let name, let source else { return make() }
    let known = table.withLock { $0.find(name) }
    if let known, known.source == source { return known.value }
    let value = make()
    // Another run may find otherwise.
    guard isLasting(value) else { return value }
    table.withLock { $0.insert(Made(source: source, value: value), for: name, bytes: bytes) }
    return value
  }
}

extension [Diagnostic] {
  /// Whether something could not be read, which says nothing of what it holds.
  var isUnread: Bool { contains { $0.code == .fileUnreadable } }
}
