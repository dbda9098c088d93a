import ConfigModel
import Jsonnet

/// Compiles the units of one tree: what each gives depends on nothing but itself, the settings, and what Jsonnet
/// imports.
struct UnitCompiler {
  let tree: SourceTree
  let settings: Settings
  let jsonnet: JsonnetStage
  private let cache: CompileCache
  private let rules: PublishingRules
  private let directories: LayerDirectories
  /// Of keys and values together.
  private let keySpaceBytes: Int

  init(
    _ tree: SourceTree, _ settings: Settings, _ cache: CompileCache, by deadline: JsonnetDeadline,
    keySpaceBytes: Int = CompilerLimits.keySpaceBytes
  ) {
    self.keySpaceBytes = keySpaceBytes
    self.tree = tree
    self.settings = settings
    self.cache = cache
    jsonnet = JsonnetStage(tree, settings, cache, by: deadline)
    rules = PublishingRules(settings: settings)
    directories = LayerDirectories(settings.layers)
  }

  // MARK: - Files

  /// The file and how it is published; nil if it is not.
  func published(_ file: SourceTree.File, _ diagnostics: inout [Diagnostic]) -> PublishedFile? {
    guard let name = rules.name(of: file) else { return nil }
    let rule = rules.rule(for: name)
    guard rule?.isIgnored != true,
      PathCheck.isUsable(file, isWanted: rules.isWanted(name, by: rule), &diagnostics),
      let encoding = rules.encoding(of: name, by: rule)
    else { return nil }
    return PublishedFile(file: file, name: name, encoding: encoding, schema: rule?.schema)
  }

  /// What a file gives alone, or to the layers that it is part of.
  enum Outcome: Sendable {
    case file(CompiledUnit, [Diagnostic])
    case part(ParsedFile, directory: String)
  }

  func outcome(of file: PublishedFile) -> Outcome {
    if let directory = directory(of: file) { return .part(parse(file), directory: directory) }
    let compiled = compile(file)
    return .file(CompiledUnit(compiled), compiled.diagnostics)
  }

  /// Whether there are too many files and patterns for each path to be compared with each pattern.
  ///
  /// - Parameter pathBytes: of all paths together.
  func hasTooManyPatterns(forPathBytes pathBytes: Int) -> Bool {
    pathBytes > CompilerLimits.patternSteps / max(1, rules.patternLength)
  }

  /// The directory of a layer, or of a namespace with layers, that a file belongs to.
  func directory(of file: PublishedFile) -> String? { directories.directory(of: file.name) }

  /// A file of such a directory: what it gives depends on the others.
  func parse(_ file: PublishedFile) -> ParsedFile {
    cache.parsed(key(of: file), bytes: file.file.byteCount) { read(file) }
  }

  /// A file that gives its keys by itself.
  func compile(_ file: PublishedFile) -> CompiledFile {
    let key = key(of: file)
    return cache.file(key, bytes: file.file.byteCount) {
      let parsed = read(file)
      var compiled = CompiledFile()
      let path = Flattener.path(of: file.name, encoding: file.encoding, under: settings.prefix)
      let schemas = (file.schema ?? parsed.schema).map { [$0] } ?? []
      if let document = Document(file, parsed, at: path, schemas: schemas) {
        compiled = Flattener.flatten(document, settings)
        // Here, where several threads work, rather than where all keys are joined.
        compiled.items.sort { $0.path < $1.path }
        if !schemas.isEmpty { compiled.checked = CheckedDocument(document, key: key) }
      }
      compiled.diagnostics = parsed.diagnostics + compiled.diagnostics
      return compiled
    }
  }

  private func read(_ file: PublishedFile) -> ParsedFile {
    func read() -> ParsedFile {
      FileReader.read(file.file, named: file.name, encoding: file.encoding, settings, jsonnet)
    }
    guard file.encoding != .raw, !file.isJsonnet else { return read() }
    return cache.structured(file.file, read: read)
  }

  private func key(of file: PublishedFile) -> CompileCache.Key? {
    // What it gives depends on what it imports: that is remembered where it's evaluated.
    guard !file.isJsonnet else { return nil }
    return file.file.objectID.map { id in
      CompileCache.Key(
        path: ConfigPath(escaped: file.file.path), objectID: id, encoding: file.encoding,
        prefix: settings.prefix, root: ConfigPath(escaped: settings.root),
        maximumValueBytes: settings.maximumValueBytes, schema: file.schema)
    }
  }

  // MARK: - Layers

  /// Layers that the tree has nothing of.
  func missingLayers(of namespace: Settings.NamespaceLayers) -> [Settings.Layer] {
    namespace.layers.filter { !directories.isThere($0.directory, in: tree, settings) }
  }

  /// What a namespace gives with its layers, up to the first document that is beyond the limit of bytes.
  func compile(
    _ namespace: Settings.NamespaceLayers, _ files: LayerFiles, _ diagnostics: inout [Diagnostic]
  ) -> CompiledUnit {
    var joined = LayeredNamespace(namespace.namespace, settings)
    for directory in namespace.directories { joined.add(files[directory], of: directory) }
    var unit = CompiledUnit()
    for document in joined.documents(&diagnostics) {
      let compiled = Flattener.flatten(document, settings)
      diagnostics += compiled.diagnostics
      unit.add(compiled.items, document.schemas.isEmpty ? nil : CheckedDocument(document))
      if unit.bytes > keySpaceBytes { break }
    }
    return unit
  }
}

/// The files of layers, and of the namespaces above them, by directory.
struct LayerFiles: Sendable {
  /// By the bytes of the directory, each sorted by path.
  private var byDirectory: [ConfigPath: [(file: PublishedFile, parsed: ParsedFile)]] = [:]

  var isEmpty: Bool { byDirectory.isEmpty }

  subscript(_ directory: String) -> [(file: PublishedFile, parsed: ParsedFile)] {
    byDirectory[ConfigPath(escaped: directory)] ?? []
  }

  func count(in directory: String) -> Int { self[directory].count }

  /// Adds a file, or puts it in the place of the one at its path.
  mutating func update(_ file: PublishedFile, _ parsed: ParsedFile, in directory: String) {
    let path = ConfigPath(escaped: file.file.path)
    var files = byDirectory.removeValue(forKey: ConfigPath(escaped: directory)) ?? []
    // Mostly they come in order.
    let place = files.lastIndex { ConfigPath(escaped: $0.file.file.path) <= path }
    if let place, ConfigPath(escaped: files[place].file.file.path) == path {
      files[place] = (file, parsed)
    } else {
      files.insert((file, parsed), at: place.map { $0 + 1 } ?? 0)
    }
    byDirectory[ConfigPath(escaped: directory)] = files
  }

  mutating func remove(_ file: PublishedFile, from directory: String) {
    let path = ConfigPath(escaped: file.file.path)
    byDirectory[ConfigPath(escaped: directory)]?.removeAll {
      ConfigPath(escaped: $0.file.file.path) == path
    }
    if count(in: directory) == 0 { byDirectory[ConfigPath(escaped: directory)] = nil }
  }

  /// How often a file is used by a namespace, over all of them.
  func uses(by namespaces: [Settings.NamespaceLayers]) -> Int {
    namespaces.reduce(0) { sum, namespace in
      sum + namespace.directories.reduce(0) { $0 + count(in: $1) }
    }
  }
}

/// Whether a file may be read at all.
enum PathCheck {
  static func isUsable(
    _ file: SourceTree.File, isWanted: Bool, _ diagnostics: inout [Diagnostic]
  ) -> Bool {
    let place = SourceSpan(file: file.path)
    switch file.kind {
    case .file: break
    case .symlink:
      diagnostics.append(
        Diagnostic(
          .fileSymlink, at: place, "a symbolic link can't be published",
          hint: "put the file itself here, or leave it out with 'ignore: true' under 'files'"))
      return false
    case .submodule:
      diagnostics.append(
        Diagnostic(
          .fileSubmodule, at: place, "a submodule can't be published",
          hint: "leave it out with 'ignore: true' under 'files'"))
      return false
    }
    guard isWanted, !isGood(file.path) else { return true }
    diagnostics.append(
      Diagnostic(
        .pathInvalid, at: place, "the path can't become a key",
        hint: "names are UTF-8 of at most \(CompilerLimits.nameBytes) bytes, without control "
          + "characters or '\\'"))
    return false
  }

  private static func isGood(_ path: String) -> Bool {
    let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    return path.utf8.count <= CompilerLimits.pathBytes && parts.count <= CompilerLimits.pathDepth
      && parts.allSatisfy { part in
        !part.isEmpty && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
          && part.count <= CompilerLimits.nameBytes
      }
      && path.unicodeScalars.allSatisfy { scalar in
        scalar.value >= 0x20 && scalar.value != 0x7f && scalar != "\\" && scalar.value != 0xfffd
      }
  }
}
