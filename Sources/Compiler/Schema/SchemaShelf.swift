import ConfigModel
import JSONSchema

/// A schema of the repository, compiled, with what it was made of.
final class LoadedSchema: Sendable {
  let path: ConfigPath
  /// nil if it is malformed, or not there.
  let program: SchemaProgram?
  let diagnostics: [Diagnostic]
  /// The object that stood at each path that was looked at; nil where there was none.
  let dependencies: [ConfigPath: String?]
  /// What each `$id` was taken for; nil if none was looked for.
  let identifiers: SchemaIdentifiers?

  init(
    path: ConfigPath, program: SchemaProgram?, diagnostics: [Diagnostic],
    dependencies: [ConfigPath: String?], identifiers: SchemaIdentifiers?
  ) {
    self.path = path
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
  /// Files by their `$id`; nil as long as nobody has asked.
  private(set) var knownIdentifiers: SchemaIdentifiers?

  /// - Parameter identifiers: those of the tree, if they are known.
  init(_ tree: SourceTree, _ cache: CompileCache, identifiers: SchemaIdentifiers? = nil) {
    self.tree = tree
    self.cache = cache
    knownIdentifiers = identifiers
  }

  private var identifiers: SchemaIdentifiers {
    if let known = knownIdentifiers { return known }
    let found = SchemaIdentifiers(of: tree, cache)
    knownIdentifiers = found
    return found
  }

  /// The schema in a file; one that is not there has no program and no findings.
  func schema(at path: ConfigPath) -> LoadedSchema {
    if let known = loaded[path] { return known }
    let schema = cache.schema(path, isCurrent: isCurrent) { load(path.text) }
    loaded[path] = schema
    return schema
  }

  func isThere(_ path: ConfigPath) -> Bool { tree.file(at: path.text) != nil }

  /// The files whose `$id` is a URI: more than one is one too many.
  func paths(identifiedBy uri: String) -> [String] { identifiers.paths(of: uri) }

  /// Whether nothing that a schema was made of has changed.
  private func isCurrent(_ schema: LoadedSchema) -> Bool {
    for (path, objectID) in schema.dependencies {
      let file = tree.file(at: path.text)
      guard SchemaReader.name(of: file) == objectID, file == nil || objectID != nil else {
        return false
      }
    }
    return schema.identifiers.map { $0 == identifiers } ?? true
  }

  private func load(_ path: String) -> LoadedSchema {
    var reader = SchemaReader(tree: tree)
    guard let document = reader.document(at: path) else {
      return LoadedSchema(
        path: ConfigPath(escaped: path), program: nil, diagnostics: reader.diagnostics,
        dependencies: reader.dependencies,
        identifiers: nil)
    }
    var usesIdentifiers = false
    let (program, problems) = SchemaProgram.compile(document) { request in
      if let found = reader.document(for: request) { return found }
      usesIdentifiers = true
      let paths = self.identifiers.paths(of: request.uri)
      if paths.count > 1 { reader.reportAmbiguous(request.uri, paths) }
      return paths.first.flatMap { reader.document(at: $0) }
    }
    var diagnostics = reader.diagnostics
    // What a malformed file would have held may be what is missing.
    let isRead = diagnostics.isEmpty
    diagnostics += problems.filter { isRead || $0.kind != .unresolved }.map(Diagnostic.init)
    return LoadedSchema(
      path: ConfigPath(escaped: path), program: isRead ? program : nil, diagnostics: diagnostics,
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

  /// Names what stands at a path: a link is not the file that has the same bytes.
  static func name(of file: SourceTree.File?) -> String? {
    file.flatMap { file in file.objectID.map { file.kind == .file ? $0 : "link \($0)" } }
  }

  mutating func document(at path: String) -> SchemaDocument? {
    let key = ConfigPath(escaped: path)
    if let known = documents[key] { return known }
    let file = tree.file(at: path)
    dependencies.updateValue(SchemaReader.name(of: file), forKey: key)
    let document = file.flatMap { read($0) }
    documents.updateValue(document, forKey: key)
    return document
  }

  /// Which of two files is meant, nobody can tell: and one of them may be there to switch the other off.
  mutating func reportAmbiguous(_ uri: String, _ paths: [String]) {
    diagnostics.append(SchemaIdentifiers.ambiguity(uri, paths))
  }

  /// The file at a relative path, or at a path that stands for itself.
  mutating func document(for request: SchemaRequest) -> SchemaDocument? {
    if let path = RepositoryPath.path(of: request.uri), let found = document(at: path) {
      return found
    }
    guard !RepositoryPath.hasScheme(request.reference),
      let source = RepositoryPath.path(of: request.source),
      let reference = ConfigPath.unescape(request.reference),
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
