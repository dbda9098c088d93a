/// A finding about the configuration, at its place.
public struct Diagnostic: Hashable, Sendable {
  public enum Severity: String, Hashable, Sendable, CaseIterable { case error, warning, note }

  /// Another place that the finding is about.
  public struct Related: Hashable, Sendable {
    public var span: SourceSpan
    public var message: String
    public init(_ span: SourceSpan, _ message: String) {
      self.span = span
      self.message = message
    }
  }

  public var code: DiagnosticCode
  public var severity: Severity
  public var span: SourceSpan
  /// The key that it concerns, where there is one.
  public var key: ConfigPath?
  /// The fact, without a period.
  public var message: String
  /// The way out.
  public var hint: String?
  public var related: [Related]

  public init(
    _ code: DiagnosticCode, _ severity: Severity = .error, at span: SourceSpan,
    key: ConfigPath? = nil, _ message: String, hint: String? = nil, related: [Related] = []
  ) {
    self.code = code
    self.severity = severity
    self.span = span
    self.key = key
    self.message = message
    self.hint = hint
    self.related = related
  }
}

/// What kind of finding: stable, documented in `Documentation/diagnostics.md`, never reused.
public enum DiagnosticCode: String, Hashable, Sendable, CaseIterable {
  case yamlSyntax = "yaml.syntax"
  case yamlTag = "yaml.tag"
  case yamlDocuments = "yaml.documents"
  case yamlVersion = "yaml.version"
  case yamlMerge = "yaml.merge"
  case yamlAlias = "yaml.alias"
  case jsonSyntax = "json.syntax"
  case tomlSyntax = "toml.syntax"
  case keyDuplicate = "key.duplicate"
  case keyConflict = "key.conflict"
  case keyValueAndFolder = "key.value-and-folder"
  case keyReserved = "key.reserved"
  case keyEmpty = "key.empty"
  case keyComplex = "key.complex"
  case textEncoding = "text.encoding"
  case textNUL = "text.nul"
  case textSurrogate = "text.surrogate"
  case numberNotFinite = "number.not-finite"
  case rootNotMap = "root.not-map"
  case fileSymlink = "file.symlink"
  case fileSubmodule = "file.submodule"
  case fileUnreadable = "file.unreadable"
  case pathInvalid = "path.invalid"
  case referenceUnknown = "reference.unknown"
  case referenceCycle = "reference.cycle"
  case referenceMap = "reference.map"
  case referenceType = "reference.type"
  case jsonnetSyntax = "jsonnet.syntax"
  case jsonnetRuntime = "jsonnet.runtime"
  case jsonnetImport = "jsonnet.import"
  case jsonnetUnavailable = "jsonnet.unavailable"
  case limitJsonnet = "limit.jsonnet"
  case policyViolation = "policy.violation"
  case policyInvalid = "policy.invalid"
  case ownerDenied = "owner.denied"
  case pruneLimit = "prune.limit"
  case pruneEmpty = "prune.empty"
  case pruneProtected = "prune.protected"
  case signatureMissing = "signature.missing"
  case signatureUntrusted = "signature.untrusted"
  case signatureInvalid = "signature.invalid"
  case signatureUnchecked = "signature.unchecked"
  case commitRejected = "commit.rejected"
  case historyUnknown = "history.unknown"
  case schemaType = "schema.type"
  case schemaValue = "schema.value"
  case schemaRange = "schema.range"
  case schemaLength = "schema.length"
  case schemaPattern = "schema.pattern"
  case schemaFormat = "schema.format"
  case schemaItems = "schema.items"
  case schemaUnknownKey = "schema.unknown-key"
  case schemaMissingKey = "schema.missing-key"
  case schemaMismatch = "schema.mismatch"
  case schemaInvalid = "schema.invalid"
  case schemaUnknown = "schema.unknown"
  case schemaDraft = "schema.draft"
  case schemaKeyword = "schema.keyword"
  case schemaUnchecked = "schema.unchecked"
  case limitSchema = "limit.schema"
  case limitReferences = "limit.references"
  case limitFileBytes = "limit.file-bytes"
  case limitDepth = "limit.depth"
  case limitAliases = "limit.aliases"
  case limitValueBytes = "limit.value-bytes"
  case limitKeys = "limit.keys"
  case limitKeyBytes = "limit.key-bytes"
  case limitFiles = "limit.files"
  case configUnknownKey = "config.unknown-key"
  case configRenamed = "config.renamed"
  case configInvalid = "config.invalid"
  case featureUnsupported = "feature.unsupported"
}

extension Sequence<Diagnostic> {
  public var hasErrors: Bool { contains { $0.severity == .error } }

  /// In the order in which a person reads them: by file, place and code.
  public func sortedByPlace() -> [Diagnostic] {
    sorted { left, right in
      if !left.span.file.utf8.elementsEqual(right.span.file.utf8) {
        return left.span.file.utf8.lexicographicallyPrecedes(right.span.file.utf8)
      }
      if left.span.start != right.span.start { return left.span.start < right.span.start }
      if left.code != right.code { return left.code.rawValue < right.code.rawValue }
      return left.message.utf8.lexicographicallyPrecedes(right.message.utf8)
    }
  }

  /// The first of them, errors before warnings before notes, each by place.
  public func mostRelevant(_ count: Int) -> [Diagnostic] {
    let sorted = sortedByPlace()
    let ordered = Diagnostic.Severity.allCases.flatMap { severity in
      sorted.filter { $0.severity == severity }
    }
    return Array(ordered.prefix(count))
  }
}
