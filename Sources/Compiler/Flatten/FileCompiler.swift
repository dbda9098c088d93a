import ConfigModel

/// One key that a file gives.
struct CompiledItem: Hashable, Sendable {
  var path: ConfigPath
  var value: [UInt8]
  var origin: SourceSpan
}

/// What one file gives on its own; the same for the same bytes, path and settings.
struct CompiledFile: Hashable, Sendable {
  var items: [CompiledItem] = []
  var diagnostics: [Diagnostic] = []
}

/// Turns one file into keys.
struct FileCompiler {
  private let file: SourceTree.File
  private let settings: Settings
  private var result = CompiledFile()
  private var text: SourceText?

  /// - Parameter name: the path under the settings' root.
  static func compile(
    _ file: SourceTree.File, named name: String, encoding: Settings.Encoding, settings: Settings
  ) -> CompiledFile {
    var compiler = FileCompiler(file: file, settings: settings)
    compiler.compile(name, encoding)
    return compiler.result
  }

  private init(file: SourceTree.File, settings: Settings) {
    self.file = file
    self.settings = settings
  }

  private mutating func report(
    _ code: DiagnosticCode, _ span: SourceSpan, key: ConfigPath? = nil, _ message: String,
    hint: String? = nil
  ) {
    guard result.diagnostics.count < CompilerLimits.diagnosticsPerFile else { return }
    result.diagnostics.append(Diagnostic(code, at: span, key: key, message, hint: hint))
  }

  private mutating func compile(_ name: String, _ encoding: Settings.Encoding) {
    let segments = name.split(separator: "/").map(String.init)
    if encoding == .raw { return publishRaw(segments) }
    guard let format = FileParser.format(of: name) else {
      return report(
        .configInvalid, SourceSpan(file: file.path),
        "the file is neither YAML, JSON nor TOML, so it can't be encoded as \(encoding.rawValue)",
        hint: "encode it as raw")
    }
    guard let parsed = FileParser.parse(file, format, &result.diagnostics) else { return }
    text = parsed.text
    let value = withoutSchema(parsed.value)
    let path = path(of: segments)
    if path == settings.prefix, !value.isMap, !value.isNothing {
      return report(
        .rootNotMap, value.span,
        "a file that adds no segment must hold a map: this value would have no key")
    }
    switch encoding {
    case .leaf: publishLeaves(value, path, place: wholeFile(value))
    case .document: publishDocument(value, path)
    case .raw: break
    }
  }

  /// The key of a structured file: its folders, and its name without the extension; `_` adds none.
  private func path(of segments: [String]) -> ConfigPath {
    var path = settings.prefix
    for folder in segments.dropLast() { path = path.appending(folder) }
    guard let last = segments.last, let dot = last.lastIndex(of: ".") else { return path }
    let name = String(last[..<dot])
    return name == "_" ? path : path.appending(name)
  }

  /// Where a value that is the whole file begins.
  private func wholeFile(_ value: ConfigValue) -> SourceSpan {
    SourceSpan(file: file.path, start: value.span.start, end: value.span.start)
  }

  private mutating func publishRaw(_ segments: [String]) {
    var path = settings.prefix
    for segment in segments { path = path.appending(segment) }
    let place = SourceSpan(file: file.path)
    guard file.byteCount <= settings.maximumValueBytes else {
      return reportTooLarge(file.byteCount, path, place)
    }
    guard let bytes = FileParser.load(file, &result.diagnostics) else { return }
    publish(path, bytes, place)
  }

  private mutating func publishDocument(_ value: ConfigValue, _ path: ConfigPath) {
    guard path != settings.prefix else {
      return report(
        .rootNotMap, wholeFile(value),
        "a document needs a name of its own: '_' at the root has none")
    }
    checkKeysAndTexts(value)
    guard !value.isNothing else { return }
    publish(path, unescaped(value).canonicalJSON(nulls: .dropped), SourceSpan(file: file.path))
  }

  private mutating func publishLeaves(
    _ value: ConfigValue, _ path: ConfigPath, place: SourceSpan
  ) {
    switch value.content {
    case .null: return
    case .map(let members):
      if members.isEmpty, path != settings.prefix { publish(path, Array("{}".utf8), place) }
      for member in members {
        if member.key.isEmpty {
          report(
            .keyEmpty, member.keySpan, "an empty key can't be a segment of a path",
            hint: "give it a name, or encode the file as a document")
        } else {
          publishLeaves(member.value, path.appending(member.key), place: member.keySpan)
        }
      }
    case .string(let text):
      checkText(text, value)
      publish(path, Array(FileCompiler.unescape(text).utf8), place)
    case .sequence:
      checkKeysAndTexts(value)
      publish(path, unescaped(value).canonicalJSON(nulls: .dropped), place)
    case .boolean, .number: publish(path, value.canonicalJSON(nulls: .dropped), place)
    }
  }

  private mutating func publish(_ path: ConfigPath, _ value: [UInt8], _ place: SourceSpan) {
    guard value.count <= settings.maximumValueBytes else {
      return reportTooLarge(value.count, path, place)
    }
    result.items.append(CompiledItem(path: path, value: value, origin: place))
  }

  private mutating func reportTooLarge(_ count: Int, _ path: ConfigPath, _ place: SourceSpan) {
    report(
      .limitValueBytes, place, key: path,
      "the value has \(count) bytes, more than \(settings.maximumValueBytes)",
      hint: "raise limits.maxValueBytes in configsync.yaml, up to 8MiB, or split it")
  }
}

// MARK: - What this version refuses

extension FileCompiler {
  private static let referenceStarts = ["${/", "${./", "${../"]

  private mutating func checkKeysAndTexts(_ value: ConfigValue) {
    switch value.content {
    case .string(let text): checkText(text, value)
    case .sequence(let items): for item in items { checkKeysAndTexts(item) }
    case .map(let members): for member in members { checkKeysAndTexts(member.value) }
    case .null, .boolean, .number: break
    }
    if case .map(let members) = value.content, members.count == 1, members[0].key == "$sealed" {
      report(
        .featureUnsupported, members[0].keySpan,
        "sealed values are not supported by this version",
        hint: "nothing is published, so that no secret leaks")
    }
  }

  /// A reference that is not resolved would be published as if it were a value.
  private mutating func checkText(_ text: String, _ value: ConfigValue) {
    guard text.contains("${"), FileCompiler.hasReference(text) else { return }
    var start = value.span.start
    if let source = self.text {
      let first = source.offset(value.span.start)
      let end = max(first, source.offset(value.span.end))
      let slice = source.bytes[first..<end]
      let offsets = FileCompiler.referenceStarts.compactMap {
        slice.firstRange(of: Array($0.utf8))?.lowerBound
      }
      if let offset = offsets.min() { start = source.position(offset) }
    }
    report(
      .featureUnsupported, SourceSpan(file: file.path, start: start, end: start),
      "references are not supported by this version",
      hint: "write the value itself, or '$${' for the text as it stands")
  }

  private static func hasReference(_ text: String) -> Bool {
    let escaped = text.replacing("$${", with: "")
    return referenceStarts.contains { escaped.contains($0) }
  }

  /// `$${/` is the text `${/`.
  static func unescape(_ text: String) -> String {
    guard text.contains("$${") else { return text }
    var result = text
    for start in referenceStarts { result = result.replacing("$" + start, with: start) }
    return result
  }

  private func unescaped(_ value: ConfigValue) -> ConfigValue {
    var value = value
    switch value.content {
    case .string(let text): value.content = .string(FileCompiler.unescape(text))
    case .sequence(let items): value.content = .sequence(items.map(unescaped))
    case .map(let members):
      value.content = .map(
        members.map { member in
          var member = member
          member.value = unescaped(member.value)
          return member
        })
    case .null, .boolean, .number: break
    }
    return value
  }

  /// The root `$schema` is not published; one that the repository holds would have to be checked.
  private mutating func withoutSchema(_ value: ConfigValue) -> ConfigValue {
    checkSchemaComment()
    guard case .map(let members) = value.content,
      let schema = members.first(where: { $0.key == "$schema" }),
      case .string(let target) = schema.value.content
    else { return value }
    checkSchema(target, at: schema.value.span)
    let rest = members.filter { $0.key != "$schema" }
    // What held nothing but its schema publishes nothing.
    return ConfigValue(rest.isEmpty ? .null : .map(rest), at: value.span)
  }

  private mutating func checkSchemaComment() {
    guard let text, FileParser.format(of: file.path) == .yaml else { return }
    let marker = Array("# yaml-language-server: $schema=".utf8)
    guard let range = text.bytes.firstRange(of: marker) else { return }
    let target = text.bytes[range.upperBound...].prefix { $0 > 0x20 }
    checkSchema(
      String(decoding: target, as: UTF8.self),
      at: text.span(range.upperBound, range.upperBound + target.count))
  }

  private mutating func checkSchema(_ target: String, at span: SourceSpan) {
    if target.contains("://") {
      result.diagnostics.append(
        Diagnostic(
          .featureUnsupported, .note, at: span,
          "the schema is not checked by this version",
          hint: "it names a URL, which is never fetched"))
    } else {
      report(
        .featureUnsupported, span, "schemas are not supported by this version",
        hint: "it is refused, not ignored: the file would not be checked")
    }
  }
}

extension ConfigValue {
  var isMap: Bool { if case .map = content { true } else { false } }
}
