import CLibGit2
public import ConfigModel
import Synchronization

/// A local repository, read by its objects alone: nothing is checked out, no program is run.
public final class GitRepository: Sendable {
  public let path: String
  let objects: GitObjects
  /// Trees that were read, newest last: the next one is made from what it shares with them.
  let recentTrees = Mutex<[RecentTree]>([])

  private static let library: Int32 = git_libgit2_init()

  let treeLimits: TreeLimits

  /// Opens a path or a `file://` URL, of a bare repository or one with a working tree.
  public convenience init(_ location: String) throws(GitError) {
    try self.init(location, treeLimits: TreeLimits())
  }

  init(_ location: String, treeLimits: TreeLimits) throws(GitError) {
    self.treeLimits = treeLimits
    precondition(GitRepository.library > 0, "libgit2 starts")
    var path = location
    if path.hasPrefix("file://") {
      path = String(path.dropFirst("file://".count))
    } else if path.contains("://") || GitRepository.isRemoteShorthand(path) {
      throw .notLocal(url: location)
    }
    var repository: OpaquePointer?
    guard git_repository_open_ext(&repository, path, 0, nil) == 0, let repository else {
      throw .notRepository(path: location, reason: lastReason())
    }
    self.path = path
    objects = GitObjects(repository)
  }

  /// Makes a repository at `path`, with a branch `main`; one that is there is left as it is.
  public static func create(at path: String) throws(GitError) {
    precondition(library > 0, "libgit2 starts")
    var options = git_repository_init_options()
    git_repository_init_options_init(&options, UInt32(GIT_REPOSITORY_INIT_OPTIONS_VERSION))
    options.flags = GIT_REPOSITORY_INIT_MKPATH.rawValue
    var repository: OpaquePointer?
    let code = "main".withCString { branch in
      options.initial_head = branch
      return git_repository_init_ext(&repository, path, &options)
    }
    try check(code, "create a repository in \(path)")
    git_repository_free(repository)
  }

  /// `user@host:path`, as ssh remotes are written.
  static func isRemoteShorthand(_ path: String) -> Bool {
    guard let colon = path.firstIndex(of: ":") else { return false }
    return !path[..<colon].contains("/") && path[..<colon].contains("@")
  }

  /// Runs `body` on the repository, alone.
  func withRepository<Value: Sendable>(
    _ body: (OpaquePointer) throws(GitError) -> Value
  ) throws(GitError) -> Value {
    try objects.withRepository(body)
  }

  public var isBare: Bool {
    objects.withPointer { git_repository_is_bare($0) == 1 }
  }

  /// The folder of the working tree, with a slash at its end.
  public var workingDirectory: String? {
    objects.withPointer { git_repository_workdir($0).map { String(cString: $0) } }
  }

  // MARK: - Commits

  /// The commit that a revision names: a branch, tag, id or anything that `git rev-parse` takes.
  public func resolve(_ revision: String = "HEAD") throws(GitError) -> CommitID {
    try withRepository { repository throws(GitError) in
      if revision == "HEAD", git_repository_head_unborn(repository) == 1 {
        throw .unbornBranch(name: GitRepository.headName(repository))
      }
      var object: OpaquePointer?
      guard git_revparse_single(&object, repository, revision) == 0 else {
        throw .unknownRevision(revision)
      }
      defer { git_object_free(object) }
      var commit: OpaquePointer?
      guard git_object_peel(&commit, object, GIT_OBJECT_COMMIT) == 0 else {
        throw .unknownRevision(revision)
      }
      defer { git_object_free(commit) }
      return GitRepository.id(git_object_id(commit))
    }
  }

  /// The branch that a revision names, and HEAD by what is checked out; nil for anything else.
  public func branchName(of revision: String) -> String? {
    objects.withPointer { repository in
      if revision == "HEAD" {
        if git_repository_head_detached(repository) == 1 { return nil }
        return GitRepository.headName(repository)
      }
      let name = revision.hasPrefix("refs/heads/") ? String(revision.dropFirst(11)) : revision
      var reference: OpaquePointer?
      guard git_reference_lookup(&reference, repository, "refs/heads/" + name) == 0 else {
        return nil
      }
      git_reference_free(reference)
      return name
    }
  }

  private static func headName(_ repository: OpaquePointer) -> String {
    var reference: OpaquePointer?
    guard git_reference_lookup(&reference, repository, "HEAD") == 0 else { return "HEAD" }
    defer { git_reference_free(reference) }
    let target = git_reference_symbolic_target(reference).map { String(cString: $0) } ?? "HEAD"
    return target.hasPrefix("refs/heads/") ? String(target.dropFirst(11)) : target
  }

  static func id(_ oid: UnsafePointer<git_oid>?) -> CommitID {
    guard let id = CommitID(hexadecimal(oid)) else { preconditionFailure("an object has an id") }
    return id
  }

  static func hexadecimal(_ oid: UnsafePointer<git_oid>?) -> String {
    var text = [CChar](repeating: 0, count: 41)
    git_oid_tostr(&text, text.count, oid)
    return String(decoding: text.prefix(40).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func odb(of repository: OpaquePointer) -> OpaquePointer? {
    var database: OpaquePointer?
    return git_repository_odb(&database, repository) == 0 ? database : nil
  }

  static func withCommit<Value>(
    _ id: CommitID, in repository: OpaquePointer,
    _ body: (OpaquePointer) throws(GitError) -> Value
  ) throws(GitError) -> Value {
    var oid = git_oid()
    var commit: OpaquePointer?
    guard git_oid_fromstr(&oid, id.text) == 0 else { throw .unknownRevision(id.text) }
    // One that is not there is told so below.
    if let database = odb(of: repository) {
      defer { git_odb_free(database) }
      if git_odb_exists(database, &oid) == 1 {
        try GitObjects.checkSize(of: &oid, atMost: GitObjects.commitLimit, in: repository)
      }
    }
    guard
      git_commit_lookup(&commit, repository, &oid) == 0, let commit
    else { throw .unknownRevision(id.text) }
    defer { git_commit_free(commit) }
    return try body(commit)
  }

  public func facts(of id: CommitID) throws(GitError) -> CommitFacts {
    try withRepository { repository throws(GitError) in
      try GitRepository.withCommit(id, in: repository) { commit throws(GitError) in
        let parents = (0..<git_commit_parentcount(commit)).map {
          GitRepository.id(git_commit_parent_id(commit, $0))
        }
        return CommitFacts(
          commit: id, parents: parents,
          tree: GitRepository.hexadecimal(git_commit_tree_id(commit)),
          author: GitRepository.person(git_commit_author(commit)),
          committer: GitRepository.person(git_commit_committer(commit)),
          subject: git_commit_summary(commit).map { String(cString: $0) } ?? "",
          trailers: try GitRepository.trailers(of: commit))
      }
    }
  }

  /// As `git interpret-trailers` finds them.
  private static func trailers(
    of commit: OpaquePointer
  ) throws(GitError) -> [CommitFacts.Trailer] {
    guard let message = git_commit_message(commit) else { return [] }
    var found = git_message_trailer_array()
    try check(git_message_trailers(&found, message), "read the trailers of a commit")
    defer { git_message_trailer_array_free(&found) }
    return (0..<found.count).compactMap { index in
      guard let trailer = found.trailers?[index], let key = trailer.key, let value = trailer.value
      else { return nil }
      // Git takes what is blank from the end of a value.
      let bytes = String(cString: value).utf8.reversed().drop { $0 <= 0x20 }.reversed()
      return CommitFacts.Trailer(
        key: String(cString: key), value: String(decoding: Array(bytes), as: UTF8.self))
    }
  }

  private static func person(_ signature: UnsafePointer<git_signature>?) -> CommitFacts.Person {
    let when = signature?.pointee.when
    return CommitFacts.Person(
      name: signature?.pointee.name.map { String(cString: $0) } ?? "",
      email: signature?.pointee.email.map { String(cString: $0) } ?? "",
      secondsSince1970: when?.time ?? 0, offsetMinutes: Int(when?.offset ?? 0))
  }

  /// The commits from `tip` back along first parents, newest first, up to and without `end`; all of
  /// them if `end` is not met, and never more than `limit`.
  public func firstParents(
    from tip: CommitID, until end: CommitID? = nil, limit: Int = .max
  ) throws(GitError) -> [CommitID] {
    try withRepository { repository throws(GitError) in
      var commits: [CommitID] = []
      var next: CommitID? = tip
      while let id = next, id != end, commits.count < limit {
        commits.append(id)
        next = try GitRepository.withCommit(id, in: repository) { commit in
          git_commit_parentcount(commit) > 0
            ? GitRepository.id(git_commit_parent_id(commit, 0)) : nil
        }
      }
      return commits
    }
  }

  /// Whether `ancestor` is `commit` or one that it descends from.
  public func isAncestor(_ ancestor: CommitID, of commit: CommitID) throws(GitError) -> Bool {
    if ancestor == commit { return true }
    return try withRepository { repository throws(GitError) in
      var (old, new) = (git_oid(), git_oid())
      git_oid_fromstr(&old, ancestor.text)
      git_oid_fromstr(&new, commit.text)
      // A commit that the repository does not hold is nobody's ancestor.
      var held: OpaquePointer?
      guard git_commit_lookup(&held, repository, &old) == 0 else { return false }
      git_commit_free(held)
      let answer = git_graph_descendant_of(repository, &new, &old)
      try check(answer, "compare commits")
      return answer == 1
    }
  }
}
