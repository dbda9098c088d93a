import CLibGit2
public import ConfigModel
import Crypto
import Foundation
import Glibc

/// A bare copy of a remote repository, which this program alone writes.
///
/// Git fetches in a process of its own, into a reference that nobody reads; only what came whole moves the one that is
/// served. So whatever the remote does, what was there before stays.
public actor GitMirror {
  /// How much a fetch may take.
  public struct Limits: Hashable, Sendable {
    public var deadline = Duration.seconds(120)
    /// Bytes of a pack.
    public var packBytes = 4 << 30

    public init() {}
  }

  /// Where a fetch puts what it has received, and what is served.
  private static let incoming = "refs/configsync/incoming"
  private static let tracked = "refs/configsync/tracked"
  private static let movesBetweenTidying = 50
  /// Beyond that nobody waits for a quiet moment.
  private static let mostMoves = 500
  /// How long nothing is fetched before the mirror is tidied: what has come goes its way first.
  private static let quietTime = Duration.seconds(1)
  /// The exit code of a fetch that another one keeps from beginning.
  private static let busyCode: Int32 = 75

  public nonisolated let repository: GitRepository
  /// The branch or tag that is followed, by its name; `HEAD` for what the remote names first, and nil for a commit.
  public nonisolated let branch: String?
  private let remote: GitRemote
  private let credentials: GitCredentials
  private let revision: Revision
  private let limits: Limits
  private let depth: Int?
  private let folder: String
  private var lock: FolderLock
  /// Moves of what is served since the mirror was tidied.
  private var moves = 0
  private var tidying: Task<Void, Never>?
  /// The folder was removed, and nothing fetched since: what the repository still has open is not in the new one.
  private var isAnew = false
  private var isTidying = false
  /// The commit whose whole history was asked for last.
  private var deepened: CommitID?
  /// The kind of reference that the name turned out to be.
  private var space: String?

  /// What is followed.
  private enum Revision {
    /// The branch that the remote names first.
    case head
    /// A branch or a tag.
    case name(String)
    case commit(CommitID)
  }

  /// - Parameters:
  ///   - revision: a branch or tag, a whole commit id, or `HEAD`.
  ///   - folder: holds the mirrors; made where it is missing.
  ///   - depth: how many commits a new mirror begins with, if not all; the others come with `deepen`.
  /// - Throws: `GitError` if the folder can't be used, or another process has the mirror.
  public init(
    of remote: GitRemote, following revision: String = "HEAD", with credentials: GitCredentials,
    in folder: String, limits: Limits = Limits(), depth: Int? = nil
  ) throws(GitError) {
    self.depth = depth
    self.remote = remote
    self.credentials = credentials
    self.limits = limits
    self.revision = try GitMirror.parse(revision)
    branch =
      switch self.revision {
      case .head: "HEAD"
      case .name(let name): name.hasPrefix("refs/heads/") ? String(name.dropFirst(11)) : name
      case .commit: nil
      }
    let digest = SHA256.hash(data: Data("\(remote.url)\n\(revision)".utf8))
    let name = digest.prefix(12).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
    let path = folder + "/" + name.joined()
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw .failed(operation: "make '\(path)'", reason: error.localizedDescription)
    }
    self.folder = path
    lock = try FolderLock(path + "/configsync.lock")
    repository = try GitRepository.bare(at: path + "/repository.git")
  }

  /// Begins the mirror anew where somebody has removed it, as whoever clears caches does.
  ///
  /// - Throws: also if another process has made it meanwhile.
  private func restoreFolder() throws(GitError) {
    let files = FileManager.default
    guard
      !lock.isAt(folder + "/configsync.lock")
        || !files.fileExists(atPath: repository.path + "/HEAD")
    else { return }
    do {
      try files.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw .failed(operation: "make '\(folder)'", reason: error.localizedDescription)
    }
    if !lock.isAt(folder + "/configsync.lock") {
      lock = try FolderLock(folder + "/configsync.lock")
    }
    _ = try GitRepository.bare(at: repository.path)
    (moves, deepened, space, isAnew) = (0, nil, nil, true)
  }

  private static func parse(_ text: String) throws(GitError) -> Revision {
    precondition(git_libgit2_init() > 0, "libgit2 starts")
    if text == "HEAD" { return .head }
    if let commit = CommitID(text) { return .commit(commit) }
    guard !text.hasPrefix("-"), git_reference_is_valid_name("refs/heads/" + text) == 1 else {
      throw .failed(operation: "follow '\(text)'", reason: "it is no name of a branch or tag")
    }
    return .name(text)
  }

  /// The commit that is served; nil before the first fetch.
  public nonisolated func tip() throws(GitError) -> CommitID? {
    do {
      return try repository.resolve(GitMirror.tracked)
    } catch .unknownRevision {
      return nil
    }
  }

  /// Fetches what is new.
  ///
  /// - Returns: the newest commit, which is served from now on.
  /// - Throws: `GitError`, and then nothing has changed; `CancellationError`.
  public func fetch() async throws -> CommitID {
    defer { if moves >= GitMirror.movesBetweenTidying { tidyWhenQuiet() } }
    try restoreFolder()
    if case .commit(let commit) = revision, !isAnew, try repository.holds(commit) {
      try repository.setReference(GitMirror.tracked, to: commit)
      return commit
    }
    let tip: CommitID
    if let depth, try self.tip() == nil {
      do {
        tip = try await fetch(with: ["--depth=\(depth)"])
      } catch GitError.failed(_, let reason) where reason.contains("shallow") {
        // The remote can't do that.
        tip = try await fetch(with: [])
      }
    } else {
      tip = try await fetch(with: [])
    }
    isAnew = false
    if try self.tip() != tip {
      try repository.setReference(GitMirror.tracked, to: tip)
      moves += 1
      if moves >= GitMirror.mostMoves { await tidy() }
    }
    return tip
  }

  /// Fetches the history that a shallow fetch has left out.
  ///
  /// - Returns: whether there was any; what was asked before may be answered otherwise then.
  /// - Throws: `GitError`, and then nothing has changed; `CancellationError`.
  public func deepen() async throws -> Bool {
    let tip = try tip()
    guard try !repository.shallowCommits().isEmpty, deepened == nil || deepened != tip else {
      return false
    }
    let newest = try await fetch(with: ["--unshallow"])
    // What the remote no longer names is not made whole.
    guard try repository.shallowCommits().isEmpty || newest == tip else {
      throw GitError.failed(
        operation: "fetch from \(remote.host)",
        reason: "its branch has moved while the history was fetched")
    }
    deepened = tip
    return true
  }

  /// - Returns: what has come, which is not served yet.
  private func fetch(with options: [String]) async throws -> CommitID {
    // A tidying that has begun is to end; one that waits for a quiet moment is put off.
    if isTidying { await tidying?.value } else { tidying?.cancel() }
    try removeLeftovers()
    switch revision {
    case .head: try await fetch(["HEAD"], options)
    case .commit(let commit): try await fetch([commit.text], options)
    case .name(let name): try await fetch(name: name, options)
    }
    do {
      return try repository.resolve(GitMirror.incoming)
    } catch GitError.unknownRevision {
      throw GitError.failed(
        operation: "fetch from \(remote.host)", reason: "what it names is no commit")
    }
  }

  private func tidyWhenQuiet() {
    tidying = Task { [weak self] in
      do { try await Task.sleep(for: GitMirror.quietTime) } catch { return }
      await self?.tidy()
    }
  }

  /// Packs what many fetches have brought, where Git finds that worth it.
  private func tidy() async {
    guard !Task.isCancelled else { return }
    (moves, isTidying) = (0, true)
    defer { isTidying = false }
    do {
      let scratch = try ScratchFolder()
      let file = try scratch.write(Array(GitClientFile(for: remote).text.utf8), as: "gitconfig")
      _ = try await git(
        ["gc", "--auto", "--quiet"], for: "tidy the mirror", file, home: scratch.path)
    } catch {
      // The commit is here, and served; the next one that comes is followed by another attempt.
    }
  }

  /// A branch, or a tag where there is no branch of that name.
  private func fetch(name: String, _ options: [String]) async throws {
    for exact in ["refs/heads/", "refs/tags/"] where name.hasPrefix(exact) {
      return try await fetch([name], options)
    }
    // What was a branch does not become a tag: others may push those.
    let kind = folder + "/kind"
    let known = try space ?? kindOnDisk(kind)
    let spaces = known.map { [$0] } ?? ["refs/heads/", "refs/tags/"]
    for (index, candidate) in spaces.enumerated() {
      do {
        try await fetch([candidate + name], options)
        if known == nil {
          do {
            try candidate.write(toFile: kind, atomically: true, encoding: .utf8)
          } catch {
            throw GitError.failed(operation: "write '\(kind)'", reason: error.localizedDescription)
          }
        }
        space = candidate
        return
      } catch let error as GitError {
        guard case .remoteLacks = error else { throw error }
        if index == spaces.count - 1 { throw GitError.remoteLacks(name: name, host: remote.host) }
      }
    }
  }

  /// Whether a branch or a tag was followed before; nil where that is not known yet.
  private func kindOnDisk(_ path: String) throws(GitError) -> String? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    guard let kind = try? String(contentsOfFile: path, encoding: .utf8),
      ["refs/heads/", "refs/tags/"].contains(kind)
    else {
      throw .failed(
        operation: "read '\(path)'",
        reason: "it does not say whether a branch or a tag is followed: remove the mirror's folder")
    }
    return kind
  }

  private func fetch(_ names: [String], _ options: [String]) async throws {
    let scratch = try ScratchFolder()
    var file = GitClientFile(for: remote)
    try file.add(credentials, for: remote)
    let configuration = try scratch.write(Array(file.text.utf8), as: "gitconfig")
    let outcome = try await git(
      [
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules",
        "--no-auto-maintenance", "--force",
      ] + options + ["--", remote.url] + names.map { "+\($0):\(GitMirror.incoming)" },
      for: "fetch from \(remote.host)",
      configuration,
      secrets: file.secrets, home: scratch.path)
    guard outcome.code != GitMirror.busyCode else {
      throw GitError.failed(
        operation: "fetch from \(remote.host)",
        reason: "an earlier fetch, whose process has ended, is still running: it ends by itself")
    }
    guard outcome.code == 0 else { throw GitError.fetch(outcome.errorText, names, remote) }
  }

  /// Runs Git on the mirror, with this configuration and no other.
  private func git(
    _ arguments: [String], for purpose: String, _ configuration: String,
    secrets: [String: String] = [:], home: String
  ) async throws -> ChildProgram.Outcome {
    var environment = secrets.merging([
      "HOME": home, "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": configuration,
      "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "/bin/false", "GIT_ATTR_NOSYSTEM": "1",
    ]) { $1 }
    if credentials.sshKeyFile == nil,
      let agent = ProcessInfo.processInfo.environment["SSH_AUTH_SOCK"]
    {
      environment["SSH_AUTH_SOCK"] = agent
    }
    let seconds = Int(limits.deadline.components.seconds)
    // Should this process end first, `timeout` ends Git, and until then `flock` keeps others out.
    return try await ChildProgram(
      purpose: purpose, name: "flock",
      arguments: [
        "--no-fork", "--nonblock", "--conflict-exit-code", "\(GitMirror.busyCode)",
        folder + "/fetch.lock",
        "timeout", "--kill-after=5", "\(seconds + 5)", "prlimit", "--core=0",
        "--fsize=\(limits.packBytes)",
        "git", "-C", repository.path,
      ] + arguments, environment: environment, deadline: limits.deadline
    ).run()
  }

  /// What a fetch that was killed has left: nobody else writes here.
  ///
  /// What can't be removed is in the way of the next fetch, which then says so.
  ///
  /// - Throws: `GitError` if one of a process that has ended is still running.
  private func removeLeftovers() throws(GitError) {
    let path = repository.path
    let running = try FolderLock(
      folder + "/fetch.lock", "an earlier fetch is still running: it ends by itself")
    defer { withExtendedLifetime(running) {} }
    let pack = path + "/objects/pack"
    let files = FileManager.default
    for name in (try? files.contentsOfDirectory(atPath: pack)) ?? [] where name.hasPrefix("tmp_") {
      try? files.removeItem(atPath: pack + "/" + name)
    }
    for name in (try? files.contentsOfDirectory(atPath: path + "/objects")) ?? []
    where name.hasPrefix("incoming-") || name.hasPrefix("tmp_objdir-") {
      try? files.removeItem(atPath: path + "/objects/" + name)
    }
    for name in [
      "shallow.lock", "packed-refs.lock", GitMirror.incoming + ".lock", GitMirror.tracked + ".lock",
    ] {
      try? files.removeItem(atPath: path + "/" + name)
    }
  }
}

/// A file that one process at a time holds.
final class FolderLock: Sendable {
  private let descriptor: Int32

  /// - Throws: `GitError` if another process holds it.
  init(_ path: String, _ reason: String = "another process uses this mirror") throws(GitError) {
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw .failed(operation: "open '\(path)'", reason: String(cString: strerror(errno)))
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw .failed(operation: "use '\(path)'", reason: reason)
    }
  }

  /// Whether the file that is held is the one that stands at a path now.
  func isAt(_ path: String) -> Bool {
    var (held, there) = (stat(), stat())
    return fstat(descriptor, &held) == 0 && stat(path, &there) == 0
      && held.st_ino == there.st_ino && held.st_dev == there.st_dev
  }

  /// Closing alone would not do: a program that another thread is about to start has a copy of the descriptor
  /// until it runs, and with it the lock (flock(2)).
  deinit {
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }
}
