import ConfigModel
import Jsonnet
import Synchronization

/// From a whole tree to its key space, without what depends on other commits.
struct TreeCompiler {
  private let tree: SourceTree
  private let cache: CompileCache
  private let deadline: JsonnetDeadline
  private var diagnostics: [Diagnostic] = []
  private var fileCount = 0
  /// Of the keys and values so far.
  private var bytes = 0
  private var units: [(name: ConfigPath, unit: CompiledUnit)] = []
  private var layered = LayerFiles()
  private var jsonnet: [PublishedFile] = []
  /// What the next tree is compiled from; nil if there is an error.
  private(set) var state: CompiledState?

  private let keySpaceBytes: Int

  init(
    tree: SourceTree, cache: CompileCache, deadline: JsonnetDeadline,
    keySpaceBytes: Int = CompilerLimits.keySpaceBytes
  ) {
    self.keySpaceBytes = keySpaceBytes
    self.tree = tree
    self.cache = cache
    self.deadline = deadline
  }

  mutating func compile() -> Compilation {
    let settings = SettingsReader.read(tree, &diagnostics)
    if let access = tree.file(at: Settings.accessFileName) {
      refuse(access, "access.yaml is not supported by this version")
    }
    guard !diagnostics.hasErrors else {
      return Compilation(
        settings: settings, keySpace: nil, diagnostics: diagnostics.sortedByPlace(), fileCount: 0)
    }
    let compiler = UnitCompiler(
      tree, settings, cache, by: deadline, keySpaceBytes: keySpaceBytes)
    var merger = KeyMerger()
    if compileFiles(compiler, into: &merger) { compileLayers(compiler, into: &merger) }
    // What a malformed file would have given may be what is referred to.
    let isComplete = !diagnostics.hasErrors
    let merged = merger.merge()
    checkCount(merged.items.count, settings)
    diagnostics += merger.diagnostics
    var schemas = SchemaStage(SchemaShelf(tree, cache), cache)
    var resolver = ReferenceResolver(merged, settings)
    let resolved = isComplete ? resolver.resolve() : merged
    checkDocuments(&schemas, &resolver, isComplete: isComplete)
    diagnostics += resolver.diagnostics + (schemas.shelf.knownIdentifiers?.unread ?? [])
    let isPlain = diagnostics.isEmpty
    let found = units.flatMap { $0.unit.checks.flatMap(\.diagnostics) } + schemas.diagnostics
    diagnostics += found.uniqueFindings()
    let isValid = !diagnostics.hasErrors
    let compilation = Compilation(
      settings: settings, keySpace: isValid ? KeySpace(items: resolved.items) : nil,
      diagnostics: diagnostics.sortedByPlace(), fileCount: fileCount)
    if isValid, isPlain {
      state = CompiledState(
        tree, compilation,
        CompiledState.Parts(
          units: units, layered: layered, jsonnet: jsonnet.map { JsonnetUse($0, compiler.jsonnet) },
          keys: resolved, resolver: resolver,
          schemas: schemas))
    }
    return compilation
  }

  private mutating func checkCount(_ count: Int, _ settings: Settings) {
    guard count > settings.maximumKeys else { return }
    diagnostics.append(
      Diagnostic(
        .limitKeys, at: SourceSpan(file: Settings.fileName),
        "the repository gives \(count) keys, more than \(settings.maximumKeys)",
        hint: "raise limits.maxKeys in configsync.yaml"))
  }

  private mutating func refuse(_ file: SourceTree.File, _ message: String) {
    diagnostics.append(
      Diagnostic(
        .featureUnsupported, at: SourceSpan(file: file.path), message,
        hint: "it is refused, not ignored: what it asks for would not be done"))
  }

  // MARK: - Files

  /// The files that are published, no more of them than are allowed.
  private mutating func publishedFiles(_ compiler: UnitCompiler) -> [PublishedFile] {
    guard !compiler.hasTooManyPatterns(forPathBytes: tree.pathBytes) else {
      reportTooMuch(
        "comparing the paths with the patterns takes more than \(CompilerLimits.patternSteps) steps",
        hint: "have fewer patterns, or shorter ones, under 'files' and 'policies'")
      return []
    }
    var files: [PublishedFile] = []
    for file in tree.files {
      guard let published = compiler.published(file, &diagnostics) else { continue }
      fileCount += 1
      if fileCount <= CompilerLimits.files {
        files.append(published)
      } else if fileCount == CompilerLimits.files + 1 {
        diagnostics.append(
          Diagnostic(
            .limitFiles, at: SourceSpan(file: file.path),
            "the repository publishes more than \(CompilerLimits.files) files"))
      }
    }
    return files
  }

  /// A file of no layer gives its keys by itself; the others are put by for `compileLayers`.
  ///
  /// - Returns: whether the files do not give too much: then nothing is known of any.
  private mutating func compileFiles(
    _ compiler: UnitCompiler, into merger: inout KeyMerger
  ) -> Bool {
    let files = publishedFiles(compiler)
    jsonnet = files.filter(\.isJsonnet)
    compiler.jsonnet.evaluate(jsonnet.map { (file: $0.file, name: $0.name) })
    let budget = KeySpaceBudget(bytes: keySpaceBytes)
    // Files that need no evaluator share nothing that changes; its values are looked up one after the other.
    nonisolated(unsafe) let shared = compiler
    var outcomes = files.inParallel { file -> UnitCompiler.Outcome? in
      file.isJsonnet || budget.isExceeded ? nil : budget.take(shared.outcome(of: file))
    }
    for (index, file) in files.enumerated() where file.isJsonnet && !budget.isExceeded {
      outcomes[index] = budget.take(compiler.outcome(of: file))
    }
    // Which files were left out depends on the threads: so nothing is said of any.
    guard !budget.isExceeded else {
      reportTooManyBytes()
      return false
    }
    units.reserveCapacity(files.count)
    for (file, outcome) in zip(files, outcomes) {
      switch outcome {
      case .file(let unit, let found):
        diagnostics += found
        merger.add(unit.items)
        bytes += unit.bytes
        units.append((CompiledUnit.name(ofFile: file.file.path), unit))
      case .part(let parsed, let directory):
        diagnostics += parsed.diagnostics
        layered.update(file, parsed, in: directory)
      case nil: break
      }
    }
    return true
  }

  // MARK: - Layers

  private mutating func compileLayers(_ compiler: UnitCompiler, into merger: inout KeyMerger) {
    let settings = compiler.settings
    // Before anything is made of them: a few files below many namespaces are many.
    guard layered.uses(by: settings.layers) <= CompilerLimits.layeredFiles else {
      return reportTooMuch(
        "the namespaces use files of layers more than \(CompilerLimits.layeredFiles) times",
        hint: "have fewer namespaces, or fewer files in the layers below them")
    }
    var found: [Diagnostic] = []
    for namespace in settings.layers {
      for layer in compiler.missingLayers(of: namespace) {
        diagnostics.append(
          Diagnostic(
            .configInvalid, at: layer.span, "the layer '\(layer.directory)' has no files",
            hint: "layers are directories under the root of the configuration"))
      }
      // So are the keys, of which no more is made than needed to say that they are too many.
      guard merger.count <= settings.maximumKeys else { break }
      let unit = compiler.compile(namespace, layered, &found)
      merger.add(unit.items)
      units.append((CompiledUnit.name(ofNamespace: namespace.namespace), unit))
      bytes += unit.bytes
      guard bytes <= keySpaceBytes else {
        reportTooManyBytes()
        break
      }
    }
    diagnostics += found.uniqueByPlace()
  }

  private mutating func reportTooManyBytes() {
    reportTooMuch(
      "the keys and values have more than \(keySpaceBytes) bytes together",
      hint:
        "publish less: have fewer aliases, shorter names of maps, or fewer namespaces above layers")
  }

  private mutating func reportTooMuch(_ message: String, hint: String) {
    diagnostics.append(
      Diagnostic(.limitFiles, at: SourceSpan(file: Settings.fileName), message, hint: hint))
  }

  // MARK: - Schemas

  /// - Parameter isComplete: whether the references could be resolved.
  private mutating func checkDocuments(
    _ schemas: inout SchemaStage, _ resolver: inout ReferenceResolver, isComplete: Bool
  ) {
    for index in units.indices where !units[index].unit.documents.isEmpty {
      units[index].unit.check(&schemas, &resolver, isComplete: isComplete)
    }
  }
}

/// Counts what files give while several threads compile them.
private final class KeySpaceBudget: Sendable {
  private let used = Atomic<Int>(0)
  private let bytes: Int

  init(bytes: Int) { self.bytes = bytes }

  var isExceeded: Bool { used.load(ordering: .relaxed) > bytes }

  func take(_ outcome: UnitCompiler.Outcome) -> UnitCompiler.Outcome {
    if case .file(let unit, _) = outcome { used.add(unit.bytes, ordering: .relaxed) }
    return outcome
  }
}
