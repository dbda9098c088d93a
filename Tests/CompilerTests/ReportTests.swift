import Compiler
import ConfigModel
import Foundation
import Testing

/// Findings as other programs read them.
struct ReportTests {
  private func finding(
    _ code: DiagnosticCode = .schemaType, _ severity: Diagnostic.Severity = .error,
    file: String = "config/a b.yaml", line: Int = 2, _ message: String = "expected an integer"
  ) -> Diagnostic {
    let span = SourceSpan(
      file: file, start: SourcePosition(line: line, column: 3),
      end: SourcePosition(line: line, column: 7))
    return Diagnostic(
      code, severity, at: span, message, hint: "write one",
      related: [.init(SourceSpan(file: "schemas/a.json"), "the schema says so here")])
  }

  @Test func sarifNamesRuleLevelAndPlace() throws {
    let report = SARIFReport([finding(), finding(.schemaUnchecked, .note, line: 1)])
    let data = try JSONEncoder().encode(report)
    let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(object["version"] as? String == "2.1.0")
    let run = try #require((object["runs"] as? [[String: Any]])?.first)
    #expect(run["columnKind"] as? String == "unicodeCodePoints")
    let results = try #require(run["results"] as? [[String: Any]])
    // Errors first.
    #expect(results.map { $0["level"] as? String } == ["error", "note"])
    #expect(results.map { $0["ruleId"] as? String } == ["schema.type", "schema.unchecked"])
    let tool = try #require(run["tool"] as? [String: Any])
    let driver = try #require(tool["driver"] as? [String: Any])
    let rules = try #require(driver["rules"] as? [[String: Any]])
    #expect(rules.map { $0["id"] as? String } == ["schema.type", "schema.unchecked"])
    #expect(results.map { $0["ruleIndex"] as? Int } == [0, 1])
    let location = try #require((results[0]["locations"] as? [[String: Any]])?.first)
    let physical = try #require(location["physicalLocation"] as? [String: Any])
    let artifact = try #require(physical["artifactLocation"] as? [String: Any])
    #expect(artifact["uri"] as? String == "config/a%20b.yaml")
    let region = try #require(physical["region"] as? [String: Int])
    #expect(region == ["startLine": 2, "startColumn": 3, "endLine": 2, "endColumn": 7])
    #expect((results[0]["relatedLocations"] as? [[String: Any]])?.count == 1)
  }

  @Test func junitIsXMLWithATestForEachFinding() throws {
    let text = JUnitReport.render([
      finding("<a> & \"b\"\u{1}\n]]>"), finding(.schemaKeyword, .warning),
    ])
    #expect(text.contains("tests=\"2\" failures=\"1\""))
    #expect(text.contains("message=\"&lt;a&gt; &amp; &quot;b&quot;\u{fffd}&#10;]]&gt;\""))
    #expect(text.components(separatedBy: "<testcase ").count == 3)
    #expect(text.contains("<system-out>warning: "))
    #expect(JUnitReport.render([Diagnostic]()).contains("tests=\"1\" failures=\"0\""))
  }

  private func finding(_ message: String) -> Diagnostic {
    finding(.schemaType, .error, message)
  }

  @Test func githubKeepsTenOfAKindAndCountsTheRest() {
    let many = (1...12).map { finding(.schemaType, .error, line: $0) }
    let lines = GitHubReport.render([finding(.schemaUnchecked, .note)] + many)
      .split(separator: "\n")
    #expect(lines.count(where: { $0.hasPrefix("::error ") }) == 10)
    #expect(lines.count(where: { $0.hasPrefix("::notice ") }) == 1)
    #expect(lines.first?.hasPrefix("::error file=config/a b.yaml,line=1,col=3,") == true)
    #expect(lines.contains("… and 2 more errors, which GitHub would not keep:"))
  }

  @Test func noTextOfAFindingIsACommand() {
    let text = GitHubReport.render([
      finding(.policyViolation, .error, file: "a,b:c.yaml", "x\n::error::forged\r%0A")
    ])
    #expect(text.split(separator: "\n").count == 1)
    #expect(text.contains("file=a%2Cb%3Ac.yaml,"))
    #expect(text.contains("x%0A::error::forged%0D%250A%0Awrite one"))
  }

  @Test func whatDecidesIsShownWhateverStandsBeforeIt() {
    let warnings = (1...HumanRenderer.limit).map {
      finding(.schemaKeyword, .warning, file: "a.yaml", line: $0)
    }
    let text = HumanRenderer(.plain) { _ in nil }.render(warnings + [finding(file: "z.yaml")])
    #expect(text.contains("z.yaml:2:3: error: expected an integer [schema.type]"))
    #expect(text.hasSuffix("… and 1 more findings\n"))
  }

  @Test func aDiffIsSortedAndKnowsBothSources() {
    func keySpace(_ items: [(String, String)]) -> KeySpace {
      KeySpace(
        items.map { key, value in
          (
            ConfigPath(escaped: key),
            KeySpace.Item(value: Array(value.utf8), origin: SourceSpan(file: value))
          )
        })
    }
    let diff = KeySpaceDiff(
      from: keySpace([("/a", "1"), ("/b", "1"), ("/d", "1")]),
      to: keySpace([("/b", "2"), ("/c", "1"), ("/d", "1"), ("/e", "1")]))
    #expect(
      diff.changes.map { "\($0.kind) \($0.key)" } == [
        "removed /a", "changed /b", "added /c", "added /e",
      ])
    #expect(diff.changes.map { $0.old?.origin.file } == ["1", "1", nil, nil])
    #expect(diff.changes.map { $0.new?.origin.file } == [nil, "2", "1", "1"])
  }

  @Test func noLineBeyondTheLimitIsACommandEither() {
    let many = (1...12).map { line in
      finding(.schemaType, .error, file: "::stop-commands::x\(line)", "##[add-mask]e\u{1b}[31m")
    }
    let lines = GitHubReport.render(many).split(separator: "\n").filter {
      !$0.hasPrefix("::error ")
    }
    #expect(lines.count == 3)
    #expect(!lines.contains { $0.drop { $0 == " " }.hasPrefix("::") || $0.contains("##[") })
    #expect(!GitHubReport.render(many).contains("\u{1b}"))
  }

  /// To Swift's characters the sign before `#` makes it another one; to the runner it does not.
  @Test func noSignBeforeACommandHidesIt() {
    let many = (1...12).map { line in
      finding(.schemaType, .error, file: "x\(line)", "\u{600}##[add-mask]e \u{600}::x")
    }
    let text = GitHubReport.render(many).split(separator: "\n").last.map(String.init) ?? ""
    #expect(text.utf8.firstRange(of: "e \u{600}: :x".utf8) != nil)
    #expect(text.utf8.firstRange(of: "\u{600}## [add-mask]".utf8) != nil)
  }
}
