import ConfigModel
import Jsonnet

/// What a Jsonnet file gives.
struct JsonnetValue: Sendable {
  /// nil if it has none, and then the diagnostics say why.
  var value: ConfigValue?
  var diagnostics: [Diagnostic] = []
}

/// Evaluates the Jsonnet files of one tree, each once.
///
/// Imports are files of the same tree. What comes out is remembered by the objects of all that went in.
final class JsonnetStage {
  /// What a program is known by, apart from what it imports.
  struct Key: Hashable, Sendable {
    var path: ConfigPath
    var objectID: String
    var namespace: ConfigPath
    var source: String
  }

  /// What a program gave, as long as its imports are the same.
  struct Memory: Sendable {
    /// What each import led to: the object at a path, or nothing.
    var imports: [JsonnetResult.ImportRequest: ConfigPath?]
    var objects: [ConfigPath: String]
    var value: JsonnetValue
  }

  private let sources: JsonnetSources
  private let settings: Settings
  private let cache: CompileCache
  private var values: [ConfigPath: JsonnetValue] = [:]
  /// Of each value that can be told from what went into it, what that was.
  private var memories: [ConfigPath: Memory] = [:]

  private let deadline: JsonnetDeadline

  init(
    _ tree: SourceTree, _ settings: Settings, _ cache: CompileCache, by deadline: JsonnetDeadline
  ) {
    self.deadline = deadline
    sources = JsonnetSources(tree)
    self.settings = settings
    self.cache = cache
  }

  static func isJsonnet(_ name: String) -> Bool {
    ConfigPath.name(name, endsIn: ".jsonnet")
  }

  /// The value of a file.
  func value(of file: SourceTree.File, named name: String) -> JsonnetValue {
    if values[ConfigPath(escaped: file.path)] == nil { evaluate([(file, name)]) }
    return values[ConfigPath(escaped: file.path)] ?? JsonnetValue()
  }

  /// What the value of a file was made of; nil if nobody can tell.
  func memory(of file: SourceTree.File) -> Memory? { memories[ConfigPath(escaped: file.path)] }

  private func key(of file: SourceTree.File, named name: String) -> Key? {
    file.objectID.map {
      Key(
        path: ConfigPath(escaped: file.path), objectID: $0,
        namespace: ConfigPath(escaped: JsonnetStage.namespace(of: name)), source: settings.name)
    }
  }

  private static func namespace(of name: String) -> String {
    let segments = ConfigPath.segments(of: name)
    return segments.count > 1 ? segments[0] : ""
  }

  /// Evaluates several files at once, which costs much less than one after the other.
  func evaluate(_ files: [(file: SourceTree.File, name: String)]) {
    var programs: [(JsonnetProgram, Key?)] = []
    for (file, name) in files {
      let path = ConfigPath(escaped: file.path)
      let key = key(of: file, named: name)
      if let key, let known = cache.jsonnet(key), isCurrent(known) {
        values[path] = known.value
        memories[path] = known
        continue
      }
      var diagnostics: [Diagnostic] = []
      guard let source = sources.read(file, &diagnostics) else {
        values[path] = JsonnetValue(diagnostics: diagnostics)
        continue
      }
      let variables = [
        ("namespace", JsonnetStage.namespace(of: name)), ("file", file.path),
        ("source", settings.name),
      ]
      programs.append(
        (JsonnetProgram(name: file.path, source: source, variables: variables), key))
    }
    run(programs)
  }

  private func run(_ programs: [(program: JsonnetProgram, key: Key?)]) {
    guard !programs.isEmpty else { return }
    let results = JsonnetEvaluator.evaluate(
      programs.map(\.program), by: deadline, load: sources.load)
    for ((program, key), result) in zip(programs, results) {
      let value = self.value(of: program, result)
      values[ConfigPath(escaped: program.name)] = value
      // What depends on the machine is not remembered.
      if let key, result.isLasting, !value.diagnostics.isUnread { remember(value, key, result) }
    }
  }

  private func value(of program: JsonnetProgram, _ result: JsonnetResult) -> JsonnetValue {
    switch result.value {
    // What the library can't decode while it runs, as std.parseJson does, it gives as U+FFFD.
    case .success(let json) where SourceText.contains(Array("\u{fffd}".utf8), in: json):
      let finding = Diagnostic(
        .jsonnetRuntime, at: SourceSpan(file: program.name),
        "it gives U+FFFD, which stands for a character that could not be read, and is not published",
        hint: "where that character itself is meant, put it into a YAML or JSON file")
      return JsonnetValue(diagnostics: [finding])
    case .success(let json): return JsonnetOutput.read(json, file: program.name)
    case .failure(let failure):
      if let unread = sources.unread { return JsonnetValue(diagnostics: [unread]) }
      let report = JsonnetReport(sources: sources, imports: result.imports)
      return JsonnetValue(diagnostics: [report.diagnostic(of: failure, in: program.name)])
    }
  }

  // MARK: - Memory

  private func remember(_ value: JsonnetValue, _ key: Key, _ result: JsonnetResult) {
    var memory = Memory(imports: [:], objects: [:], value: value)
    for request in result.imports {
      let path = sources.path(of: request)
      memory.imports.updateValue(path, forKey: request)
      guard let path else { continue }
      // Without a name for its bytes nobody can tell whether they are the same.
      guard let object = sources.objectID(at: path) else { return }
      memory.objects[path] = object
    }
    memories[key.path] = memory
    cache.remember(memory, for: key)
  }

  /// Whether nothing that a value was made of has changed, but for the file itself.
  func isCurrent(_ memory: Memory) -> Bool {
    memory.imports.allSatisfy { request, path in
      guard sources.path(of: request) == path else { return false }
      return path.map { sources.objectID(at: $0) == memory.objects[$0] } ?? true
    }
  }
}

extension JsonnetResult {
  /// Whether another run would give the same.
  fileprivate var isLasting: Bool {
    guard case .failure(let failure) = value else { return true }
    return failure.kind != .limit && failure.kind != .unavailable
  }
}
