import Compiler
import ConfigModel
import Testing

/// Who may change what, by the commit before.
struct OwnerTests {
  private static let settings = """
    apiVersion: configsync/v1
    owners:
      /payments/: [Alice@example.com]
      /payments/shared: [alice@example.com, bob@example.com]

    """

  private func tree(_ files: [String: String]) -> SourceTree {
    SourceTree(contents: files.mapValues { Array($0.utf8) })
  }

  private func denied(
    from old: [String: String]?, to new: [String: String], by author: String?
  ) -> [String] {
    let before = old.map { tree($0) }
    let history = CommitHistory(by: author.map { [$0] }) { $0 == 1 ? before : nil }
    let compilation = compile(tree(new), after: history)
    #expect(compilation.diagnostics.allSatisfy { $0.code == .ownerDenied })
    #expect((compilation.keySpace == nil) == !compilation.diagnostics.isEmpty)
    return compilation.diagnostics.map { "\($0.key?.text ?? "") \($0.span.file)" }
  }

  private let base = [
    "configsync.yaml": OwnerTests.settings, "payments/api.yaml": "limit: 1\n",
    "payments/shared/x.yaml": "a: 1\n", "other.yaml": "a: 1\n",
  ]

  private func changed(_ changes: [String: String?]) -> [String: String] {
    var files = base
    for (path, content) in changes { files[path] = content }
    return files
  }

  @Test func anOwnerMayChangeWhatIsBelowThePrefix() {
    let new = changed(["payments/api.yaml": "limit: 2\n"])
    #expect(denied(from: base, to: new, by: "alice@EXAMPLE.com") == [])
    #expect(
      denied(from: base, to: new, by: "bob@example.com") == [
        "/payments/api/limit payments/api.yaml"
      ])
  }

  @Test func theLongestPrefixCounts() {
    let new = changed(["payments/shared/x.yaml": "a: 2\n"])
    #expect(denied(from: base, to: new, by: "bob@example.com") == [])
  }

  @Test func aPrefixEndsAtASegment() {
    let new = changed(["paymentsx.yaml": "a: 2\n"])
    #expect(denied(from: base, to: new, by: "eve@example.com") == [])
  }

  @Test func removingIsChangingToo() {
    let new = changed(["payments/api.yaml": nil])
    #expect(
      denied(from: base, to: new, by: "bob@example.com") == [
        "/payments/api/limit payments/api.yaml"
      ])
  }

  @Test func whatNobodyOwnsAnyoneMayChange() {
    #expect(denied(from: base, to: changed(["other.yaml": "a: 2\n"]), by: "eve@example.com") == [])
  }

  @Test func noCommitGrantsItselfARight() {
    let mine = Self.settings.replacing("Alice@example.com", with: "eve@example.com")
    let new = changed(["configsync.yaml": mine, "payments/api.yaml": "limit: 2\n"])
    #expect(
      denied(from: base, to: new, by: "eve@example.com")
        == ["/payments configsync.yaml", "/payments/api/limit payments/api.yaml"])
    // Nor may two commits do it, or one that takes the owners away.
    #expect(
      denied(from: base, to: changed(["configsync.yaml": mine]), by: "eve@example.com")
        == ["/payments configsync.yaml"])
    let none = changed(["configsync.yaml": "apiVersion: configsync/v1\n"])
    #expect(denied(from: base, to: none, by: "eve@example.com").count == 2)
    let inside = Self.settings + "  /payments/api: [eve@example.com]\n"
    #expect(
      denied(from: base, to: changed(["configsync.yaml": inside]), by: "eve@example.com")
        == ["/payments/api configsync.yaml"])
  }

  @Test func theFirstCommitIsJudgedByItsOwnOwners() {
    #expect(denied(from: nil, to: base, by: "alice@example.com") == [])
    #expect(
      denied(from: nil, to: base, by: "bob@example.com") == [
        "/payments/api/limit payments/api.yaml"
      ])
  }

  @Test func whatIsNoCommitYetHasNoAuthor() {
    #expect(denied(from: base, to: changed(["payments/api.yaml": "limit: 2\n"]), by: nil) == [])
  }

  @Test func nothingOfACommitThatDoesNotCompileCounts() {
    let mine = Self.settings.replacing("Alice@example.com", with: "eve@example.com")
    let broken = tree(changed(["configsync.yaml": mine, "other.yaml": "a: [\n"]))
    let good = tree(base)
    let history = CommitHistory(by: ["eve@example.com"]) {
      [broken, good].indices.contains($0 - 1) ? [broken, good][$0 - 1] : nil
    }
    let new = tree(changed(["configsync.yaml": mine, "payments/api.yaml": "limit: 2\n"]))
    #expect(compile(new, after: history).diagnostics.map(\.code) == [.ownerDenied, .ownerDenied])
  }

  @Test func whatCanNotBeToldIsAnError() {
    struct Missing: Error {}
    let shallow = CommitHistory(by: ["alice@example.com"]) { _ in throw Missing() }
    #expect(compile(tree(base), after: shallow).diagnostics.map(\.code) == [.historyUnknown])
    let broken = tree(["a.yaml": "a: ["])
    let endless = CommitHistory(by: ["alice@example.com"]) { _ in broken }
    #expect(compile(tree(base), after: endless).diagnostics.map(\.code) == [.historyUnknown])
    // Without policies and owners nobody asks.
    let plain = tree(["a.yaml": "a: 1\n"])
    #expect(compile(plain, after: CommitHistory(by: nil) { $0 == 1 ? plain : nil }).keySpace != nil)
  }

  @Test func thoseOfAFolderAboveMayChangeWhoOwnsWhatIsInside() {
    let nobody = Self.settings.replacing(", bob@example.com", with: "")
    #expect(
      denied(from: base, to: changed(["configsync.yaml": nobody]), by: "alice@example.com") == [])
  }

  @Test func anAddressThatOnlyLooksAlikeIsAnothers() {
    let settings = "apiVersion: configsync/v1\nowners: {/p/: [\"al\u{ef}ce@example.com\"]}\n"
    let old = ["configsync.yaml": settings, "p.yaml": "x: 1\n"]
    let new = old.merging(["p.yaml": "x: 2\n"]) { $1 }
    #expect(denied(from: old, to: new, by: "ali\u{308}ce@example.com") == ["/p/x p.yaml"])
    #expect(denied(from: old, to: new, by: "AL\u{ef}CE@example.com") == [])
  }

  /// To Swift's characters the sign before `/` makes it another one.
  @Test func aPrefixIsCutByBytes() {
    let settings = "apiVersion: configsync/v1\nowners: {\"/pay\\u0600/\": [alice@example.com]}\n"
    let old = ["configsync.yaml": settings, "pay\u{600}.yaml": "x: 1\n", "pay.yaml": "x: 1\n"]
    var new = old
    new["pay\u{600}.yaml"] = "x: 2\n"
    new["pay.yaml"] = "x: 2\n"
    #expect(denied(from: old, to: new, by: "eve@example.com") == ["/pay\u{600}/x pay\u{600}.yaml"])
  }

  @Test(arguments: [
    "{/a: []}", "{//a: [a@b]}", "{a: [a@b]}", "{/a%41: [a@b]}", "{/a: [a@b], /a/: [c@d]}",
    "{/a: ['Alice <a@b>']}", "{/a: [' a@b']}", "{/a: ['@']}", "{/other: [a@b]}",
  ])
  func whatWouldProtectNothingIsRefused(owners: String) {
    let text = "apiVersion: configsync/v1\nprefix: /a\nowners: \(owners)\n"
    #expect(readSettings(tree(["configsync.yaml": text])) == nil)
  }

  @Test func manyOwnersCostLittle() {
    let entries = (0..<10_000).map { "  /p\($0)/: [a@b]\n" }.joined()
    let text = "apiVersion: configsync/v1\nowners:\n" + entries
    #expect(readSettings(tree(["configsync.yaml": text])) != nil)
    #expect(readSettings(tree(["configsync.yaml": text + "  /q/: [a@b]\n"])) == nil)
  }
}
