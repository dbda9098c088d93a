import ConfigModel
import Jsonnet

/// Says where in the repository an evaluation failed.
struct JsonnetReport {
  let sources: JsonnetSources
  /// What was imported until it failed.
  let imports: Set<JsonnetResult.ImportRequest>
  private static let importers = 10

  /// - Parameter program: the file that was evaluated.
  func diagnostic(of failure: JsonnetFailure, in program: String) -> Diagnostic {
    let places = failure.places.compactMap(span)
    let place = places.first ?? SourceSpan(file: program)
    let code: DiagnosticCode
    var hint: String?
    switch failure.kind {
    case .syntax: code = .jsonnetSyntax
    case .runtime: code = .jsonnetRuntime
    case .importing:
      code = .jsonnetImport
      hint = "an import is a file of the same commit, relative to the file that imports it"
    case .limit: code = .limitJsonnet
    case .unavailable:
      code = .jsonnetUnavailable
      hint = "nothing is published that could not be checked"
    }
    var related: [Diagnostic.Related] = []
    if !place.file.utf8.elementsEqual(program.utf8),
      let importer = places.first(where: { !$0.file.utf8.elementsEqual(place.file.utf8) })
        ?? importer(of: place.file)
    {
      related = [.init(importer, "it is imported from here")]
    }
    return Diagnostic(code, at: place, firstLine(failure.message), hint: hint, related: related)
  }

  /// An error may say anything, over many lines.
  private func firstLine(_ message: String) -> String {
    let lines = message.split(separator: "\n")
    guard let first = lines.first else { return "it failed without a message" }
    return lines.count > 1 ? first + " …" : String(first)
  }

  /// nil for a place in no file of the repository.
  private func span(_ place: JsonnetPlace) -> SourceSpan? {
    guard let text = sources.texts[ConfigPath(escaped: place.file)] else { return nil }
    return SourceSpan(
      file: place.file, start: text.position(line: place.start.line, byte: place.start.column),
      end: text.position(line: place.end.line, byte: place.end.column))
  }

  /// Where a file is imported: a place is given for what is called alone, and none for a file that can't be parsed.
  private func importer(of file: String) -> SourceSpan? {
    let path = ConfigPath(escaped: file)
    let requests = imports.filter { sources.path(of: $0) == path }
      .sorted { ($0.folder, $0.path) < ($1.folder, $1.path) }
    // A library that half of the repository imports is found by the first of them.
    for request in requests.prefix(JsonnetReport.importers) {
      for (name, text) in sources.texts.sorted(by: { $0.key < $1.key }) where name != path {
        let folder = ConfigPath.segments(of: name.text).dropLast().map { $0 + "/" }.joined()
        guard folder == request.folder, let place = place(of: request.path, in: text) else {
          continue
        }
        return place
      }
    }
    return nil
  }

  /// The `import` whose path is a literal text.
  private func place(of path: String, in text: SourceText) -> SourceSpan? {
    var start = 0
    while let found = text.bytes[start...].firstRange(of: Array("import".utf8)) {
      start = found.upperBound
      var rest = text.bytes[start...]
      if rest.starts(with: "str".utf8) { rest = rest.dropFirst(3) }
      rest = rest.drop { $0 <= 0x20 || $0 == UInt8(ascii: "@") }
      guard let quote = rest.popFirst(), "'\"".utf8.contains(quote),
        rest.starts(with: path.utf8), rest.dropFirst(path.utf8.count).first == quote
      else { continue }
      return text.span(found.lowerBound, rest.startIndex + path.utf8.count + 1)
    }
    return nil
  }
}
