import ConfigModel

/// What one file holds, before it is joined with others; the same for the same bytes and path.
struct ParsedFile: Sendable {
  enum Content: Sendable {
    /// Without its root `$schema`.
    case value(ConfigValue)
    case raw([UInt8])
    /// It is malformed, can't be read, or says nothing.
    case nothing
  }

  var content = Content.nothing
  var diagnostics: [Diagnostic] = []
  /// Where the references of each text stand, by the place of the text.
  var references: ReferencePlaces = [:]
  /// The schema that the file itself names.
  var schema: NamedSchema?
  /// What a schema is to check, where the file says nothing else.
  var unwritten: ConfigValue?
}

typealias ReferencePlaces = [SourceSpan: [SourceSpan]]

/// Reads a file, and finds what it must not hold.
struct FileReader {
  private let file: SourceTree.File
  private let jsonnet: JsonnetStage
  private var result = ParsedFile()

  /// - Parameters:
  ///   - name: the path under the settings' root.
  ///   - settings: say beyond which size a raw file is not even read.
  static func read(
    _ file: SourceTree.File, named name: String, encoding: Settings.Encoding, _ settings: Settings,
    _ jsonnet: JsonnetStage
  ) -> ParsedFile {
    var reader = FileReader(file: file, jsonnet: jsonnet)
    reader.read(name, encoding, settings)
    return reader.result
  }

  private init(file: SourceTree.File, jsonnet: JsonnetStage) {
    self.file = file
    self.jsonnet = jsonnet
  }

  private mutating func report(
    _ code: DiagnosticCode, _ span: SourceSpan, key: ConfigPath? = nil, _ message: String,
    hint: String? = nil, severity: Diagnostic.Severity = .error
  ) {
    guard result.diagnostics.count < CompilerLimits.diagnosticsPerFile else { return }
    result.diagnostics.append(Diagnostic(code, severity, at: span, key: key, message, hint: hint))
  }

  private mutating func read(
    _ name: String, _ encoding: Settings.Encoding, _ settings: Settings
  ) {
    if encoding == .raw {
      guard file.byteCount <= settings.maximumValueBytes else {
        return report(
          .limitValueBytes, SourceSpan(file: file.path),
          key: Flattener.path(of: name, encoding: .raw, under: settings.prefix),
          "the value has \(file.byteCount) bytes, more than \(settings.maximumValueBytes)",
          hint: Flattener.tooLargeHint)
      }
      if let bytes = FileParser.load(file, &result.diagnostics) { result.content = .raw(bytes) }
      return
    }
    guard let value = structuredValue(name, encoding) else { return }
    // A file with nothing in it, or nothing but its schema, says nothing: it does not even take away what
    // lies below, as a null does that is written.
    guard let rest = withoutSchema(value) else {
      result.unwritten = ConfigValue(.map([]), at: value.span)
      return
    }
    if !JsonnetStage.isJsonnet(name), FileReader.isUnwritten(rest) {
      result.unwritten = rest
    } else {
      result.content = .value(rest)
    }
  }

  /// What a structured file holds; nil if that was reported.
  private mutating func structuredValue(
    _ name: String, _ encoding: Settings.Encoding
  ) -> ConfigValue? {
    if JsonnetStage.isJsonnet(name) {
      let found = jsonnet.value(of: file, named: name)
      result.diagnostics += found.diagnostics
      if let value = found.value { look(at: value, nil) }
      return found.value
    }
    guard let format = FileParser.format(of: name) else {
      report(
        .configInvalid, SourceSpan(file: file.path),
        "the file is neither YAML, JSON, TOML nor Jsonnet, so it can't be encoded as "
          + encoding.rawValue, hint: "encode it as raw")
      return nil
    }
    guard let (value, text) = FileParser.parse(file, format, &result.diagnostics) else {
      return nil
    }
    if format == .yaml { readSchemaComment(text) }
    look(at: value, text)
    return value
  }

  /// Finds sealed values, and the places of references where there is a text to find them in.
  private mutating func look(at value: ConfigValue, _ text: SourceText?) {
    switch value.content {
    case .string(let string):
      guard let text, ReferenceText.isCandidate(string) else { return }
      let count = ReferenceText.parts(of: string).count(where: \.isReference)
      guard count > 0 else { return }
      result.references[value.span] = ReferenceText.places(of: count, in: value.span, text)
    case .sequence(let items): for item in items { look(at: item, text) }
    case .map(let members):
      // With other members it is malformed, and a secret all the same.
      if let sealed = members.first(where: { $0.key == "$sealed" }) {
        report(
          .featureUnsupported, sealed.keySpan,
          "sealed values are not supported by this version",
          hint: "nothing is published, so that no secret leaks")
      }
      for member in members { look(at: member.value, text) }
    case .null, .boolean, .number: break
    }
  }

  private static func isUnwritten(_ value: ConfigValue) -> Bool {
    if case .null = value.content { value.span.start == value.span.end } else { false }
  }

  // MARK: - Schemas

  /// The root `$schema` is not published.
  private mutating func withoutSchema(_ value: ConfigValue) -> ConfigValue? {
    guard case .map(let members) = value.content,
      let schema = members.first(where: { $0.key == "$schema" })
    else { return value }
    if case .string(let target) = schema.value.content {
      result.schema = NamedSchema(target, from: file.path, at: schema.value.span)
    } else {
      report(.schemaUnknown, schema.value.span, "'$schema' is a text that names a schema")
    }
    let rest = members.filter { $0.key != "$schema" }
    return rest.isEmpty ? nil : ConfigValue(.map(rest), at: value.span)
  }

  /// The comment by which editors know the schema of a YAML file.
  private mutating func readSchemaComment(_ text: SourceText) {
    guard let span = SchemaComment.target(in: text) else { return }
    result.schema = NamedSchema(text.slice(span), from: file.path, at: span)
  }
}
