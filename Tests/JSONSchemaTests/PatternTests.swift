import ConfigModel
import Foundation
import Testing

@testable import Compiler
@testable import JSONSchema

struct PatternTests {
  private struct Case {
    var pattern: String
    var text: String
    /// nil: the pattern is malformed.
    var isFound: Bool?
  }

  /// `[pattern, text, verdict]` a line; the verdicts are those of another engine.
  private static func cases() throws -> [Case] {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Fixtures/patterns.jsonl")
    let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
    return try lines.map { line in
      let value = try SchemaSuiteTests.parse(Array(line.utf8), "patterns.jsonl")
      guard case .sequence(let items) = value.content, items.count == 3,
        case .string(let pattern) = items[0].content, case .string(let text) = items[1].content
      else { throw CocoaError(.fileReadCorruptFile) }
      let verdict: Bool? = if case .boolean(let flag) = items[2].content { flag } else { nil }
      return Case(pattern: pattern, text: text, isFound: verdict)
    }
  }

  @Test func everyVerdictIsThatOfAnotherEngine() throws {
    let cases = try PatternTests.cases()
    #expect(cases.count >= 400)
    for item in cases {
      var steps = SchemaProgram.steps
      let pattern = try? Pattern(item.pattern)
      #expect((pattern == nil) == (item.isFound == nil), "/\(item.pattern)/")
      guard let pattern, let expected = item.isFound else { continue }
      #expect(
        pattern.isFound(in: item.text, steps: &steps) == expected, "/\(item.pattern)/ \(item.text)")
    }
  }

  @Test(arguments: [
    "]", "}", "{", "a{", "a{,5}", "{a}", "\\-", "\\_", "\\@", "[\\w-.]", "[a-\\d]", "\\/",
  ])
  func whatSchemasOftenHoldIsUnderstood(pattern: String) throws {
    _ = try Pattern(pattern)
  }

  @Test(arguments: ["(a*)*b", "(a|a)*b", "(a|aa)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)*x"])
  func noPatternWithoutBackreferencesIsSlow(pattern: String) throws {
    var steps = SchemaProgram.steps
    let text = String(repeating: "a", count: 2000) + "!"
    #expect(try Pattern(pattern).isFound(in: text, steps: &steps) == false)
    #expect(steps > SchemaProgram.steps / 2)
  }

  @Test func aPatternThatTakesTooLongIsGivenUp() throws {
    var steps = 100_000
    let text = String(repeating: "a", count: 60)
    #expect(try Pattern("^(a|a)*\\1b$").isFound(in: text, steps: &steps) == nil)
  }

  @Test func countsThatAreWrittenOutHaveALimit() {
    #expect(throws: PatternError.self) { try Pattern("((a{200}){200}){200}") }
    #expect(throws: PatternError.self) { try Pattern(String(repeating: "(", count: 200)) }
  }
}
