public import ConfigModel

/// Findings as SARIF 2.1.0 (OASIS), which code hosts show beside the lines.
public struct SARIFReport: Encodable, Sendable {
  /// Results of one run that GitHub takes.
  private static let limit = 25_000

  private enum CodingKeys: String, CodingKey {
    case schema = "$schema"
    case version, runs
  }

  private let schema = "https://json.schemastore.org/sarif-2.1.0.json"
  private let version = "2.1.0"
  private let runs: [Run]

  public init(_ diagnostics: [Diagnostic]) {
    let shown = diagnostics.mostRelevant(SARIFReport.limit)
    let codes = Set(shown.map(\.code)).sorted { $0.rawValue < $1.rawValue }
    let rules = codes.map { Rule(id: $0.rawValue, name: $0.rawValue) }
    let places = Dictionary(uniqueKeysWithValues: codes.enumerated().map { ($1, $0) })
    let results = shown.map { Result($0, rule: places[$0.code] ?? 0) }
    runs = [Run(tool: Tool(driver: Driver(rules: rules)), results: results)]
  }

  fileprivate struct Run: Encodable {
    var tool: Tool
    var columnKind = "unicodeCodePoints"
    var results: [Result]
  }

  fileprivate struct Tool: Encodable { var driver: Driver }

  fileprivate struct Driver: Encodable {
    var name = "configsync"
    var rules: [Rule]
  }

  fileprivate struct Rule: Encodable {
    var id: String
    var name: String
  }

  fileprivate struct Text: Encodable { var text: String }

  fileprivate struct Artifact: Encodable {
    var uri: String
    var uriBaseId = "%SRCROOT%"
  }

  fileprivate struct Region: Encodable {
    var startLine: Int
    var startColumn: Int
    var endLine: Int?
    var endColumn: Int?
  }

  fileprivate struct Physical: Encodable {
    var artifactLocation: Artifact
    var region: Region
  }

  fileprivate struct Location: Encodable {
    var id: Int?
    var message: Text?
    var physicalLocation: Physical
  }

  fileprivate struct Result: Encodable {
    var ruleId: String
    var ruleIndex: Int
    var level: String
    var message: Text
    var locations: [Location]
    var relatedLocations: [Location]

    init(_ diagnostic: Diagnostic, rule: Int) {
      ruleId = diagnostic.code.rawValue
      ruleIndex = rule
      level = diagnostic.severity.rawValue
      let hint = diagnostic.hint.map { "\n\($0)" } ?? ""
      message = Text(text: diagnostic.message + hint)
      locations = [Location(physicalLocation: Physical(diagnostic.span))]
      relatedLocations = diagnostic.related.enumerated().map { index, related in
        Location(
          id: index + 1, message: Text(text: related.message),
          physicalLocation: Physical(related.span))
      }
    }
  }
}

extension SARIFReport.Physical {
  fileprivate init(_ span: SourceSpan) {
    let hasEnd = span.end > span.start
    self.init(
      artifactLocation: .init(uri: RepositoryPath.escaped(span.file)),
      region: .init(
        startLine: span.start.line, startColumn: span.start.column,
        endLine: hasEnd ? span.end.line : nil, endColumn: hasEnd ? span.end.column : nil))
  }
}
