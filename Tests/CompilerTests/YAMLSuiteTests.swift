import ConfigModel
import Foundation
import Testing

@testable import Compiler

/// The cases of yaml-test-suite, where it is beside the project.
struct YAMLSuiteTests {
  private static let suite = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../../../shared/data/yaml-test-suite").standardized
  private static let isThere = FileManager.default.fileExists(atPath: suite.path)

  private struct Case {
    var name: String
    var yaml: [UInt8]
    /// nil where the case has none.
    var json: [UInt8]?
    var isError: Bool
  }

  /// What the product refuses on purpose (FORMAT 5, 7, 8).
  private static let refusals: Set<DiagnosticCode> = [
    .yamlDocuments, .yamlTag, .yamlVersion, .keyComplex, .keyDuplicate, .yamlMerge,
  ]

  // Where libyaml differs from YAML 1.2. Of each list every case must differ so: one that is mended shows.

  /// It refuses what is well-formed: tabs, unusual indentation, `?` and `:` beside signs, unknown directives.
  private static let refused: Set<String> = [
    "2JQS", "2LFX", "2SXE", "4ABK", "4MUZ/00", "4MUZ/01", "4MUZ/02", "58MP", "5MUD", "5T43",
    "6BCT", "6CA3", "6LVF", "6M2F", "7Z25", "8XYN", "96NN/00", "96NN/01", "9SA2", "A2M4", "CFD4",
    "DBG4", "DK3J", "DK95/00", "DK95/03", "DK95/04", "FP8R", "FRK4", "HM87/00", "HWV9", "K3WX",
    "M2N8/00", "M7A3", "MUS6/05", "MUS6/06", "NHX8", "NJ66", "NKF9", "Q5MG", "QT73", "R4YG",
    "S3PD", "SM9W/01", "UKK6/00", "UT92", "VJP3/01", "W4TN", "W5VH", "Y79Y/001", "Y79Y/010",
  ]
  /// It takes what is malformed: comments without a space before them, flow collections that are indented too
  /// little, tabs.
  private static let taken: Set<String> = [
    "9C9N", "9JBA", "CVW2", "DK95/01", "G5U8", "QB6E", "S98Z", "SU5Z", "X4QW", "Y79Y/003", "YJV2",
  ]
  /// It gives another value: `?x` in a flow collection, a colon in the name of an anchor, white space at the end of
  /// a block scalar.
  private static let others: Set<String> = [
    "652Z", "HM87/01", "JEF9/02", "L24T/01", "Y2GN",
  ]

  private static func read(_ folder: URL, _ file: String) throws -> [UInt8]? {
    let url = folder.appendingPathComponent(file)
    guard FileManager.default.fileExists(atPath: url.path) else { return nil }
    return Array(try Data(contentsOf: url))
  }

  /// A case is a folder with `in.yaml`, or a folder of such folders.
  private static func cases() throws -> [Case] {
    let walk = try FileManager.default.subpathsOfDirectory(atPath: suite.path).sorted()
    let folders = walk.filter {
      $0.hasSuffix("/in.yaml") && !$0.hasPrefix("name/") && !$0.hasPrefix("tags/")
    }
    return try folders.compactMap { path in
      let name = String(path.dropLast("/in.yaml".count))
      let folder = suite.appendingPathComponent(name)
      guard let yaml = try read(folder, "in.yaml") else { return nil }
      return Case(
        name: name, yaml: yaml, json: try read(folder, "in.json"),
        isError: FileManager.default.fileExists(atPath: folder.path + "/error"))
    }
  }

  private static func parse(_ item: Case) -> (value: ConfigValue?, diagnostics: [Diagnostic]) {
    var diagnostics: [Diagnostic] = []
    guard let text = SourceText.decode(item.yaml, file: "in.yaml", &diagnostics) else {
      return (nil, diagnostics)
    }
    let value = YAMLComposer.parse(text, &diagnostics)
    return (diagnostics.hasErrors ? nil : value, diagnostics)
  }

  /// The value of a text that the suite calls JSON; nil if there are several, or none.
  private static func json(_ bytes: [UInt8]) -> ConfigValue? {
    var diagnostics: [Diagnostic] = []
    guard let text = SourceText.decode(bytes, file: "in.json", &diagnostics) else { return nil }
    let value = JSONParser.parse(text, &diagnostics)
    return diagnostics.isEmpty ? value : nil
  }

  private static func isEqual(_ left: ConfigValue, _ right: ConfigValue) -> Bool {
    left.canonicalJSON(nulls: .kept) == right.canonicalJSON(nulls: .kept)
  }

  private enum Difference: Equatable { case refused, taken, other }

  /// How the product differs from the suite; nil if it doesn't.
  private static func judge(_ item: Case) -> Difference? {
    let (value, diagnostics) = parse(item)
    let codes = diagnostics.map(\.code)
    if item.isError { return value == nil ? nil : .taken }
    if codes.contains(where: refusals.contains) { return nil }
    guard let value else { return .refused }
    guard let json = item.json,
      let expected = json.allSatisfy({ $0 <= 0x20 })
        ? ConfigValue(.null, at: SourceSpan(file: "")) : self.json(json)
    else { return nil }
    return isEqual(value, expected) ? nil : .other
  }

  @Test(.enabled(if: YAMLSuiteTests.isThere, "yaml-test-suite is not here"))
  func everyCaseGivesItsJSONOrIsRefusedByName() throws {
    let cases = try Self.cases()
    #expect(cases.count > 300)
    var compared = 0
    for item in cases {
      if item.json != nil, !item.isError { compared += 1 }
      let known: Difference? =
        Self.refused.contains(item.name)
        ? .refused
        : Self.taken.contains(item.name) ? .taken : Self.others.contains(item.name) ? .other : nil
      #expect(Self.judge(item) == known, "\(item.name)")
    }
    #expect(compared > 200)
  }
}
