import ConfigModel

/// A tree that was compiled without an error, with all that the next one is compiled from.
///
/// Versions share what they have in common, so that several cost little more than one.
struct CompiledState: Sendable {
  var tree: SourceTree
  let settings: Settings
  var units: SortedMap<ConfigPath, CompiledUnit>
  var layered: LayerFiles
  /// By the path of the file.
  var jsonnet: SortedMap<ConfigPath, JsonnetUse>
  /// With the bytes of all, but those with references in `special` as they are written.
  var keys: MergedKeys
  var links: ReferenceLinks
  var schemas: SchemaUses
  var fileCount: Int
  /// Bytes that references have made; at most as many are made by a compilation of the whole tree.
  var resolvedBytes: Int
  /// Of keys and values, before references.
  var bytes: Int

  var compilation: Compilation {
    Compilation(
      settings: settings, keySpace: KeySpace(items: keys.items),
      diagnostics: schemas.diagnostics.sortedByPlace(), fileCount: fileCount)
  }
}

/// A Jsonnet file, and what its value in this state was made of; nil if nobody can tell, so that it is made again.
struct JsonnetUse: Sendable {
  var file: PublishedFile
  var memory: JsonnetStage.Memory?

  init(_ file: PublishedFile, _ stage: JsonnetStage) {
    self.file = file
    memory = stage.memory(of: file.file)
  }
}

/// Which items read which keys by reference.
struct ReferenceLinks: Sendable {
  /// Of each item with references, the unit that gives it.
  var units = SortedMap<ConfigPath, ConfigPath>([])
  /// Of each such item, the keys that it names.
  var targets = SortedMap<ConfigPath, Set<ConfigPath>>([])
  /// Of each key that is named, the items that name it.
  var readers = SortedMap<ConfigPath, Set<ConfigPath>>([])

  /// The items that lead to one of the keys, however many references lie between.
  func reading(_ keys: some Sequence<ConfigPath>) -> Set<ConfigPath> {
    var found: Set<ConfigPath> = []
    var open = Array(keys)
    while let key = open.popLast() {
      for reader in readers[key] ?? [] where found.insert(reader).inserted { open.append(reader) }
    }
    return found
  }

  /// Replaces what the items of some units name.
  ///
  /// - Parameters:
  ///   - gone: items that are there no more, or name other keys now.
  ///   - reads: what they and new ones name.
  mutating func update(
    gone: Set<ConfigPath>, reads: [ConfigPath: Set<ConfigPath>], units new: [ConfigPath: ConfigPath]
  ) {
    var changed: [ConfigPath: Set<ConfigPath>] = [:]
    for item in gone {
      for target in targets[item] ?? [] {
        changed[target, default: readers[target] ?? []].remove(item)
      }
    }
    for (item, named) in reads {
      for target in named { changed[target, default: readers[target] ?? []].insert(item) }
    }
    readers = readers.applying(
      changed.sorted { $0.key < $1.key }.map { ($0, $1.isEmpty ? nil : $1) })
    let items = gone.union(reads.keys).union(new.keys).sorted()
    targets = targets.applying(items.map { ($0, reads[$0]) })
    units = units.applying(items.map { ($0, new[$0]) })
  }
}

/// Which schemas check which documents, and what they had to say that is no error.
struct SchemaUses: Sendable {
  private struct Use: Sendable {
    var schema: LoadedSchema
    var count: Int
  }

  /// By the path of the schema.
  private var uses: [ConfigPath: Use] = [:]
  /// Of each unit what was said of its documents, where that is anything.
  private var remarks = SortedMap<ConfigPath, [Diagnostic]>([])
  /// Nil as long as no schema is looked for by its `$id`.
  var identifiers: SchemaIdentifiers?
  private(set) var steps = 0

  var all: [LoadedSchema] { uses.values.map(\.schema) }

  /// Sorted by nothing; each once.
  var diagnostics: [Diagnostic] {
    (uses.values.flatMap(\.schema.diagnostics) + remarks.flatMap(\.value))
      .sortedByPlace().uniqueFindings()
  }

  /// Takes the checks of some units in the place of what they were before.
  mutating func update(_ changes: [(name: ConfigPath, old: CompiledUnit?, new: CompiledUnit?)]) {
    for change in changes {
      for check in change.old?.checks ?? [] { count(check, by: -1) }
    }
    for change in changes {
      for check in change.new?.checks ?? [] { count(check, by: 1) }
    }
    remarks = remarks.applying(
      changes.map { change in
        let found = change.new?.checks.flatMap(\.diagnostics) ?? []
        return (change.name, found.isEmpty ? nil : found)
      })
  }

  private mutating func count(_ check: DocumentCheck, by one: Int) {
    steps += one * check.steps
    for schema in check.schemas {
      let old = uses[schema.path]?.count ?? 0
      uses[schema.path] = old + one > 0 ? Use(schema: schema, count: old + one) : nil
    }
  }
}

extension CompiledState {
  /// What a compilation of a whole tree has made.
  struct Parts {
    var units: [(name: ConfigPath, unit: CompiledUnit)]
    var layered: LayerFiles
    var jsonnet: [JsonnetUse]
    var keys: MergedKeys
    var resolver: ReferenceResolver
    var schemas: SchemaStage
  }

  init(_ tree: SourceTree, _ compilation: Compilation, _ parts: Parts) {
    self.tree = tree
    settings = compilation.settings
    units = SortedMap(parts.units.map { (key: $0.name, value: $0.unit) })
    layered = parts.layered
    jsonnet = SortedMap(parts.jsonnet.map { (ConfigPath(escaped: $0.file.file.path), $0) })
    keys = parts.keys
    fileCount = compilation.fileCount
    resolvedBytes = parts.resolver.bytesMade
    bytes = parts.units.reduce(0) { $0 + $1.unit.bytes }
    links = ReferenceLinks()
    var openUnits: [ConfigPath: ConfigPath] = [:]
    if !keys.special.isEmpty {
      for (name, unit) in parts.units {
        for item in unit.items where item.open != nil { openUnits[item.path] = name }
      }
    }
    links.update(gone: [], reads: parts.resolver.reads, units: openUnits)
    schemas = SchemaUses()
    schemas.identifiers = parts.schemas.shelf.knownIdentifiers
    schemas.update(
      units.compactMap { name, unit in
        unit.checks.isEmpty ? nil : (name: name, old: nil, new: unit)
      })
  }
}
