import Compiler
import ConfigModel
import Testing

/// How many keys a commit may delete, by the commit before.
struct PruneTests {
  private func tree(_ prune: String, keys: Range<Int>) -> SourceTree {
    let content = keys.map { "k\($0): 1\n" }.joined() + "kept: 1\n"
    return SourceTree(contents: [
      "configsync.yaml": Array("apiVersion: configsync/v1\n\(prune)".utf8),
      "a/b.yaml": Array(content.utf8),
    ])
  }

  private func facts(_ trailers: [(String, String)]) throws -> CommitFacts {
    let person = CommitFacts.Person(
      name: "Ada", email: "ada@example.com", secondsSince1970: 0, offsetMinutes: 0)
    return CommitFacts(
      commit: try #require(CommitID(String(repeating: "a", count: 40))), parents: [], tree: "t",
      author: person, committer: person, subject: "delete",
      trailers: trailers.map { .init(key: $0.0, value: $0.1) })
  }

  private func compiled(
    _ old: SourceTree?, _ new: SourceTree, _ trailers: [(String, String)] = []
  ) throws -> Compilation {
    compile(new, after: CommitHistory(of: try facts(trailers)) { $0 == 1 ? old : nil })
  }

  @Test(arguments: [
    ("prune: {maxDeletes: 3}\n", 3, true), ("prune: {maxDeletes: 3}\n", 4, false),
    ("prune: {maxDeletes: 0}\n", 1, false), ("prune: {maxDeletePercent: 30}\n", 3, true),
    ("prune: {maxDeletePercent: 30}\n", 4, false), ("prune: {maxDeletePercent: 100}\n", 10, true),
    ("prune: {maxDeletes: 5, maxDeletePercent: 10}\n", 2, false), ("", 10, true),
  ])
  func bothLimitsCount(prune: String, deletes: Int, isValid: Bool) throws {
    let found = try compiled(tree(prune, keys: 0..<10), tree(prune, keys: deletes..<10))
    #expect(found.diagnostics.map(\.code) == (isValid ? [] : [.pruneLimit]))
    #expect((found.keySpace != nil) == isValid)
  }

  /// Not about deleting, but about what was before, too.
  @Test func anotherNameIsTold() throws {
    let (old, new) = (tree("", keys: 0..<1), tree("name: shop\n", keys: 0..<1))
    let found = try compiled(old, new)
    #expect(found.diagnostics.map(\.code) == [.configRenamed] && found.keySpace != nil)
    #expect(try compiled(new, new).diagnostics.isEmpty)
    #expect(try compiled(nil, new).diagnostics.isEmpty)
    let first = CommitHistory(of: try facts([]), isFirst: true) { $0 == 1 ? old : nil }
    #expect(compile(new, after: first).diagnostics.isEmpty, "nothing is published yet")
  }

  @Test func noCommitAllowsItselfMore() throws {
    let old = tree("prune: {maxDeletes: 1}\n", keys: 0..<10)
    for prune in ["", "prune: {maxDeletes: 10}\n"] {
      #expect(try compiled(old, tree(prune, keys: 5..<10)).keySpace == nil)
    }
    // What it forbids counts from the next commit on.
    let new = tree("prune: {maxDeletes: 0}\n", keys: 1..<10)
    #expect(try compiled(tree("", keys: 0..<10), new).keySpace != nil)
    #expect(try compiled(nil, new).keySpace != nil)
  }

  @Test(arguments: [
    ([("Configsync-Allow-Prune", "true")], true), ([("configsync-allow-prune", "True")], true),
    ([("Configsync-Allow-Prune", "false")], false), ([("Configsync-Allow-Prune", "")], false),
    ([("Configsync-Allow-Prune", "true"), ("Configsync-Allow-Prune", "no")], false),
    ([("Configsync-Allow", "true"), ("Signed-off-by", "true")], false), ([], false),
  ])
  func aTrailerAllowsAll(trailers: [(String, String)], isValid: Bool) throws {
    let limit = "prune: {maxDeletes: 0}\n"
    let found = try compiled(tree(limit, keys: 0..<10), tree(limit, keys: 0..<1), trailers)
    #expect((found.keySpace != nil) == isValid)
  }

  @Test func movingThePrefixDeletesAll() throws {
    let old = tree("prune: {maxDeletes: 5}\n", keys: 0..<10)
    #expect(try compiled(old, tree("prefix: /p\n", keys: 0..<10)).keySpace == nil)
  }

  /// A refused commit that takes the limit away has taken nothing away.
  @Test func aRefusedCommitBeforeCountsForNothing() throws {
    let good = tree("prune: {maxDeletes: 1}\n", keys: 0..<10)
    let broken = SourceTree(contents: [
      "configsync.yaml": Array("apiVersion: configsync/v1\n".utf8),
      "a/b.yaml": Array("a: [\n".utf8),
    ])
    let new = tree("", keys: 5..<10)
    let trees = [broken, good]
    func found(_ trees: [SourceTree]) throws -> [DiagnosticCode] {
      let history = CommitHistory(of: try facts([])) { $0 <= trees.count ? trees[$0 - 1] : nil }
      return compile(new, after: history).diagnostics.map(\.code)
    }
    #expect(try found(trees) == [.pruneLimit])
    #expect(try found([broken, broken, good]) == [.pruneLimit])
    #expect(try found([tree("", keys: 0..<10), good]) == [], "the last good one sets no limit")
    #expect(try found([broken]) == [])
  }

  /// Whatever a newer program thinks of what is published, a repository that asks for nothing goes on.
  @Test func whatIsPublishedIsNotJudgedAgain() throws {
    let broken = SourceTree(contents: ["a/b.yaml": Array("a: [\n".utf8)])
    func found(_ prune: String, _ isPublished: Bool) throws -> [DiagnosticCode] {
      struct Missing: Error {}
      let history = CommitHistory(of: try facts([]), afterPublished: isPublished) { ago in
        guard ago == 1 else { throw Missing() }
        return broken
      }
      return compile(tree(prune, keys: 0..<3), after: history).diagnostics.map(\.code)
    }
    #expect(try found("", true) == [])
    #expect(try found("", false) == [.historyUnknown])
    #expect(try found("prune: {maxDeletes: 1}\n", true) == [.historyUnknown])
  }

  @Test func manyRefusedCommitsHideNothing() throws {
    let good = tree("prune: {maxDeletes: 1}\n", keys: 0..<10)
    let broken = SourceTree(contents: ["a/b.yaml": Array("a: [\n".utf8)])
    let history = CommitHistory(of: try facts([])) { $0 <= 51 ? broken : good }
    #expect(compile(tree("", keys: 5..<10), after: history).unknown?.code == .historyUnknown)
  }

  @Test func nothingIsDeletedWhereNothingIsPublishedYet() throws {
    let limit = "prune: {maxDeletes: 0}\n"
    let (old, new) = (tree(limit, keys: 0..<10), tree(limit, keys: 0..<1))
    let history = CommitHistory(of: try facts([]), isFirst: true) { $0 == 1 ? old : nil }
    #expect(compile(new, after: history).keySpace != nil)
  }

  @Test func whatIsNoCommitYetIsWarned() throws {
    let limit = "prune: {maxDeletes: 0}\n"
    let old = tree(limit, keys: 0..<10)
    let found = compile(
      tree(limit, keys: 3..<10), after: CommitHistory(by: nil) { $0 == 1 ? old : nil })
    #expect(found.diagnostics.map(\.severity) == [.warning] && found.keySpace != nil)
    #expect(found.diagnostics[0].related.count == 3)
  }

  @Test(arguments: [
    ("[/a/b/k1]", [1], false), ("[/a/b/k1]", [2, 3], true), ("['/a/**']", [1], false),
    ("['/**']", [1], false), ("['/*/b/k?']", [5], false), ("['/a/*']", [1], true),
    ("['/a/b/k{1,2}', /x]", [2], false), ("['/a/b/K1']", [1], true),
  ])
  func protectedKeysStay(patterns: String, deleted: [Int], isValid: Bool) throws {
    let settings = "protect: \(patterns)\n"
    let old = tree(settings, keys: 0..<10)
    let left = (0..<10).filter { !deleted.contains($0) }.map { "k\($0): 1\n" }.joined()
    let new = SourceTree(contents: [
      "configsync.yaml": Array("apiVersion: configsync/v1\n".utf8),
      "a/b.yaml": Array((left + "kept: 2\n").utf8),
    ])
    // No trailer allows it, and taking the pattern away does not either.
    let found = try compiled(old, new, [("Configsync-Allow-Prune", "true")])
    let expected = isValid ? [] : deleted.map { _ in DiagnosticCode.pruneProtected }
    #expect(found.diagnostics.map(\.code) == expected)
    #expect((found.keySpace != nil) == isValid)
  }

  @Test func aKeyWhoseNameBeginsWithADotIsProtectedToo() throws {
    let old = SourceTree(contents: [
      "configsync.yaml": Array("apiVersion: configsync/v1\nprotect: ['/a/**']\n".utf8),
      "a/b.yaml": Array(".hidden: {.deep: 1}\nc: 1\n".utf8),
    ])
    let new = SourceTree(contents: ["a/b.yaml": Array("c: 1\n".utf8)])
    let found = try compiled(old, new)
    #expect(found.diagnostics.map(\.code) == [.pruneProtected])
    #expect(found.diagnostics.first?.key?.text == "/a/b/.hidden/.deep")
  }

  @Test func anEmptySourceNeverEmptiesTheStore() throws {
    let old = tree("", keys: 0..<3)
    let empty = SourceTree(contents: ["README.md": Array("moved\n".utf8)])
    let found = try compiled(old, empty)
    #expect(found.diagnostics.map(\.code) == [.pruneEmpty] && found.keySpace == nil)
    #expect(try compiled(old, empty, [("Configsync-Allow-Prune", "true")]).keySpace?.count == 0)
    #expect(try compiled(empty, empty).keySpace?.count == 0, "what was empty may stay so")
    let draft = compile(empty, after: CommitHistory(by: nil) { $0 == 1 ? old : nil })
    #expect(draft.diagnostics.map(\.severity) == [.warning])
  }
}
