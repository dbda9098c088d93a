import Compiler
import ConfigModel
import Testing

struct ExplanationTests {
  private static let files: [String: String] = [
    "configsync.yaml": """
    apiVersion: configsync/v1
    layers:
      production: [base, eu]
    """,
    "base/db.yaml": "pool: {size: 10, name: main}\nhost: ${/shared/host}\n",
    "eu/db.toml": "[pool]\nsize = 20\n",
    "production/db.json": #"{"pool": {"size": 50, "name": null}}"#,
    "shared.yaml": "host: db.internal\n",
    "motd.conf": "hello",
  ]

  private func explain(_ key: String, in files: [String: String] = files) -> [Explanation] {
    let tree = SourceTree(contents: files.mapValues { Array($0.utf8) })
    return Compiler.explain(ConfigPath(escaped: key), in: tree, compile(tree))
  }

  private func lines(_ explanation: Explanation) -> [String] {
    explanation.steps.map { step in
      let start = step.span.start
      return "\(step.span.file):\(start.line):\(start.column) \(step.text) \(step.verdict)"
    }
  }

  @Test func everyLayerIsShownFromTheHighestDown() throws {
    let found = explain("/production/db/pool/size")
    #expect(found.count == 1)
    #expect(
      lines(found[0]) == [
        "production/db.json:1:11 50 wins", "eu/db.toml:2:1 20 overridden",
        "base/db.yaml:1:8 10 overridden",
      ])
    #expect(found[0].value.map { String(decoding: $0, as: UTF8.self) } == "50")
  }

  @Test func whatIsTakenAwayIsShownToo() {
    let found = explain("/production/db/pool/name")
    #expect(
      found.map(lines) == [
        ["production/db.json:1:23 null removes", "base/db.yaml:1:18 main overridden"]
      ])
    #expect(found[0].value == nil)
  }

  @Test func referencesAreFollowed() {
    let found = explain("/production/db/host")
    #expect(found.map(\.key.text) == ["/production/db/host", "/shared/host"])
    #expect(found[0].links.map(\.target.text) == ["/shared/host"])
    #expect(found[0].links.map(\.span.start.column) == [7])
    #expect(found[1].value.map { String(decoding: $0, as: UTF8.self) } == "db.internal")
  }

  @Test func whatStandsInTheWayIsShown() {
    let files = [
      "configsync.yaml": "apiVersion: configsync/v1\nlayers: {50%: [base, eu]}\n",
      "base/app.yaml": "a: {x: 1}\n", "eu/app.yaml": "a: off\n", "50%/app.yaml": "a: {y: 2}\n",
    ]
    let found = explain("/50%25/app/a/x", in: files)
    #expect(
      found.map(lines) == [["eu/app.yaml:1:1 off removes", "base/app.yaml:1:5 1 overridden"]])
    #expect(found.map(\.value) == [nil])
    #expect(
      explain("/50%25/app/a", in: files).map(lines) == [
        [
          #"50%/app.yaml:1:1 {"y":2} folder"#, "eu/app.yaml:1:1 off overridden",
          #"base/app.yaml:1:1 {"x":1} overridden"#,
        ]
      ])
  }

  @Test func referencesInsideADocumentCountFromTheirOwnMap() {
    let files = [
      "configsync.yaml": "apiVersion: configsync/v1\nencode: document\n",
      "app.yaml": "x: 1\np: {x: 2, y: '${./x}'}\n",
    ]
    #expect(explain("/app", in: files).flatMap(\.links).map(\.target.text) == ["/app/p/x"])
  }

  @Test func aKeyThatNobodyKnowsHasNoExplanation() { #expect(explain("/production/no").isEmpty) }
}
