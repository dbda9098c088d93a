import ConfigModel
import JSONSchema

/// A schema of the repository, compiled, with what it was made of.
final class LoadedSchema: Sendable {
  /// nil if it is malformed, or not there.
  let program: SchemaProgram?
  let diagnostics: [Diagnostic]
  /// The object that stood at each path that was looked at; nil where there was none.
  let dependencies: [ConfigPath: String?]
  /// What each `$id` was taken for; nil if none was looked for.
  let identifiers: [String: String]?

  init(
    program: SchemaProgram?, diagnostics: [Diagnostic], dependencies: [ConfigPath: String?],
    identifiers: [String: String]?
  ) {
    self.program = program
    self.diagnostics = diagnostics
    self.dependencies = dependencies
    self.identifiers = identifiers
  }
}

/// The schemas of one tree, each compiled once.
final class SchemaShelf {
  private let tree: SourceTree
  private let cache: CompileCache
  private var loaded: [ConfigPath: LoadedSchema] = [:]
  /// Files by their `$id`; looked for once somebody asks.
  private lazy var identifiers = SchemaIdentifiers.find(in: tree, cache)

  init(_ tree: SourceTree, _ cache: CompileCache) {
    self.tree = tree
    self.cache = cache
  }

  /// The schema in a file; one that is not there has no program and no findings.
  func schema(at path: ConfigPath) -> LoadedSchema {
    if let known = loaded[path] { return known }
    let schema = cache.schema(path, isCurrent: isCurrent) { load(path.text) }
    loaded[path] = schema
    return schema
  }

  func isThere(_ path: ConfigPath) -> Bool { tree.file(at: path.text) != nil }

  /// The file whose `$id` is a URI; nil if there is none.
  func path(identifiedBy uri: String) -> ConfigPath? {
    identifiers[SchemaShelf.plain(uri)].map { ConfigPath(escaped: $0) }
  }

  private static func plain(_ uri: String) -> String {
    uri.hasSuffix("#") ? String(uri.dropLast()) : uri
  }

  /// Whether nothing that a schema was made of has changed.
  private func isCurrent(_ schema: LoadedSchema) -> Bool {
    for (path, objectID) in schema.dependencies {
      let file = tree.file(at: path.text)
      guard file?.objectID == objectID, file == nil || objectID != nil else { return false }
    }
    return schema.identifiers.map { $0 == identifiers } ?? true
  }

  private func load(_ path: String) -> LoadedSchema {
    var reader = SchemaReader(tree: tree)
    guard let document = reader.document(at: path) else {
      return LoadedSchema(
        program: nil, diagnostics: reader.diagnostics, dependencies: reader.dependencies,
        identifiers: nil)
    }
    var usesIdentifiers = false
    let (program, problems) = SchemaProgram.compile(document) { request in
      if let found = reader.document(for: request) { return found }
      usesIdentifiers = true
      return self.identifiers[SchemaShelf.plain(request.uri)].flatMap { reader.document(at: $0) }
    }
    var diagnostics = reader.diagnostics
    // What a malformed file would have held may be what is missing.
    let isRead = diagnostics.isEmpty
    diagnostics += problems.filter { isRead || $0.kind != .unresolved }.map(Diagnostic.init)
    return LoadedSchema(
      program: isRead ? program : nil, diagnostics: diagnostics,
      dependencies: reader.dependencies, identifiers: usesIdentifiers ? identifiers : nil)
  }
}

/// Reads schemas from the files of a tree.
private struct SchemaReader {
  let tree: SourceTree
  var diagnostics: [Diagnostic] = []
  var dependencies: [ConfigPath: String?] = [:]
  private var documents: [ConfigPath: SchemaDocument?] = [:]

  init(tree: SourceTree) { self.tree = tree }

  mutating func document(at path: String) -> SchemaDocument? {
    let key = ConfigPath(escaped: path)
    if let known = documents[key] { return known }
    let file = tree.file(at: path)
    dependencies.updateValue(file?.objectID, forKey: key)
    let document = file.flatMap { read($0) }
    documents.updateValue(document, forKey: key)
    return document
  }

  /// The file at a relative path, or at a path that stands for itself.
  mutating func document(for request: SchemaRequest) -> SchemaDocument? {
    if let path = RepositoryPath.path(of: request.uri), let found = document(at: path) {
      return found
    }
    guard !RepositoryPath.hasScheme(request.reference),
      let source = RepositoryPath.path(of: request.source),
      let reference = RepositoryPath.unescaped(request.reference),
      let path = RepositoryPath.resolve(reference, from: source)
    else { return nil }
    return document(at: path)
  }

  private mutating func read(_ file: SourceTree.File) -> SchemaDocument? {
    guard file.kind == .file else {
      diagnostics.append(
        Diagnostic(
          file.kind == .symlink ? .fileSymlink : .fileSubmodule, at: SourceSpan(file: file.path),
          "a schema is a file, not a link", hint: "put the file itself here"))
      return nil
    }
    let format = FileParser.format(of: file.path) ?? .json
    guard let (value, _) = FileParser.parse(file, format, &diagnostics) else { return nil }
    return SchemaDocument(uri: RepositoryPath.uri(of: file.path), root: value)
  }
}

/// The `$id`s of the repository's schemas.
enum SchemaIdentifiers {
  /// Files are looked through that are no larger.
  private static let fileBytes = 1 << 20

  /// The first file with each `$id`.
  ///
  /// - Complexity: O(bytes) of the JSON and YAML files that the cache does not know.
  static func find(in tree: SourceTree, _ cache: CompileCache) -> [String: String] {
    var found: [String: String] = [:]
    for file in tree.files where file.kind == .file && file.byteCount <= fileBytes {
      let format = FileParser.format(of: file.path)
      guard format == .json || format == .yaml,
        let identifier = cache.identifier(file, read: { read(file) })
      else { continue }
      if found[identifier] == nil { found[identifier] = file.path }
    }
    return found
  }

  private static func read(_ file: SourceTree.File) -> String? {
    var ignored: [Diagnostic] = []
    // A file that can't be read is reported where it is needed.
    guard let bytes = FileParser.load(file, &ignored),
      bytes.firstRange(of: Array("$id".utf8)) != nil,
      let format = FileParser.format(of: file.path),
      let (value, _) = FileParser.parse(file, format, &ignored),
      case .string(let identifier)? = value["$id"]?.content, RepositoryPath.hasScheme(identifier)
    else { return nil }
    return identifier.hasSuffix("#") ? String(identifier.dropLast()) : identifier
  }
}

extension Diagnostic {
  /// A finding about a schema itself.
  fileprivate init(_ problem: SchemaProblem) {
    let code: DiagnosticCode
    var severity = Severity.error
    switch problem.kind {
    case .malformed: code = .schemaInvalid
    case .unresolved: code = .schemaUnknown
    case .draft: code = .schemaDraft
    case .limit: code = .limitSchema
    case .suspicious:
      code = .schemaKeyword
      severity = .warning
    }
    self.init(code, severity, at: problem.span, problem.message, hint: problem.hint)
  }
}
