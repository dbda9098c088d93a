public import ConfigModel

/// What became of a tree.
public struct Compilation: Sendable {
  public var settings: Settings
  /// nil if there is an error.
  public var keySpace: KeySpace?
  /// Sorted by place.
  public var diagnostics: [Diagnostic]
  /// Files that are published, or were to be.
  public var fileCount: Int
}

/// Compiles the files of a commit into its key space: the same bytes give the same result.
///
/// Reads no clock, environment, network or file but the tree's. Every finding of every file is
/// reported in one run.
///
/// - Complexity: O(bytes) of the files that `cache` does not know, and O(*n* log *n*) in keys.
public func compile(_ tree: SourceTree, cache: CompileCache = CompileCache()) -> Compilation {
  var compiler = TreeCompiler(tree: tree, cache: cache)
  return compiler.compile()
}

private struct TreeCompiler {
  let tree: SourceTree
  let cache: CompileCache
  var settings = Settings()
  var diagnostics: [Diagnostic] = []
  var fileCount = 0

  init(tree: SourceTree, cache: CompileCache) {
    self.tree = tree
    self.cache = cache
  }

  mutating func compile() -> Compilation {
    settings = SettingsReader.read(tree, &diagnostics)
    if let access = tree.files.first(where: { $0.path == "access.yaml" }) {
      refuse(access, "access.yaml is not supported by this version")
    }
    var keySpace: KeySpace?
    if !diagnostics.hasErrors {
      var merger = KeyMerger()
      for file in tree.files { merger.add(compile(file)) }
      let merged = merger.merge()
      diagnostics += merger.diagnostics
      checkCount(merger.count)
      if !diagnostics.hasErrors { keySpace = merged }
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

  private mutating func compile(_ file: SourceTree.File) -> [CompiledItem] {
    guard let name = publishedName(of: file) else { return [] }
    let rule = settings.files.first { $0.match.matches(name) }
    if rule?.isIgnored == true { return [] }
    guard check(file, name: name) else { return [] }
    guard let encoding = encoding(of: file, name: name, rule: rule) else { return [] }
    fileCount += 1
    guard fileCount <= CompilerLimits.files else {
      if fileCount == CompilerLimits.files + 1 {
        diagnostics.append(
          Diagnostic(
            .limitFiles, at: SourceSpan(file: file.path),
            "the repository publishes more than \(CompilerLimits.files) files"))
      }
      return []
    }
    let key = file.objectID.map { id in
      CompileCache.Key(
        path: file.path, objectID: id, encoding: encoding, prefix: settings.prefix,
        root: settings.root, maximumValueBytes: settings.maximumValueBytes)
    }
    let compiled = cache.file(key) {
      FileCompiler.compile(file, named: name, encoding: encoding, settings: settings)
    }
    diagnostics += compiled.diagnostics
    return compiled.items
  }

  /// The path under the root; nil for what is never published.
  private func publishedName(of file: SourceTree.File) -> String? {
    var name = file.path
    if !settings.root.isEmpty {
      guard name.utf8.starts(with: (settings.root + "/").utf8) else { return nil }
      name = String(name.dropFirst(settings.root.count + 1))
    }
    guard file.path != Settings.fileName, file.path != "access.yaml",
      !name.split(separator: "/").contains(where: { $0.hasPrefix(".") })
    else { return nil }
    return name
  }

  /// Whether the file may be read at all.
  private mutating func check(_ file: SourceTree.File, name: String) -> Bool {
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
    guard isBad, encodingIsWanted(name) else { return true }
    diagnostics.append(
      Diagnostic(
        .pathInvalid, at: place, "the path can't become a key",
        hint: "names are UTF-8 of at most \(CompilerLimits.nameBytes) bytes, without control "
          + "characters or '\\'"))
    return false
  }

  private func encodingIsWanted(_ name: String) -> Bool {
    FileParser.format(of: name) != nil || settings.files.contains { $0.match.matches(name) }
  }

  /// How the file is published; nil if it is not.
  private mutating func encoding(
    of file: SourceTree.File, name: String, rule: Settings.FileRule?
  ) -> Settings.Encoding? {
    if name.hasSuffix(".libsonnet") || name.hasSuffix("_test.jsonnet") { return nil }
    if rule?.encoding == .raw { return .raw }
    if name.hasSuffix(".jsonnet") {
      refuse(file, "Jsonnet is not supported by this version")
      return nil
    }
    guard FileParser.format(of: name) != nil else {
      // A rule that wants something else of such a file is answered by the file compiler.
      return rule?.encoding
    }
    return rule?.encoding ?? settings.encoding
  }

  private mutating func refuse(_ file: SourceTree.File, _ message: String) {
    diagnostics.append(
      Diagnostic(
        .featureUnsupported, at: SourceSpan(file: file.path), message,
        hint: "it is refused, not ignored: what it asks for would not be done"))
  }
}

/// Joins what the files give into one key space, and finds what can't stand together.
private struct KeyMerger {
  private var items: [ConfigPath: CompiledItem] = [:]
  /// For each folder of a key, the value that it is or stands under.
  private var valuesAbove: [ConfigPath: CompiledItem?] = [:]
  private(set) var diagnostics: [Diagnostic] = []

  mutating func add(_ file: [CompiledItem]) {
    for item in file {
      guard let first = items[item.path] else {
        items[item.path] = item
        continue
      }
      diagnostics.append(
        Diagnostic(
          .keyConflict, at: item.origin, key: item.path,
          "the key '\(item.path)' is given by two places",
          hint: "remove one of them", related: [.init(first.origin, "given here first")]))
    }
  }

  var count: Int { items.count }

  /// The key space; adds a finding for each value that is a folder as well.
  mutating func merge() -> KeySpace? {
    for item in items.values.sorted(by: { $0.path < $1.path }) {
      guard let shorter = valueAbove(item.path.text) else { continue }
      diagnostics.append(
        Diagnostic(
          .keyValueAndFolder, at: item.origin, key: item.path,
          "'\(shorter.path)' is a value, so '\(item.path)' can't be below it",
          hint: "rename one of them", related: [.init(shorter.origin, "the value is here")]))
    }
    guard !diagnostics.hasErrors else { return nil }
    return KeySpace(
      items.values.map { ($0.path, KeySpace.Item(value: $0.value, origin: $0.origin)) })
  }

  /// The value nearest above a key, if there is one; each folder is looked at once.
  private mutating func valueAbove(_ text: String) -> CompiledItem? {
    guard let slash = text.lastIndex(of: "/"), slash > text.startIndex else { return nil }
    let folder = ConfigPath(escaped: String(text[..<slash]))
    if let known = valuesAbove[folder] { return known }
    let found = items[folder] ?? valueAbove(folder.text)
    valuesAbove[folder] = .some(found)
    return found
  }
}
