import ConfigModel
import Foundation
import TestSupport
import Testing

@testable import GitSource

struct GitRepositoryTests {
  /// Commits a tree object that is made of bytes, as Git would never make one.
  private func commit(tree: String, in git: GitFixture) throws -> CommitID {
    let text = try git.run("commit-tree", "-m", "crafted", tree)
    return try #require(CommitID(text))
  }

  private func object(_ tree: [UInt8], in git: GitFixture) throws -> String {
    let file = git.path + "/.git/crafted"
    try Data(tree).write(to: URL(fileURLWithPath: file))
    return try git.run("hash-object", "-t", "tree", "-w", "--literally", file)
  }

  private func entry(_ mode: String, _ name: String, _ id: String) -> [UInt8] {
    let digits = Array(id)
    let bytes = stride(from: 0, to: digits.count, by: 2).map {
      UInt8(String(digits[$0...$0 + 1]), radix: 16)!
    }
    return Array("\(mode) \(name)\0".utf8) + bytes
  }

  /// A few objects, each of which stands twice in the next one.
  @Test func aTreeWithoutEndIsRefused() throws {
    let git = try GitFixture()
    let first = try #require(CommitID(try git.commit(["a.yaml": "x: 1\n"], "first")))
    var tree = try git.run("rev-parse", "HEAD^{tree}")
    for _ in 0..<60 {
      tree = try object(entry("40000", "d", tree) + entry("40000", "e", tree), in: git)
    }
    let commit = try commit(tree: tree, in: git)
    let limits = TreeLimits(entries: 1_000)
    let repository = try GitRepository(git.path, treeLimits: limits)
    #expect { try repository.tree(of: commit) } throws: { "\($0)".contains("1000 entries") }
    #expect(throws: GitError.self) { try repository.changes(from: first, to: commit) }
    #expect(try repository.tree(of: first).files.map(\.path) == ["a.yaml"])
    #expect(throws: GitError.self) { try repository.tree(of: commit) }
    // Each side of a comparison by itself.
    try git.run("mv", "a.yaml", "b.yaml")
    let second = try #require(CommitID(try git.commit([:], "second")))
    let exact = try GitRepository(git.path, treeLimits: TreeLimits(entries: 1))
    #expect(try exact.changes(from: first, to: second).count == 2)
    let narrow = try GitRepository(git.path, treeLimits: TreeLimits(pathBytes: 5))
    #expect(throws: GitError.self) { try narrow.tree(of: first) }
  }

  @Test(arguments: ["p/a.yaml", ".", "..", "/"])
  func aNameThatIsAPathIsRefused(name: String) throws {
    let git = try GitFixture()
    _ = try git.commit(["a.yaml": "x: 1\n"], "first")
    let blob = try git.run("rev-parse", "HEAD:a.yaml")
    let commit = try commit(tree: try object(entry("100644", name, blob), in: git), in: git)
    let repository = try GitRepository(git.path)
    #expect(throws: GitError.self) { try repository.tree(of: commit) }
  }

  @Test func commitsTreesAndChangesAreRead() throws {
    let git = try GitFixture()
    let first = try git.commit(["a/b.yaml": "x: 1\n", "c.txt": "one"], "first")
    let second = try git.commit(["a/b.yaml": "x: 2\n", "d/e/f.yaml": "y: 1\n"], "second")
    try git.run("rm", "-q", "c.txt")
    let third = try git.commit([:], "third")
    let repository = try GitRepository(git.path)
    #expect(try repository.resolve().text == third)
    #expect(try repository.resolve("HEAD~1").text == second)
    let tip = try #require(CommitID(third))
    let root = try #require(CommitID(first))
    #expect(try repository.firstParents(from: tip).map(\.text) == [third, second, first])
    #expect(try repository.firstParents(from: tip, until: root).map(\.text) == [third, second])
    let facts = try repository.facts(of: tip)
    #expect(facts.author.name == "Ada" && facts.subject == "third")
    #expect(facts.author.time == "2024-05-06T07:08:09+02:00")
    let tree = try repository.tree(of: tip)
    #expect(tree.files.map(\.path) == ["a/b.yaml", "d/e/f.yaml"])
    let file = try #require(tree.file(at: "a/b.yaml"))
    #expect(try file.bytes() == Array("x: 2\n".utf8))
    #expect(file.byteCount == 5)
    let changes = try repository.changes(from: root, to: tip)
    #expect(
      changes == [
        TreeChange(path: "a/b.yaml", kind: .modified), TreeChange(path: "c.txt", kind: .removed),
        TreeChange(path: "d/e/f.yaml", kind: .added),
      ])
    #expect(try repository.isAncestor(root, of: tip))
    #expect(try !repository.isAncestor(tip, of: root))
    let gone = try #require(CommitID(String(repeating: "ab", count: 20)))
    #expect(try !repository.isAncestor(gone, of: tip), "a commit that is not there")
  }

  @Test func bareRepositoriesAndFileURLsAreReadToo() throws {
    let git = try GitFixture()
    let commit = try git.commit(["a.yaml": "x: 1\n"], "first")
    let bare = git.path + ".git"
    try git.run("clone", "-q", "--bare", git.path, bare)
    defer { try? FileManager.default.removeItem(atPath: bare) }
    let repository = try GitRepository("file://" + bare)
    #expect(try repository.resolve("main").text == commit)
    #expect(throws: GitError.self) { _ = try repository.workingTree() }
  }

  @Test func whatCantBeReadIsNamed() throws {
    let folder = try TemporaryFolder()
    #expect {
      _ = try GitRepository(folder.path)
    } throws: { error in
      if case GitError.notRepository = error { true } else { false }
    }
    #expect(throws: GitError.notLocal(url: "https://example.com/x.git")) {
      _ = try GitRepository("https://example.com/x.git")
    }
    let git = try GitFixture()
    let repository = try GitRepository(git.path)
    #expect(throws: GitError.unbornBranch(name: "main")) { _ = try repository.resolve() }
    _ = try git.commit(["a": "1"], "first")
    #expect(throws: GitError.unknownRevision("nope")) { _ = try repository.resolve("nope") }
  }

  @Test func linksAndSubmodulesKeepTheirKind() throws {
    let git = try GitFixture()
    try FileManager.default.createSymbolicLink(
      atPath: git.path + "/link.yaml", withDestinationPath: "/etc/passwd")
    let commit = try git.commit(["a.yaml": "x: 1\n"], "first")
    let repository = try GitRepository(git.path)
    let tree = try repository.tree(of: try #require(CommitID(commit)))
    #expect(tree.files.map(\.kind) == [.file, .symlink])
    #expect(try repository.workingTree().files.map(\.kind) == [.file, .symlink])
  }

  @Test(arguments: [
    (
      "subject\n\nA body.\n\nSigned-off-by: Ada <a@b>\nAllow: true\n",
      ["Signed-off-by=Ada <a@b>", "Allow=true"]
    ),
    ("subject\r\n\r\nAllow: true\r\n", ["Allow=true"]),
    ("subject\n\nAllow: true \t\n", ["Allow=true"]),
    ("subject\n\nAllow: true\n\nThat was no trailer.\n", []), ("Allow: true", []),
    ("subject\n\nA body that says\nAllow: true\nin its middle.\n", []),
  ])
  func trailersAreTheEndOfAMessage(message: String, expected: [String]) throws {
    let git = try GitFixture()
    let commit = try #require(CommitID(try git.commit(["a": "1"], message)))
    let trailers = try GitRepository(git.path).facts(of: commit).trailers
    #expect(trailers.map { "\($0.key)=\($0.value)" } == expected)
  }

  /// A tree that is made from the one read before is the tree that a repository reads anew.
  @Test func treesThatAreMadeFromEachOtherAreWhole() throws {
    let git = try GitFixture()
    let steps: [[String: String?]] = [
      ["a/b.yaml": "x: 1\n", "a/c/d.yaml": "y: 1\n", "e": "1"],
      ["a/b.yaml": "x: 2\n"],
      ["a/c/d.yaml": nil, "a/c": "a file where a folder was"],
      ["e": nil, "e/f/g": "a folder where a file was", "a/b": "beside b.yaml"],
      ["a/b.yaml": nil, "a/b": nil, "a/c": nil],
      ["a/b.yaml": "x: 1\n", "a/c/d.yaml": "y: 1\n", "e/f/g": nil, "e": "1"],
    ]
    let repository = try GitRepository(git.path)
    var last = SourceTree([])
    for (number, step) in steps.enumerated() {
      for case (let path, nil) in step { try git.run("rm", "-q", path) }
      let written = step.compactMapValues(\.self)
      let commit = try #require(CommitID(try git.commit(written, "\(number)")))
      let tree = try repository.tree(of: commit)
      let anew = try GitRepository(git.path).tree(of: commit)
      #expect(tree.differences(from: anew).isEmpty)
      #expect(try tree.files.map { try $0.bytes() } == anew.files.map { try $0.bytes() })
      #expect(!tree.differences(from: last).isEmpty)
      last = tree
    }
    #expect(last.files.map(\.path) == ["a/b.yaml", "a/c/d.yaml", "e"])
  }

  @Test func theWorkingTreeHasUncommittedFilesAndNoIgnoredOnes() throws {
    let git = try GitFixture()
    _ = try git.commit([".gitignore": "*.tmp\n", "a.yaml": "x: 1\n"], "first")
    try git.write(["a.yaml": "x: 2\n", "b.tmp": "no", "new/c.yaml": "y: 1\n"])
    let tree = try GitRepository(git.path).workingTree()
    #expect(tree.files.map(\.path) == [".gitignore", "a.yaml", "new/c.yaml"])
    #expect(try tree.file(at: "a.yaml")?.bytes() == Array("x: 2\n".utf8))
  }

  @Test func aRevertUndoesOneCommitAndNothingElse() throws {
    let git = try GitFixture()
    _ = try git.commit(["a.yaml": "x: 1\n", "b.yaml": "y: 1\n"], "first")
    let bad = try git.commit(["a.yaml": "x: 2\n"], "bad")
    _ = try git.commit(["b.yaml": "y: 2\n"], "good")
    let repository = try GitRepository(git.path)
    let revert = try repository.revert(try repository.resolve(bad))
    #expect(try repository.resolve() == revert)
    let facts = try repository.facts(of: revert)
    #expect(facts.subject == "Revert \"bad\"")
    let tree = try repository.tree(of: revert)
    #expect(try tree.files.map { try $0.bytes() } == [Array("x: 1\n".utf8), Array("y: 2\n".utf8)])
    #expect(try String(contentsOfFile: git.path + "/a.yaml", encoding: .utf8) == "x: 1\n")
    #expect(try git.run("status", "--porcelain").isEmpty, "the working tree came along")
  }

  @Test func aConflictingRevertChangesNothing() throws {
    let git = try GitFixture()
    _ = try git.commit(["a.yaml": "x: 1\n"], "first")
    let bad = try git.commit(["a.yaml": "x: 2\n"], "bad")
    let last = try git.commit(["a.yaml": "x: 3\n"], "later")
    let repository = try GitRepository(git.path)
    #expect {
      _ = try repository.revert(try repository.resolve(bad))
    } throws: { error in
      if case GitError.conflicts(_, paths: ["a.yaml"]) = error { true } else { false }
    }
    #expect(try repository.resolve().text == last)
    try git.write(["a.yaml": "x: 4\n"])
    #expect(throws: GitError.uncommittedChanges(paths: ["a.yaml"])) {
      _ = try repository.restore(try repository.resolve(bad))
    }
    try git.run("checkout", "-q", "a.yaml")
    let restored = try repository.restore(try repository.resolve(bad))
    #expect(try repository.tree(of: restored).file(at: "a.yaml")?.bytes() == Array("x: 2\n".utf8))
  }

  @Test func aPushGoesWhereTheBranchCameFrom() async throws {
    let (git, folder) = (try GitFixture(), try TemporaryFolder())
    let bare = folder.path + "/origin.git"
    try git.commit(["a": "1"], "first")
    await #expect(throws: GitError.self, "there is no remote") {
      try await GitRepository(git.path).push()
    }
    try git.run("clone", "-q", "--bare", git.path, bare)
    try git.run("remote", "add", "origin", bare)
    try git.run("fetch", "-q", "origin")
    try git.run("branch", "-q", "--set-upstream-to=origin/main")
    let second = try git.commit(["a": "2"], "second")
    try await GitRepository(git.path).push()
    #expect(try GitRepository(bare).resolve("main").text == second)
    try git.run("reset", "-q", "--hard", "HEAD~1")
    try git.commit(["a": "3"], "another")
    await #expect(throws: GitError.self, "nothing is pushed by force") {
      try await GitRepository(git.path).push()
    }
    #expect(try GitRepository(bare).resolve("main").text == second)
  }
}
