import ConfigModel

/// The findings of a tree in the documented JSON shape.
public struct JSONReport: Encodable, Sendable {
  public struct Place: Encodable, Sendable {
    var file: String
    var line: Int
    var column: Int
    var message: String
  }

  public struct Finding: Encodable, Sendable {
    var code: String
    var severity: String
    var file: String
    var line: Int
    var column: Int
    var endLine: Int
    var endColumn: Int
    var key: String?
    var message: String
    var hint: String?
    var related: [Place]
  }

  var ok: Bool
  var files: Int
  var keys: Int
  var diagnostics: [Finding]

  public init(_ compilation: Compilation) {
    ok = !compilation.diagnostics.hasErrors
    files = compilation.fileCount
    keys = compilation.keySpace?.count ?? 0
    diagnostics = compilation.diagnostics.map(Finding.init)
  }
}

extension JSONReport.Finding {
  init(_ diagnostic: Diagnostic) {
    let span = diagnostic.span
    self.init(
      code: diagnostic.code.rawValue, severity: diagnostic.severity.rawValue, file: span.file,
      line: span.start.line, column: span.start.column, endLine: span.end.line,
      endColumn: span.end.column, key: diagnostic.key?.text, message: diagnostic.message,
      hint: diagnostic.hint,
      related: diagnostic.related.map {
        JSONReport.Place(
          file: $0.span.file, line: $0.span.start.line, column: $0.span.start.column,
          message: $0.message)
      })
  }
}
