import ConfigModel
import Jsonnet

/// Compiles a tree from another one that has no error: what differs, and what depends on that.
///
/// Dependents are found by layer, by reference, by import and by schema. Only a tree without errors comes out: as
/// soon as anything is wrong the whole tree is compiled, so that findings are found in one way alone.
///
/// - Complexity: O(*m* log *n*) for *m* files and keys that change and depend on what changes, O(*n* / 256) for
///   the versions of what is kept, and O(*j*) in Jsonnet files, whose imports are all looked at.
struct IncrementalCompiler {
  /// The tree is better compiled as a whole.
  private struct NotPossible: Error {}

  private let state: CompiledState
  private let cache: CompileCache
  private let compiler: UnitCompiler
  private let differences: [SourceTree.Difference]
  private var next: CompiledState
  /// Units that are made anew, or gone.
  private var changed: [ConfigPath: CompiledUnit?] = [:]
  /// Layers and namespaces in which a file is another.
  private var directories: Set<ConfigPath> = []

  init(
    _ state: CompiledState, _ tree: SourceTree, _ cache: CompileCache, by deadline: JsonnetDeadline
  ) {
    self.state = state
    self.cache = cache
    differences = tree.differences(from: state.tree)
    compiler = UnitCompiler(tree, state.settings, cache, by: deadline)
    next = state
    next.tree = tree
  }

  /// The state of the tree; nil if that has to be found by compiling all of it.
  mutating func compile() -> CompiledState? {
    if differences.isEmpty { return next }
    do {
      try compileFiles()
      try compileLayers()
      let keys = try mergeKeys()
      try resolve(changed: keys)
      try checkSchemas()
      try checkLimits()
    } catch {
      return nil
    }
    next.units = next.units.applying(sortedChanges())
    return next
  }

  /// Units that were compiled or checked.
  var unitCount: Int { changed.count }

  private func sortedChanges() -> [(key: ConfigPath, value: CompiledUnit?)] {
    changed.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  private func require(_ condition: Bool) throws {
    guard condition else { throw NotPossible() }
  }

  // MARK: - Files

  private mutating func compileFiles() throws {
    for difference in differences {
      // What nobody has named can't be read as it was before.
      try require(
        difference.path != Settings.fileName && difference.path != Settings.accessFileName
          && (difference.old.map { $0.objectID != nil } ?? true))
      try take(difference)
    }
    // Asked of what this state was made of: the cache may know a later value.
    let stale = next.jsonnet.map(\.value).filter { use in
      use.memory.map { !compiler.jsonnet.isCurrent($0) } ?? true
    }
    compiler.jsonnet.evaluate(stale.map { (file: $0.file.file, name: $0.file.name) })
    for use in stale { try compile(use.file) }
  }

  private mutating func take(_ difference: SourceTree.Difference) throws {
    let old = try difference.old.flatMap { try published($0) }
    let new = try difference.new.flatMap { try published($0) }
    next.fileCount += (new == nil ? 0 : 1) - (old == nil ? 0 : 1)
    if let old {
      if old.isJsonnet { noteJsonnet(nil, at: difference.path) }
      if let directory = compiler.directory(of: old) {
        next.layered.remove(old, from: directory)
        directories.insert(ConfigPath(escaped: directory))
      } else {
        try set(nil, CompiledUnit.name(ofFile: difference.path))
      }
    }
    guard let new else { return }
    try compile(new)
  }

  /// Puts a unit in the place of what is there, or nothing; no more of them than are allowed.
  private mutating func set(_ unit: CompiledUnit?, _ name: ConfigPath) throws {
    let before = changed[name] ?? state.units[name]
    changed.updateValue(unit, forKey: name)
    next.bytes += (unit?.bytes ?? 0) - (before?.bytes ?? 0)
    try require(next.bytes <= CompilerLimits.keySpaceBytes)
  }

  private mutating func noteJsonnet(_ use: JsonnetUse?, at path: String) {
    next.jsonnet = next.jsonnet.applying([(ConfigPath(escaped: path), use)])
  }

  private func published(_ file: SourceTree.File) throws -> PublishedFile? {
    var found: [Diagnostic] = []
    let published = compiler.published(file, &found)
    try require(found.isEmpty)
    return published
  }

  private mutating func compile(_ file: PublishedFile) throws {
    let outcome = compiler.outcome(of: file)
    if file.isJsonnet { noteJsonnet(JsonnetUse(file, compiler.jsonnet), at: file.file.path) }
    switch outcome {
    case .file(let unit, let found):
      try require(found.isEmpty)
      try set(unit, CompiledUnit.name(ofFile: file.file.path))
    case .part(let parsed, let directory):
      try require(parsed.diagnostics.isEmpty)
      next.layered.update(file, parsed, in: directory)
      directories.insert(ConfigPath(escaped: directory))
    }
  }

  // MARK: - Layers

  private mutating func compileLayers() throws {
    guard !state.settings.layers.isEmpty else { return }
    try require(next.layered.uses(by: state.settings.layers) <= CompilerLimits.layeredFiles)
    for namespace in state.settings.layers {
      try require(compiler.missingLayers(of: namespace).isEmpty)
      let isTouched = namespace.directories.contains {
        directories.contains(ConfigPath(escaped: $0))
      }
      guard isTouched else { continue }
      var found: [Diagnostic] = []
      let unit = compiler.compile(namespace, next.layered, &found)
      try require(found.isEmpty)
      let name = CompiledUnit.name(ofNamespace: namespace.namespace)
      try set(unit, name)
    }
  }

  // MARK: - Keys

  /// - Returns: the keys whose value may be another.
  private mutating func mergeKeys() throws -> [ConfigPath] {
    var edits: [ConfigPath: CompiledItem?] = [:]
    for name in changed.keys {
      for item in state.units[name]?.items ?? [] { edits.updateValue(nil, forKey: item.path) }
    }
    for unit in changed.values.compactMap(\.self) {
      for item in unit.items {
        // Another unit gives it, or this one gives it twice.
        let isTaken = edits[item.path].map { $0 != nil } ?? (state.keys.items[item.path] != nil)
        try require(!isTaken && !item.path.isReserved)
        edits.updateValue(item, forKey: item.path)
      }
    }
    let sorted = edits.sorted { $0.key < $1.key }
    next.keys.items = state.keys.items.applying(sorted.map { ($0.key, $0.value?.published) })
    next.keys.special = state.keys.special.applying(
      sorted.map { path, item in (path, item.flatMap { $0.isSpecial ? $0 : nil }) })
    for (path, item) in sorted where item != nil && state.keys.items[path] == nil {
      try require(next.keys.valueAbove(path) == nil && next.keys.firstBelow(path) == nil)
    }
    return sorted.filter { path, item in !isSame(item, at: path) }.map(\.key)
  }

  /// Whether a key says the same as before to who refers to it.
  private func isSame(_ item: CompiledItem?, at path: ConfigPath) -> Bool {
    guard let item, !item.isSpecial, state.keys.special[path] == nil,
      let old = state.keys.items[path]
    else { return false }
    return old == item.published
  }

  // MARK: - References

  private mutating func resolve(changed keys: [ConfigPath]) throws {
    let dependents = state.links.reading(keys)
    let gone = dependents.union(keys.filter { state.links.units[$0] != nil })
    var open: [ConfigPath: ConfigPath] = [:]
    for item in dependents where changed[state.links.units[item] ?? .root] == nil {
      open[item] = state.links.units[item]
    }
    for (name, unit) in changed {
      for item in unit?.items ?? [] where item.open != nil { open[item.path] = name }
    }
    guard !gone.isEmpty || !open.isEmpty else { return }
    var resolver = ReferenceResolver(next.keys, state.settings)
    next.keys = resolver.resolve(open.keys.sorted().compactMap { next.keys.special[$0] })
    try require(resolver.diagnostics.isEmpty)
    next.resolvedBytes += resolver.bytesMade
    // What was looked at on the way has not changed.
    let reads = resolver.reads.filter { open[$0.key] != nil }
    next.links.update(gone: gone, reads: reads, units: open)
    // Their schemas look at them again.
    for name in Set(open.values) where changed[name] == nil {
      changed.updateValue(state.units[name], forKey: name)
    }
  }

  // MARK: - Schemas

  private mutating func checkSchemas() throws {
    if var identifiers = state.schemas.identifiers {
      identifiers.update(differences, cache)
      try require(identifiers == state.schemas.identifiers && identifiers.unread.isEmpty)
    }
    var stage = SchemaStage(
      SchemaShelf(next.tree, cache, identifiers: state.schemas.identifiers), cache)
    try addUsers(of: stage)
    var resolver = ReferenceResolver(next.keys, state.settings)
    var changes: [(name: ConfigPath, old: CompiledUnit?, new: CompiledUnit?)] = []
    for (name, value) in sortedChanges() {
      var unit = value
      unit?.check(&stage, &resolver)
      changed.updateValue(unit, forKey: name)
      changes.append((name, state.units[name], unit))
    }
    let found = stage.diagnostics + changes.flatMap { $0.new?.checks.flatMap(\.diagnostics) ?? [] }
    try require(!found.hasErrors && resolver.diagnostics.isEmpty)
    next.resolvedBytes += resolver.bytesMade
    next.schemas.update(changes)
    next.schemas.identifiers = stage.shelf.knownIdentifiers
    try require(next.schemas.identifiers?.unread.isEmpty ?? true)
  }

  /// Units that are checked by a schema which has changed, or by what that refers to.
  private mutating func addUsers(of stage: SchemaStage) throws {
    let stale = Set(
      state.schemas.all.filter { stage.shelf.schema(at: $0.path) !== $0 }.map(ObjectIdentifier.init)
    )
    guard !stale.isEmpty else { return }
    for (name, unit) in state.units where changed[name] == nil {
      let isUser = unit.checks.contains { check in
        check.schemas.contains { stale.contains(ObjectIdentifier($0)) }
      }
      if isUser { changed.updateValue(unit, forKey: name) }
    }
  }

  // MARK: - Limits

  /// Whatever is beyond a limit is reported by who compiles the whole tree.
  private func checkLimits() throws {
    try require(
      next.fileCount <= CompilerLimits.files && next.keys.items.count <= state.settings.maximumKeys
        && !compiler.hasTooManyPatterns(forPathBytes: next.tree.pathBytes)
        && next.resolvedBytes <= CompilerLimits.resolvedBytes
        && next.schemas.steps < CompilerLimits.schemaSteps)
  }
}
