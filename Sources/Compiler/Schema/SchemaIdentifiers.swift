import ConfigModel

/// The `$id`s of the repository's schemas.
struct SchemaIdentifiers: Hashable, Sendable {
  /// By the bytes of the `$id`, without an empty fragment.
  private var files: [[UInt8]: [String]] = [:]
  /// Files that could not be read: nobody can tell what they are the schema of.
  private(set) var unread: [Diagnostic] = []

  /// What one file turned out to be.
  struct Found: Sendable {
    /// Its `$id`, if it has one.
    var identifier: String?
    var unread: Diagnostic?
  }

  /// Looks into every structured file of a tree.
  ///
  /// - Complexity: O(bytes) of the files that the cache does not know.
  init(of tree: SourceTree, _ cache: CompileCache) {
    for file in tree.files {
      guard let identifier = identifier(of: file, cache) else { continue }
      files[identifier, default: []].append(file.path)
    }
  }

  /// Takes what differs from the tree that they were made of.
  mutating func update(_ differences: [SourceTree.Difference], _ cache: CompileCache) {
    for difference in differences {
      let old = difference.old.flatMap { identifier(of: $0, cache) }
      let new = difference.new.flatMap { identifier(of: $0, cache) }
      guard old != new else { continue }
      if let old {
        var rest = files.removeValue(forKey: old) ?? []
        rest.removeAll { $0.utf8.elementsEqual(difference.path.utf8) }
        if !rest.isEmpty { files[old] = rest }
      }
      if let new {
        let paths = files[new, default: []] + [difference.path]
        files[new] = paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      }
    }
  }

  private mutating func identifier(of file: SourceTree.File, _ cache: CompileCache) -> [UInt8]? {
    guard file.kind == .file, FileParser.format(of: file.path) != nil else { return nil }
    let found = cache.identifier(file) { SchemaIdentifiers.read(file) }
    if let finding = found.unread { unread.append(finding) }
    return found.identifier.map { Array($0.utf8) }
  }

  /// Every file with that `$id`, in the order of their paths.
  func paths(of uri: String) -> [String] {
    files[Array(SchemaIdentifiers.plain(uri).utf8)] ?? []
  }

  static func ambiguity(_ uri: String, _ paths: [String]) -> Diagnostic {
    Diagnostic(
      .schemaInvalid, at: SourceSpan(file: paths[1]), "'\(uri)' is the '$id' of two files",
      hint: "give one of them another",
      related: [.init(SourceSpan(file: paths[0]), "the other file")])
  }

  private static func plain(_ uri: String) -> String {
    uri.utf8.last == UInt8(ascii: "#") ? String(uri.dropLast()) : uri
  }

  private static func read(_ file: SourceTree.File) -> Found {
    var findings: [Diagnostic] = []
    // A file that is too large, or malformed, is reported where it is needed.
    guard let bytes = FileParser.load(file, &findings) else {
      return Found(unread: findings.first { $0.code == .fileUnreadable })
    }
    guard SourceText.contains(Array("$id".utf8), in: bytes),
      let format = FileParser.format(of: file.path),
      let (value, _) = FileParser.parse(file, format, &findings),
      case .string(let identifier)? = value["$id"]?.content, RepositoryPath.hasScheme(identifier)
    else { return Found(unread: findings.first { $0.code == .fileUnreadable }) }
    return Found(identifier: plain(identifier))
  }
}
