import ConfigModel
import Foundation
import TestSupport
import Testing

@testable import GitSource

/// Fetching from real servers, which the tests start: `git daemon`, nginx before `git http-backend`, and sshd.
struct GitMirrorTests {
  /// A repository with a working tree, and the bare one that is served.
  private struct Origin {
    let git: GitFixture
    let folder: TemporaryFolder
    let scratch: TemporaryFolder

    init() throws {
      git = try GitFixture()
      folder = try TemporaryFolder()
      scratch = try TemporaryFolder()
      try git.commit(["a.yaml": "x: 1\n"], "first")
      try git.run("clone", "-q", "--bare", git.path, folder.path + "/repository.git")
      try git.run("remote", "add", "origin", folder.path + "/repository.git")
    }

    @discardableResult
    func push(_ files: [String: String], _ message: String = "more") throws -> CommitID {
      let commit = try git.commit(files, message)
      try git.run("push", "-q", "--force", "origin", "main")
      return try #require(CommitID(commit))
    }

    func mirror(
      _ url: String, _ revision: String = "main", _ credentials: GitCredentials = GitCredentials(),
      seconds: Int = 60, folder: String = UUID().uuidString, depth: Int? = nil
    ) throws -> GitMirror {
      var limits = GitMirror.Limits()
      limits.deadline = .seconds(seconds)
      return try GitMirror(
        of: try #require(try GitRemote(url)), following: revision, with: credentials,
        in: scratch.path + "/mirrors/" + folder, limits: limits, depth: depth)
    }
  }

  @Test func aMirrorFollowsItsBranch() async throws {
    let origin = try Origin()
    let remote = try GitServers.daemon(origin.folder.path, scratch: origin.scratch.path)
    let mirror = try origin.mirror(remote.url)
    #expect(try mirror.tip() == nil)
    let first = try await mirror.fetch()
    #expect(try mirror.tip() == first)
    for number in 2...4 {
      let pushed = try origin.push(["a.yaml": "x: \(number)\n"])
      #expect(try await mirror.fetch() == pushed)
    }
    let repository = mirror.repository
    let tip = try #require(try mirror.tip())
    #expect(try repository.tree(of: tip).file(at: "a.yaml")?.bytes() == Array("x: 4\n".utf8))
    #expect(try repository.firstParents(from: tip).count == 4)
    // A rewritten branch is followed; whether that is right is for others to say.
    try origin.git.run("reset", "-q", "--hard", first.text)
    let other = try origin.push(["a.yaml": "x: 9\n"])
    #expect(try await mirror.fetch() == other)
    #expect(try repository.holds(tip), "what was served is still there")
    // A branch that is gone changes nothing.
    try origin.git.run("push", "-q", "origin", "main:elsewhere")
    _ = try execute(
      "git", ["-C", origin.folder.path + "/repository.git", "update-ref", "-d", "refs/heads/main"])
    await #expect(throws: GitError.remoteLacks(name: "main", host: "127.0.0.1")) {
      try await mirror.fetch()
    }
    #expect(try mirror.tip() == other)
  }

  @Test func aShallowMirrorIsMadeWholeWhenThatIsAskedFor() async throws {
    let origin = try Origin()
    let remote = try GitServers.daemon(origin.folder.path, scratch: origin.scratch.path)
    let first = try #require(CommitID(try origin.git.run("rev-parse", "HEAD")))
    for number in 2...9 { try origin.push(["a.yaml": "x: \(number)\n"]) }
    let mirror = try origin.mirror(remote.url, depth: 3)
    let tip = try await mirror.fetch()
    let repository = mirror.repository
    #expect(try repository.firstParents(from: tip, limit: 3).count == 3)
    #expect(try repository.shallowCommits().count == 1 && !repository.holds(first))
    // What comes later leaves the cut where it is.
    let later = try origin.push(["a.yaml": "x: 10\n"])
    #expect(try await mirror.fetch() == later)
    #expect(try repository.shallowCommits().count == 1)
    // The history comes without what is newer being served.
    try origin.push(["a.yaml": "x: 11\n"])
    #expect(try await mirror.deepen())
    #expect(try mirror.tip() == later && repository.shallowCommits().isEmpty)
    #expect(try repository.firstParents(from: later).last == first)
    #expect(try await !mirror.deepen(), "there is nothing more")
  }

  @Test func aRewriteDoesNotMakeAShallowMirrorAskAgainAndAgain() async throws {
    let origin = try Origin()
    let remote = try GitServers.daemon(origin.folder.path, scratch: origin.scratch.path)
    for number in 2...5 { try origin.push(["a.yaml": "x: \(number)\n"]) }
    let mirror = try origin.mirror(remote.url, depth: 2)
    let old = try await mirror.fetch()
    try origin.git.run("checkout", "-q", "--orphan", "other")
    try origin.git.run("branch", "-D", "-q", "main")
    try origin.git.run("checkout", "-q", "-b", "main")
    let new = try origin.push(["a.yaml": "x: 9\n"])
    let bare = origin.folder.path + "/repository.git"
    #expect(try execute("git", ["-C", bare, "gc", "-q", "--prune=now"]).status == 0)
    await #expect(throws: GitError.self) { try await mirror.deepen() }
    #expect(try mirror.tip() == old)
    #expect(try await mirror.fetch() == new)
    #expect(try await mirror.deepen(), "nothing is known of the new branch yet")
    #expect(try await !mirror.deepen())
    #expect(try !mirror.repository.shallowCommits().isEmpty)
    // What can't be read is not taken for a whole history.
    try Data("not a commit\n".utf8).write(
      to: URL(fileURLWithPath: mirror.repository.path + "/shallow"))
    #expect(throws: GitError.self) { try mirror.repository.shallowCommits() }
    await #expect(throws: GitError.self) { try await mirror.deepen() }
  }

  @Test func tagsCommitsAndTheFirstBranchAreFollowedToo() async throws {
    let origin = try Origin()
    let remote = try GitServers.daemon(origin.folder.path, scratch: origin.scratch.path)
    let old = try origin.git.run("rev-parse", "HEAD")
    try origin.git.run("tag", "-a", "-m", "a tag", "v1")
    try origin.git.run("push", "-q", "origin", "v1")
    let tip = try origin.push(["a.yaml": "x: 2\n"])
    #expect(try await origin.mirror(remote.url, "v1").fetch().text == old)
    #expect(try await origin.mirror(remote.url, "HEAD").fetch() == tip)
    let pinned = try origin.mirror(remote.url, old)
    #expect(try await pinned.fetch().text == old)
    // What it has, it does not ask for again: nobody answers any more.
    let gone = String(repeating: "ab", count: 20)
    await #expect(throws: GitError.self) { try await origin.mirror(remote.url, gone).fetch() }
    await #expect(throws: GitError.self) { try await origin.mirror(remote.url, "nope").fetch() }
    #expect(throws: GitError.self) { try origin.mirror(remote.url, "--upload-pack=evil") }
  }

  @Test func onlyOneProcessWritesAMirror() async throws {
    let origin = try Origin()
    let first = try origin.mirror("git://127.0.0.1:1/repository.git", folder: "one")
    #expect(throws: GitError.self) {
      try origin.mirror("git://127.0.0.1:1/repository.git", folder: "one")
    }
    await #expect(throws: GitError.self) { try await first.fetch() }
    #expect(try first.tip() == nil)
  }

  @Test func httpsAsksForWhatItWasToldTo() async throws {
    let origin = try Origin()
    let scratch = origin.scratch.path
    let remote = try GitServers.secure(
      origin.folder.path, user: "robot", password: "s3cret\"\\'", scratch: scratch)
    let tip = try origin.push(["a.yaml": "x: 2\n"])
    var credentials = GitCredentials()
    credentials.user = "robot"
    func file(_ content: String) throws -> String {
      let path = scratch + "/password-\(content.count)"
      try Data(content.utf8).write(to: URL(fileURLWithPath: path))
      return path
    }
    credentials.passwordFile = try file("s3cret\"\\'\n")
    await #expect(throws: GitError.self, "nobody has said that the authority is trusted") {
      try await origin.mirror(remote.url, "main", credentials).fetch()
    }
    credentials.authoritiesFile = remote.authorities
    #expect(try await origin.mirror(remote.url, "main", credentials).fetch() == tip)
    await #expect(throws: GitError.self, "credentials go to no other host") {
      try await origin.mirror(remote.redirectingURL, "main", credentials).fetch()
    }
    var wrong = credentials
    wrong.passwordFile = try file("wrong")
    do {
      _ = try await origin.mirror(remote.url, "main", wrong).fetch()
      Issue.record("a wrong password is let in")
    } catch let error as GitError {
      #expect(!error.description.contains("wrong"), "the password is in the message")
    }
    wrong.passwordFile = scratch + "/nothing"
    await #expect(throws: GitError.self) {
      try await origin.mirror(remote.url, "main", wrong).fetch()
    }
    // A certificate instead of a password.
    var certified = GitCredentials()
    certified.authoritiesFile = remote.authorities
    await #expect(throws: GitError.self) {
      try await origin.mirror(remote.certifiedURL, "main", certified).fetch()
    }
    certified.certificateFile = remote.certificate
    certified.certificateKeyFile = remote.certificateKey
    #expect(try await origin.mirror(remote.certifiedURL, "main", certified).fetch() == tip)
  }

  @Test func aPasswordIsNotSentUnprotected() async throws {
    let origin = try Origin()
    var credentials = GitCredentials()
    credentials.passwordFile = origin.git.path + "/a.yaml"
    await #expect(throws: GitError.self) {
      try await origin.mirror("http://127.0.0.1:1/x.git", "main", credentials).fetch()
    }
  }

  @Test func sshTrustsOnlyHostsThatItKnows() async throws {
    let origin = try Origin()
    let remote = try GitServers.shell(origin.folder.path, scratch: origin.scratch.path)
    let tip = try origin.push(["a.yaml": "x: 2\n"])
    var credentials = GitCredentials()
    credentials.sshKeyFile = remote.key
    credentials.knownHostsFile = remote.knownHosts
    #expect(try await origin.mirror(remote.url, "main", credentials).fetch() == tip)
    var strange = credentials
    strange.knownHostsFile = "/dev/null"
    await #expect(throws: GitError.self) {
      try await origin.mirror(remote.url, "main", strange).fetch()
    }
    var other = credentials
    other.sshKeyFile = origin.scratch.path + "/host"
    await #expect(throws: GitError.self) {
      try await origin.mirror(remote.url, "main", other).fetch()
    }
  }

  /// Whatever happens on the way, what was served stays, and the next fetch works.
  @Test(arguments: ["cut:0", "cut:500", "cut:20000", "corrupt:700", "corrupt:30000", "stall:600"])
  func aFaultOnTheWayChangesNothing(fault: String) async throws {
    let origin = try Origin()
    let scratch = origin.scratch.path
    let remote = try GitServers.daemon(origin.folder.path, scratch: scratch)
    let proxy = try GitServers.faultProxy(to: remote.port, fault, scratch: scratch)
    let throughProxy = "git://127.0.0.1:\(proxy.port)/repository.git"
    let direct = try origin.mirror(remote.url)
    let before = try await direct.fetch()
    // Text that does not compress, so that there is something to cut.
    var noise = SystemRandomNumberGenerator()
    let large = (0..<4000).map { "k\($0): \(noise.next())\n" }.joined()
    let tip = try origin.push(["big.yaml": large])
    let mirror = try origin.mirror(throughProxy, seconds: fault.hasPrefix("stall") ? 2 : 60)
    await #expect(throws: GitError.self) { try await mirror.fetch() }
    #expect(try mirror.tip() == nil)
    #expect(try direct.tip() == before)
    #expect(try await direct.fetch() == tip)
  }

  /// Whoever ends a fetch ends all that it has started: else the next one would have to wait for it.
  @Test func aFetchThatIsCancelledLeavesNothingRunning() async throws {
    let origin = try Origin()
    let scratch = origin.scratch.path
    let remote = try GitServers.daemon(origin.folder.path, scratch: scratch)
    let proxy = try GitServers.faultProxy(to: remote.port, "stall:100", scratch: scratch)
    let mirror = try origin.mirror("git://127.0.0.1:\(proxy.port)/repository.git", seconds: 300)
    let path = mirror.repository.path
    func running() throws -> String {
      try execute("pgrep", ["-f", "git -C \(path)"]).output
    }
    let fetch = Task { try await mirror.fetch() }
    while try running().isEmpty { await Task.yield() }
    fetch.cancel()
    await #expect(throws: (any Error).self) { try await fetch.value }
    #expect(try running().isEmpty)
    let direct = try FolderLock(path.replacing("/repository.git", with: "/fetch.lock"))
    withExtendedLifetime(direct) {}
  }

  /// Mirrors lie where caches are kept, and somebody clears those.
  @Test func aMirrorThatWasRemovedBeginsAnew() async throws {
    let origin = try Origin()
    let remote = try GitServers.daemon(origin.folder.path, scratch: origin.scratch.path)
    // What the repository has open of the removed one is not in the new one.
    let commit = try origin.git.run("rev-parse", "HEAD")
    let fixed = try origin.mirror(remote.url, commit, folder: "f")
    for _ in 0..<2 {
      #expect(try await fixed.fetch().text == commit)
      #expect(try execute("git", ["-C", fixed.repository.path, "fsck", "--full"]).status == 0)
      try FileManager.default.removeItem(atPath: origin.scratch.path + "/mirrors/f")
    }
    // Nor after a fetch that has failed in between.
    let (served, away) = (origin.folder.path + "/repository.git", origin.folder.path + "/away")
    try FileManager.default.moveItem(atPath: served, toPath: away)
    await #expect(throws: GitError.self) { try await fixed.fetch() }
    try FileManager.default.moveItem(atPath: away, toPath: served)
    #expect(try await fixed.fetch().text == commit)
    #expect(try execute("git", ["-C", fixed.repository.path, "fsck", "--full"]).status == 0)
    let mirror = try origin.mirror(remote.url, folder: "m")
    _ = try await mirror.fetch()
    try FileManager.default.removeItem(atPath: origin.scratch.path + "/mirrors")
    let pushed = try origin.push(["a.yaml": "x: 2\n"])
    #expect(try await mirror.fetch() == pushed)
    #expect(try mirror.tip() == pushed)
    let tree = try mirror.repository.tree(of: pushed)
    #expect(try tree.file(at: "a.yaml")?.bytes() == Array("x: 2\n".utf8))
    #expect(throws: GitError.self, "it has the new folder to itself") {
      _ = try origin.mirror(remote.url, folder: "m")
    }
  }

  /// As a program has them that is about to be started when the owner goes.
  @Test func aCopyOfADescriptorKeepsNoFolder() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/lock"
    let copies: [Int32]
    do {
      let held = try FolderLock(path)
      #expect(throws: GitError.self) { _ = try FolderLock(path) }
      copies = try copiesOfDescriptors(of: path)
      withExtendedLifetime(held) {}
    }
    defer { for copy in copies { close(copy) } }
    #expect(copies.count == 1)
    _ = try FolderLock(path)
  }

  /// An object that Git never writes: a tree that reaches out of itself.
  @Test func malformedObjectsDoNotComeIn() async throws {
    let origin = try Origin()
    let remote = try GitServers.daemon(origin.folder.path, scratch: origin.scratch.path)
    let mirror = try origin.mirror(remote.url)
    let before = try await mirror.fetch()
    let bare = origin.folder.path + "/repository.git"
    let blob = try origin.git.run("rev-parse", "HEAD:a.yaml")
    func git(_ arguments: [String], _ input: String = "") throws -> String {
      let answer = try execute(
        "git", ["-C", bare] + arguments, input: input,
        environment: [
          "GIT_AUTHOR_NAME": "Eve", "GIT_AUTHOR_EMAIL": "e@e", "GIT_COMMITTER_NAME": "Eve",
          "GIT_COMMITTER_EMAIL": "e@e",
        ])
      try #require(answer.status == 0, "\(answer.output)")
      return answer.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
    let inner = try git(["mktree"], "100644 blob \(blob)\ta.yaml\n")
    let tree = try git(["mktree"], "040000 tree \(inner)\t.git\n")
    let commit = try git(["commit-tree", "-m", "evil", "-p", before.text, tree])
    _ = try git(["update-ref", "refs/heads/main", commit])
    await #expect(throws: GitError.self) { try await mirror.fetch() }
    #expect(try mirror.tip() == before)
  }

  @Test(arguments: [
    ("https://example.com/x.git", GitRemote.Kind.https), ("ssh://git@example.com/x.git", .ssh),
    ("git@example.com:team/x.git", .ssh), ("git://example.com/x.git", .git),
    ("HTTPS://example.com/x.git", .https), ("http://localhost:8080/x", .http),
  ])
  func remotesAreTold(url: String, kind: GitRemote.Kind) throws {
    #expect(try GitRemote(url)?.kind == kind)
  }

  @Test(arguments: [
    "https://user:secret@example.com/x.git", "https://user@example.com/x.git",
    "ftp://example.com/x",
    "ext::sh -c evil", "ext://x", "https://", "ssh://-oProxyCommand=evil/x",
    "git@-oProxyCommand=x:y",
    "-u@host:x", "https://example.com/\nx", "https://example.com/ x", "git@:x",
  ])
  func otherURLsAreRefused(url: String) {
    do {
      let remote = try GitRemote(url)
      // What is no URL is a path, and found out to be none.
      #expect(remote == nil && !url.contains("://"), "\(url)")
    } catch {
      #expect(!error.description.contains("secret"))
    }
  }

  @Test func pathsAndFileURLsAreNoRemotes() throws {
    for path in [".", "/srv/x.git", "file:///srv/x.git", "a:b", "./user@host:x"] {
      #expect(try GitRemote(path) == nil)
    }
  }
}
