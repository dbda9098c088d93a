public import ConfigModel
import Jsonnet

/// What became of a tree.
public struct Compilation: Sendable {
  public var settings: Settings
  /// nil if there is an error.
  public var keySpace: KeySpace?
  /// Sorted by place.
  public var diagnostics: [Diagnostic]
  /// Files that are published, or were to be.
  public var fileCount: Int

  /// Why it could not be found out whether the tree is valid: that is no fault of the tree, and no answer.
  public var unknown: Diagnostic? {
    diagnostics.first { $0.code == .jsonnetUnavailable || $0.code == .historyUnknown }
  }
}

/// Compiles the files of a commit into its key space: the same bytes give the same result.
///
/// Reads no clock, environment, network or file but the tree's. Every finding of every file is
/// reported in one run.
///
/// - Parameter history: who changes what, for owners, and for policies about the change itself.
/// - Complexity: O(bytes) of the files that `cache` does not know, and O(*n* log *n*) in keys.
public func compile(
  _ tree: SourceTree, after history: CommitHistory = .none, cache: CompileCache = CompileCache()
) -> Compilation {
  let deadline = JsonnetDeadline()
  var compilation = compileValues(tree, cache, by: deadline)
  guard let keySpace = compilation.keySpace else { return compilation }
  let settings = compilation.settings
  switch history.last(before: settings, cache, by: JsonnetDeadline()) {
  case .unknown(let reason):
    compilation.diagnostics.append(
      Diagnostic(
        .historyUnknown, at: SourceSpan(file: Settings.fileName),
        "policies and owners can't be asked, since nobody can tell what was before: \(reason)",
        hint: "are the commits before this one in the clone? 'git fetch --deepen 50' fetches them"))
  case .nothing: compilation.check(keySpace, in: tree, after: nil, by: history.author, deadline)
  case .known(let last):
    compilation.check(keySpace, in: tree, after: last, by: history.author, deadline)
  }
  if compilation.diagnostics.hasErrors { compilation.keySpace = nil }
  return compilation
}

/// The same without what depends on other commits: policies and owners are not asked.
public func compileValues(
  _ tree: SourceTree, cache: CompileCache = CompileCache()
) -> Compilation {
  compileValues(tree, cache, by: JsonnetDeadline())
}

func compileValues(
  _ tree: SourceTree, _ cache: CompileCache, by deadline: JsonnetDeadline
) -> Compilation {
  var compiler = TreeCompiler(tree: tree, cache: cache, deadline: deadline)
  return compiler.compile()
}

extension Compilation {
  /// Asks owners and policies.
  fileprivate mutating func check(
    _ keySpace: KeySpace, in tree: SourceTree, after last: CommitHistory.Published?,
    by author: String?, _ deadline: JsonnetDeadline
  ) {
    var owners = OwnerStage(settings, tree)
    owners.check(keySpace, after: last, by: author)
    var policies = PolicyStage(tree, settings, by: deadline)
    policies.check(keySpace, previous: last?.keySpace ?? .empty)
    diagnostics = (diagnostics + owners.diagnostics + policies.diagnostics).sortedByPlace()
  }
}

/// From a tree to its key space, without what depends on other commits.
struct TreeCompiler {
  let tree: SourceTree
  let cache: CompileCache
  var settings = Settings()
  var diagnostics: [Diagnostic] = []
  var fileCount = 0
  /// Files of layers and of namespaces that have some, by the bytes of their directory.
  var layered: [[UInt8]: [(PublishedFile, ParsedFile)]] = [:]
  var directories = LayerDirectories([])
  private var schemas: SchemaStage
  private var jsonnet: JsonnetStage
  /// Documents that are checked once their references are resolved.
  private var open: [Document] = []

  private let deadline: JsonnetDeadline

  init(tree: SourceTree, cache: CompileCache, deadline: JsonnetDeadline) {
    self.tree = tree
    self.cache = cache
    self.deadline = deadline
    schemas = SchemaStage(tree, cache)
    jsonnet = JsonnetStage(tree, settings, cache, by: deadline)
  }

  mutating func compile() -> Compilation {
    settings = SettingsReader.read(tree, &diagnostics)
    directories = LayerDirectories(settings.layers)
    if let access = tree.file(at: "access.yaml") {
      refuse(access, "access.yaml is not supported by this version")
    }
    var keySpace: KeySpace?
    if !diagnostics.hasErrors {
      var merger = KeyMerger()
      jsonnet = JsonnetStage(tree, settings, cache, by: deadline)
      let files = tree.files.compactMap { published($0) }
      jsonnet.evaluate(
        files.filter(\.isJsonnet).map { (file: $0.file, name: $0.name) })
      for file in files { compile(file, into: &merger) }
      compileLayers(into: &merger)
      // What a malformed file would have given may be what is referred to.
      let isComplete = !diagnostics.hasErrors
      merger.checkFolders()
      diagnostics += merger.diagnostics
      checkCount(merger.items.count)
      if isComplete {
        var resolver = ReferenceResolver(merger.items, settings)
        merger.items = resolver.resolve()
        for document in open {
          if let resolved = resolver.resolved(document) { schemas.check(resolved) }
        }
        diagnostics += resolver.diagnostics
      }
      diagnostics += schemas.diagnostics.uniqueFindings()
      if !diagnostics.hasErrors { keySpace = merger.keySpace }
    }
    return Compilation(
      settings: settings, keySpace: keySpace, diagnostics: diagnostics.sortedByPlace(),
      fileCount: fileCount)
  }

  private mutating func checkCount(_ count: Int) {
    guard count > settings.maximumKeys else { return }
    diagnostics.append(
      Diagnostic(
        .limitKeys, at: SourceSpan(file: Settings.fileName),
        "the repository gives \(count) keys, more than \(settings.maximumKeys)",
        hint: "raise limits.maxKeys in configsync.yaml"))
  }

  /// A file of no layer gives its keys by itself; the others are put by for `compileLayers`.
  private mutating func compile(_ published: PublishedFile, into merger: inout KeyMerger) {
    let key = cacheKey(of: published)
    if let directory = directories.directory(of: published.name) {
      let parsed = cache.parsed(key) { read(published) }
      diagnostics += parsed.diagnostics
      layered[Array(directory.utf8), default: []].append((published, parsed))
      return
    }
    let compiled = cache.file(key) {
      let parsed = read(published)
      var compiled = CompiledFile()
      let path = Flattener.path(
        of: published.name, encoding: published.encoding, under: settings.prefix)
      let schemas = PublishingRules(settings: settings).schemas(of: published.name, parsed.schema)
      if let document = Document(published, parsed, at: path, schemas: schemas) {
        compiled = Flattener.flatten(document, settings)
        if !schemas.isEmpty { compiled.checked = document }
      }
      compiled.diagnostics = parsed.diagnostics + compiled.diagnostics
      return compiled
    }
    diagnostics += compiled.diagnostics
    merger.add(compiled.items)
    if let document = compiled.checked { check(document, key: key) }
  }

  /// Checks a document by its schemas, now or once its references are resolved.
  private mutating func check(_ document: Document, key: CompileCache.Key?) {
    if document.isOpen { open.append(document) } else { schemas.check(document.closed, key: key) }
  }

  private func read(_ file: PublishedFile) -> ParsedFile {
    FileReader.read(file.file, named: file.name, encoding: file.encoding, settings, jsonnet)
  }

  private func cacheKey(of file: PublishedFile) -> CompileCache.Key? {
    // What it gives depends on what it imports: that is remembered where it's evaluated.
    guard !file.isJsonnet else { return nil }
    return file.file.objectID.map { id in
      CompileCache.Key(
        path: ConfigPath(escaped: file.file.path), objectID: id, encoding: file.encoding,
        prefix: settings.prefix, root: ConfigPath(escaped: settings.root),
        maximumValueBytes: settings.maximumValueBytes,
        schema: PublishingRules(settings: settings).rule(for: file.name)?.schema)
    }
  }

  private mutating func compileLayers(into merger: inout KeyMerger) {
    var found: [Diagnostic] = []
    let uses = settings.layers.reduce(0) { sum, entry in
      sum
        + (entry.layers.map(\.directory) + [entry.namespace]).reduce(0) { sum, directory in
          sum + (layered[Array(directory.utf8)]?.count ?? 0)
        }
    }
    // Before anything is made of them: a few files below many namespaces are many.
    guard uses <= CompilerLimits.layeredFiles else {
      return reportTooMuch(
        "the namespaces use files of layers more than \(CompilerLimits.layeredFiles) times")
    }
    var bytes = 0
    for (namespace, layers) in settings.layers {
      for layer in layers where layered[Array(layer.directory.utf8)] == nil {
        guard !directories.isThere(layer.directory, in: tree, settings) else { continue }
        diagnostics.append(
          Diagnostic(
            .configInvalid, at: layer.span, "the layer '\(layer.directory)' has no files",
            hint: "layers are directories under the root of the configuration"))
      }
      // So are the keys, of which no more is made than needed to say that they are too many.
      guard merger.items.count <= settings.maximumKeys else { break }
      var joined = LayeredNamespace(namespace, settings)
      for directory in layers.map(\.directory) + [namespace] {
        joined.add(layered[Array(directory.utf8)] ?? [], of: directory)
      }
      for document in joined.documents(&found) {
        let compiled = Flattener.flatten(document, settings)
        found += compiled.diagnostics
        bytes += compiled.items.reduce(0) { $0 + $1.value.count }
        merger.add(compiled.items)
        if !document.schemas.isEmpty { check(document, key: nil) }
      }
      guard bytes <= CompilerLimits.layeredBytes else {
        reportTooMuch("the layers give more than \(CompilerLimits.layeredBytes) bytes of values")
        break
      }
    }
    diagnostics += found.uniqueByPlace()
  }

  private mutating func reportTooMuch(_ message: String) {
    diagnostics.append(
      Diagnostic(
        .limitFiles, at: SourceSpan(file: Settings.fileName), message,
        hint: "have fewer namespaces, or fewer files in the layers below them"))
  }

  /// The file and how it is published; nil if it is not.
  private mutating func published(_ file: SourceTree.File) -> PublishedFile? {
    let rules = PublishingRules(settings: settings)
    guard let name = rules.name(of: file), rules.rule(for: name)?.isIgnored != true,
      check(file, isWanted: rules.isWanted(name)), let encoding = rules.encoding(of: name)
    else { return nil }
    fileCount += 1
    guard fileCount <= CompilerLimits.files else {
      if fileCount == CompilerLimits.files + 1 {
        diagnostics.append(
          Diagnostic(
            .limitFiles, at: SourceSpan(file: file.path),
            "the repository publishes more than \(CompilerLimits.files) files"))
      }
      return nil
    }
    return PublishedFile(file: file, name: name, encoding: encoding)
  }

  /// Whether the file may be read at all.
  private mutating func check(_ file: SourceTree.File, isWanted: Bool) -> Bool {
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
    let parts = file.path.split(separator: "/", omittingEmptySubsequences: false)
    let isBad =
      file.path.utf8.count > CompilerLimits.pathBytes || parts.count > CompilerLimits.pathDepth
      || parts.contains { part in
        part.isEmpty || part == "." || part == ".." || part.utf8.count > CompilerLimits.nameBytes
          || part.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7f || $0 == "\\" }
          || part.contains("\u{fffd}")
      }
    guard isBad, isWanted else { return true }
    diagnostics.append(
      Diagnostic(
        .pathInvalid, at: place, "the path can't become a key",
        hint: "names are UTF-8 of at most \(CompilerLimits.nameBytes) bytes, without control "
          + "characters or '\\'"))
    return false
  }

  private mutating func refuse(_ file: SourceTree.File, _ message: String) {
    diagnostics.append(
      Diagnostic(
        .featureUnsupported, at: SourceSpan(file: file.path), message,
        hint: "it is refused, not ignored: what it asks for would not be done"))
  }
}
