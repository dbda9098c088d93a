import ConfigModel

/// A value that becomes keys: what one file holds, or several joined by layers.
struct Document: Sendable {
  enum Content: Sendable {
    case value(ConfigValue)
    case raw([UInt8])
  }

  var path: ConfigPath
  var encoding: Settings.Encoding
  var content: Content
  /// The file that it comes from; of several the one of the highest layer.
  var file: String
  var references: ReferencePlaces
  /// Those that it is to keep.
  var schemas: [NamedSchema] = []
  /// Whether several files or layers made it.
  var isJoined = false
  /// Whether the file says nothing: then its value is there for a schema alone.
  var isUnwritten = false

  /// As it is published, where it holds no references.
  var closed: Document {
    guard case .value(let value) = content else { return self }
    var document = self
    document.content = .value(value.unescaped)
    return document
  }

  /// Whether it is checked only once its references are resolved.
  var isOpen: Bool {
    if case .value(let value) = content { value.hasReference } else { false }
  }
}

extension Document {
  /// What a file gives by itself; nil if there is nothing in it to be published or checked.
  ///
  /// - Parameter schemas: what the settings ask of the file; it may name one itself.
  init?(
    _ file: PublishedFile, _ parsed: ParsedFile, at path: ConfigPath, schemas: [NamedSchema]
  ) {
    switch parsed.content {
    case .nothing:
      guard let unwritten = parsed.unwritten, !schemas.isEmpty else { return nil }
      content = .value(unwritten)
      isUnwritten = true
    case .raw(let bytes): content = .raw(bytes)
    case .value(let value): content = .value(value)
    }
    (self.path, encoding) = (path, file.encoding)
    (self.file, references) = (file.file.path, parsed.references)
    self.schemas = schemas
  }
}

/// A value with references in it, which are yet to be resolved.
final class OpenValue: Sendable {
  let value: ConfigValue
  let references: ReferencePlaces

  init(_ value: ConfigValue, _ references: ReferencePlaces) {
    self.value = value
    self.references = references
  }
}

/// One key that a document gives.
struct CompiledItem: Sendable {
  enum Form: Sendable {
    /// The bytes are those of a text, or of a raw file.
    case text
    /// The bytes are JSON: a number, a boolean, a sequence, or an empty map.
    case json
    /// The bytes are the JSON of a document, which holds further values.
    case document
  }

  var path: ConfigPath
  /// Empty as long as the value is open.
  var value: [UInt8]
  var form: Form
  var origin: SourceSpan
  var open: OpenValue?
  /// Of a document without references, what references may lead into.
  var document: OpenValue?
}

/// What one document gives on its own; the same for the same bytes, path and settings.
struct CompiledFile: Sendable {
  var items: [CompiledItem] = []
  var diagnostics: [Diagnostic] = []
  /// The document, where a schema is to check it.
  var checked: CheckedDocument?
}

/// Turns a document into keys.
struct Flattener {
  static let tooLargeHint =
    "raise limits.maxValueBytes in configsync.yaml, up to 8MiB, or split it"

  private let document: Document
  private let settings: Settings
  private var result = CompiledFile()
  /// Bytes of all keys so far, those of maps among them.
  private var keyBytes = 0
  private var isTooLong = false

  static func flatten(_ document: Document, _ settings: Settings) -> CompiledFile {
    var flattener = Flattener(document: document, settings: settings)
    flattener.flatten()
    return flattener.result
  }

  private init(document: Document, settings: Settings) {
    self.document = document
    self.settings = settings
  }

  /// The key of a structured file: its folders, and its name without the extension, `_` adds none; of a raw one
  /// all of its name.
  static func path(
    of name: String, encoding: Settings.Encoding, under prefix: ConfigPath
  ) -> ConfigPath {
    let segments = ConfigPath.segments(of: name)
    var path = prefix
    for folder in segments.dropLast() { path = path.appending(folder) }
    guard let last = segments.last else { return path }
    guard encoding != .raw else { return path.appending(last) }
    let stem = ConfigPath.stem(of: last)
    return stem == "_" ? path : path.appending(stem)
  }

  private mutating func report(
    _ code: DiagnosticCode, _ span: SourceSpan, key: ConfigPath? = nil, _ message: String,
    hint: String? = nil
  ) {
    guard result.diagnostics.count < CompilerLimits.diagnosticsPerFile else { return }
    result.diagnostics.append(Diagnostic(code, at: span, key: key, message, hint: hint))
  }

  private mutating func flatten() {
    let place = SourceSpan(file: document.file)
    guard !document.isUnwritten, isWithinLimits(document.path, at: place) else { return }
    guard case .value(let value) = document.content else {
      if case .raw(let bytes) = document.content { publish(document.path, bytes, .text, place) }
      return
    }
    if document.path == settings.prefix, !value.isMap, !value.isNothing {
      return report(
        .rootNotMap, value.span,
        "a file that adds no segment must hold a map: this value would have no key")
    }
    switch document.encoding {
    case .leaf: publishLeaves(value, document.path, place: start(of: value))
    case .document: publishDocument(value)
    case .raw: break
    }
  }

  /// Where a value that is the whole file begins.
  private func start(of value: ConfigValue) -> SourceSpan {
    SourceSpan(file: value.span.file, start: value.span.start, end: value.span.start)
  }

  private mutating func publishDocument(_ value: ConfigValue) {
    guard document.path != settings.prefix else {
      return report(
        .rootNotMap, start(of: value),
        "a document needs a name of its own: '_' at the root has none")
    }
    guard !value.isNothing else { return }
    publish(value, as: .document, document.path, SourceSpan(file: document.file))
  }

  private mutating func publishLeaves(
    _ value: ConfigValue, _ path: ConfigPath, place: SourceSpan
  ) {
    switch value.content {
    case .null: return
    case .map(let members):
      if members.isEmpty, path != settings.prefix { publish(path, Array("{}".utf8), .json, place) }
      for member in members {
        if member.key.isEmpty {
          report(
            .keyEmpty, member.keySpan, "an empty key can't be a segment of a path",
            hint: "give it a name, or encode the file as a document")
        } else {
          let inner = path.appending(member.key)
          guard isWithinLimits(inner, at: member.keySpan) else { continue }
          publishLeaves(member.value, inner, place: member.keySpan)
        }
      }
    case .string: publish(value, as: .text, path, place)
    case .sequence, .boolean, .number: publish(value, as: .json, path, place)
    }
  }

  /// Whether the key is not too long, and not too many bytes of keys have come before.
  private mutating func isWithinLimits(_ path: ConfigPath, at place: SourceSpan) -> Bool {
    let count = path.text.utf8.count
    keyBytes += count
    guard count > CompilerLimits.keyBytes || keyBytes > CompilerLimits.documentKeyBytes else {
      return true
    }
    // The rest of so many keys says nothing new.
    guard !isTooLong else { return false }
    isTooLong = keyBytes > CompilerLimits.documentKeyBytes
    report(
      .limitKeyBytes, place,
      isTooLong
        ? "the keys of the file have more than \(CompilerLimits.documentKeyBytes) bytes together"
        : "the key has \(count) bytes, more than \(CompilerLimits.keyBytes)",
      hint: "a key has the names of all maps that it lies in: give them shorter ones")
    return false
  }

  private mutating func publish(
    _ value: ConfigValue, as form: CompiledItem.Form, _ path: ConfigPath, _ place: SourceSpan
  ) {
    if value.hasReference {
      let open = OpenValue(value, document.references)
      result.items.append(
        CompiledItem(path: path, value: [], form: form, origin: place, open: open))
    } else {
      let count = result.items.count
      let plain = value.unescaped
      publish(path, plain.published(as: form), form, place)
      if form == .document, result.items.count > count {
        result.items[count].document = OpenValue(plain, [:])
      }
    }
  }

  private mutating func publish(
    _ path: ConfigPath, _ value: [UInt8], _ form: CompiledItem.Form, _ place: SourceSpan
  ) {
    guard value.count <= settings.maximumValueBytes else {
      return report(
        .limitValueBytes, place, key: path,
        "the value has \(value.count) bytes, more than \(settings.maximumValueBytes)",
        hint: Flattener.tooLargeHint)
    }
    result.items.append(CompiledItem(path: path, value: value, form: form, origin: place))
  }
}

extension ConfigValue {
  var isMap: Bool { if case .map = content { true } else { false } }

  var hasReference: Bool {
    switch content {
    case .string(let text): ReferenceText.hasReference(text)
    case .sequence(let items): items.contains(where: \.hasReference)
    case .map(let members): members.contains { $0.value.hasReference }
    case .null, .boolean, .number: false
    }
  }

  /// With `${/` for each `$${/`.
  var unescaped: ConfigValue {
    var value = self
    switch content {
    case .string(let text): value.content = .string(ReferenceText.unescaped(text))
    case .sequence(let items): value.content = .sequence(items.map(\.unescaped))
    case .map(let members):
      value.content = .map(
        members.map { member in
          var member = member
          member.value = member.value.unescaped
          return member
        })
    case .null, .boolean, .number: break
    }
    return value
  }

  /// The bytes of the key's value.
  func published(as form: CompiledItem.Form) -> [UInt8] {
    if form == .text, case .string(let text) = content { return Array(text.utf8) }
    return canonicalJSON(nulls: .dropped)
  }
}
