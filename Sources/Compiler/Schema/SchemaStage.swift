import ConfigModel
import JSONSchema

/// Checks documents by the schemas that configsync.yaml or they themselves name.
struct SchemaStage {
  let shelf: SchemaShelf
  private let cache: CompileCache
  /// Of the stage as a whole: of each schema, and of all checks together.
  private(set) var diagnostics: [Diagnostic] = []
  /// Schemas whose own findings were reported.
  private var reported: Set<ObjectIdentifier> = []
  /// Names that lead nowhere, each reported once.
  private var unknown: Set<SourceSpan> = []
  private(set) var steps = 0

  init(_ shelf: SchemaShelf, _ cache: CompileCache) {
    self.shelf = shelf
    self.cache = cache
  }

  private var isWithinLimit: Bool { steps < CompilerLimits.schemaSteps }

  /// Checks a document that holds no references any more.
  ///
  /// - Parameter key: names the document and all that it is made of; nil if nothing does.
  mutating func check(_ document: Document, key: CompileCache.Key? = nil) -> DocumentCheck {
    var check = DocumentCheck()
    guard case .value(let value) = document.content, isWithinLimit else { return check }
    for name in document.schemas {
      guard let schema = schema(name, &check) else { continue }
      check.schemas.append(schema)
      guard let program = schema.program else { continue }
      let result = cache.check(of: key, by: schema) {
        SchemaStage.check(program, value, document)
      }
      check.diagnostics += result.diagnostics
      // Counted whether it was remembered or not: a cache changes no result.
      check.steps += result.steps
      steps += result.steps
      guard isWithinLimit else {
        reportTooMuch()
        break
      }
    }
    return check
  }

  private mutating func reportTooMuch() {
    diagnostics.append(
      Diagnostic(
        .limitSchema, at: SourceSpan(file: Settings.fileName),
        "checking the files by their schemas takes more than \(CompilerLimits.schemaSteps) steps",
        hint: "simplify the schemas: what can't be checked is not valid"))
  }

  /// The schema that a name means; nil if there is none, and then that is reported.
  private mutating func schema(
    _ name: NamedSchema, _ check: inout DocumentCheck
  ) -> LoadedSchema? {
    let path: ConfigPath
    switch name.target {
    case .file(let file) where shelf.isThere(file): path = file
    case .uri(let uri):
      let parts = uri.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
      let paths = shelf.paths(identifiedBy: String(parts[0]))
      // A part of a schema can't be named here.
      if parts.count > 1, !parts[1].isEmpty, !paths.isEmpty { return reportUnknown(name) }
      guard let file = paths.first else {
        check.diagnostics.append(SchemaStage.unchecked(name))
        return nil
      }
      if paths.count > 1, unknown.insert(name.span).inserted {
        diagnostics.append(SchemaIdentifiers.ambiguity(uri, paths))
      }
      path = ConfigPath(escaped: file)
    case .file, .nowhere: return reportUnknown(name)
    }
    let schema = shelf.schema(at: path)
    if reported.insert(ObjectIdentifier(schema)).inserted { diagnostics += schema.diagnostics }
    return schema
  }

  private mutating func reportUnknown(_ name: NamedSchema) -> LoadedSchema? {
    guard unknown.insert(name.span).inserted else { return nil }
    let isOutside = name.target == .nowhere
    diagnostics.append(
      Diagnostic(
        .schemaUnknown, at: name.span,
        isOutside
          ? "the schema '\(name.text)' is not in the repository"
          : "there is no schema '\(name.text)'",
        hint: name.span.file == Settings.fileName
          ? "the path is relative to configsync.yaml" : "the path is relative to this file"))
    return nil
  }

  private static func unchecked(_ name: NamedSchema) -> Diagnostic {
    Diagnostic(
      .schemaUnchecked, .note, at: name.span,
      "the file is not checked by this schema: no schema of the repository has the '$id' "
        + "'\(name.text)'",
      hint: "a URL is never fetched: keep a copy in the repository")
  }

  // MARK: - Findings

  /// What the document does not keep. A null publishes nothing: what is asked for, it is not; and in a file that
  /// stands alone it is a value as well.
  private static func check(
    _ program: SchemaProgram, _ value: ConfigValue, _ document: Document
  ) -> CompileCache.CheckResult {
    let published = value.withoutNulls
    let verdict = program.check(published)
    var (found, steps) = (verdict.findings, verdict.steps)
    if !document.isJoined, published != value {
      let written = program.check(value)
      found = written.findings + found
      steps += written.steps
    }
    var seen: Set<SchemaFinding> = []
    return CompileCache.CheckResult(
      diagnostics: found.filter { seen.insert($0).inserted }.map { Diagnostic($0, in: document) },
      steps: steps)
  }
}

extension Diagnostic {
  fileprivate init(_ finding: SchemaFinding, in document: Document) {
    let code: DiagnosticCode =
      switch finding.kind {
      case .type: .schemaType
      case .value: .schemaValue
      case .range: .schemaRange
      case .length: .schemaLength
      case .pattern: .schemaPattern
      case .format: .schemaFormat
      case .items: .schemaItems
      case .unknownKey: .schemaUnknownKey
      case .missingKey: .schemaMissingKey
      case .mismatch: .schemaMismatch
      case .limit: .limitSchema
      }
    var key = document.path
    if document.encoding == .leaf {
      for case .key(let name) in finding.path.prefix(while: { $0.isKey }) {
        key = key.appending(name)
      }
    }
    self.init(
      code, at: finding.span, key: key == .root ? nil : key, finding.message, hint: finding.hint,
      related: [.init(finding.keyword, "the schema says so here")])
  }
}

extension SchemaFinding.Step {
  fileprivate var isKey: Bool { if case .key = self { true } else { false } }
}

extension ConfigValue {
  /// Without what publishes nothing.
  fileprivate var withoutNulls: ConfigValue {
    guard case .map(let members) = content else { return self }
    var value = self
    value.content = .map(
      members.compactMap { member in
        guard !member.value.isNothing else { return nil }
        var member = member
        member.value = member.value.withoutNulls
        return member
      })
    return value
  }
}
