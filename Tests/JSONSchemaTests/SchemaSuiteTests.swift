import ConfigModel
import Foundation
import TestSupport
import Testing

@testable import Compiler
@testable import JSONSchema

/// The official JSON-Schema-Test-Suite, where it is beside the project.
struct SchemaSuiteTests {
  private static let suite = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../../../shared/data/json-schema-test-suite").standardized

  /// Tests that are not kept, and why.
  private static let excused = [
    "draft2020-12/optional/cross-draft.json": "other drafts are refused by name",
    "draft7/optional/cross-draft.json": "other drafts are refused by name",
  ]

  static func parse(_ bytes: [UInt8], _ file: String) throws -> ConfigValue {
    var diagnostics: [Diagnostic] = []
    let text = try #require(SourceText.decode(bytes, file: file, &diagnostics))
    return try #require(JSONParser.parse(text, &diagnostics), "\(file): \(diagnostics)")
  }

  /// What the suite serves under http://localhost:1234.
  private static func remote(_ request: SchemaRequest) -> SchemaDocument? {
    let host = "http://localhost:1234/"
    guard request.uri.hasPrefix(host) else { return nil }
    let path = suite.appendingPathComponent("remotes/" + request.uri.dropFirst(host.count))
    guard let data = try? Data(contentsOf: path), let root = try? parse(Array(data), path.path)
    else { return nil }
    return SchemaDocument(uri: request.uri, root: root)
  }

  private static func files(_ folder: String) throws -> [URL] {
    let base = suite.appendingPathComponent(folder)
    return try FileManager.default.contentsOfDirectory(
      at: base, includingPropertiesForKeys: nil
    ).filter { $0.pathExtension == "json" }.sorted { $0.path < $1.path }
  }

  private static func text(_ value: ConfigValue?) -> String {
    if case .string(let text)? = value?.content { text } else { "" }
  }

  private struct Tally {
    var count = 0
    var failures: [String] = []
  }

  private static func run(
    _ folder: String, draft: String, _ formats: FormatAssertion
  ) throws -> Tally {
    var tally = Tally()
    for file in try files(folder) {
      guard
        case .sequence(let groups) = try parse(
          Array(Data(contentsOf: file)), file.lastPathComponent
        ).content
      else { continue }
      for group in groups {
        guard var schema = group["schema"], case .sequence(let tests)? = group["tests"]?.content
        else { continue }
        // Draft-07 tests do not say what they are.
        if case .map(let members) = schema.content, schema["$schema"] == nil {
          let place = SourceSpan(file: "")
          schema.content = .map(
            members + [
              .init(key: "$schema", keySpan: place, value: ConfigValue(.string(draft), at: place))
            ])
        }
        let (program, problems) = SchemaProgram.compile(
          SchemaDocument(uri: "suite:///\(file.lastPathComponent)", root: schema),
          formats: formats, undeclared: .inherited, load: remote)
        for test in tests {
          tally.count += 1
          let name =
            "\(folder)/\(file.lastPathComponent): \(text(group["description"])): "
            + text(test["description"])
          guard let program, let value = test["data"] else {
            tally.failures.append("\(name): \(problems.map(\.message))")
            continue
          }
          let findings = program.check(value).findings
          let expected = test["valid"]?.content == .boolean(true)
          if findings.isEmpty != expected {
            tally.failures.append("\(name): \(findings.map(\.message))")
          }
        }
      }
    }
    return tally
  }

  private static let isThere = FileManager.default.fileExists(atPath: suite.path)

  @Test(
    .enabled(if: SchemaSuiteTests.isThere, "the test suite of JSON Schema is not here"),
    arguments: [
      ("draft2020-12", "https://json-schema.org/draft/2020-12/schema", 1299),
      ("draft7", "http://json-schema.org/draft-07/schema#", 927),
    ])
  func requiredTestsAreKept(folder: String, draft: String, count: Int) throws {
    let tally = try SchemaSuiteTests.run(folder, draft: draft, .byVocabulary)
    #expect(tally.count >= count)
    #expect(tally.failures.isEmpty, "\(tally.failures.joined(separator: "\n"))")
  }

  @Test(
    .enabled(if: SchemaSuiteTests.isThere, "the test suite of JSON Schema is not here"),
    arguments: [
      ("draft2020-12/optional", "https://json-schema.org/draft/2020-12/schema"),
      ("draft2020-12/optional/format", "https://json-schema.org/draft/2020-12/schema"),
      ("draft7/optional", "http://json-schema.org/draft-07/schema#"),
      ("draft7/optional/format", "http://json-schema.org/draft-07/schema#"),
    ])
  func optionalTestsAreKept(folder: String, draft: String) throws {
    let tally = try SchemaSuiteTests.run(folder, draft: draft, .always)
    #expect(tally.count > 50)
    let unexpected = tally.failures.filter { failure in
      !SchemaSuiteTests.excused.keys.contains { failure.hasPrefix($0) }
    }
    #expect(unexpected.isEmpty, "\(unexpected.joined(separator: "\n"))")
  }
}
