import CLibGit2
public import ConfigModel

extension GitRepository {
  /// Commits that one answer may hold.
  private static let walkLimit = 100_000

  /// A commit as Git stores it.
  ///
  /// - Throws: `GitError`, for one that is larger than `GitObjects.commitLimit` too.
  func rawCommit(_ commit: CommitID) throws(GitError) -> [UInt8] {
    try withRepository { repository throws(GitError) in
      var oid = git_oid()
      git_oid_fromstr(&oid, commit.text)
      try GitObjects.checkSize(of: &oid, atMost: GitObjects.commitLimit, in: repository)
      var (database, object) = (OpaquePointer?.none, OpaquePointer?.none)
      try check(git_repository_odb(&database, repository), "open the object database")
      defer { git_odb_free(database) }
      try check(git_odb_read(&object, database, &oid), "read \(commit.short)")
      defer { git_odb_object_free(object) }
      return [UInt8](
        UnsafeRawBufferPointer(
          start: git_odb_object_data(object), count: git_odb_object_size(object)))
    }
  }

  /// The commits that `tip` holds and `end` does not, those that merges bring among them, oldest first.
  ///
  /// - Throws: `GitError` if there are more than 100,000.
  public func commits(
    reachableFrom tip: CommitID, butNotFrom end: CommitID?
  ) throws(GitError) -> [CommitID] {
    try withRepository { repository throws(GitError) in
      var walk: OpaquePointer?
      try check(git_revwalk_new(&walk, repository), "walk the history")
      defer { git_revwalk_free(walk) }
      git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL.rawValue | GIT_SORT_REVERSE.rawValue)
      var oid = git_oid()
      git_oid_fromstr(&oid, tip.text)
      try check(git_revwalk_push(walk, &oid), "walk the history from \(tip.short)")
      if let end {
        git_oid_fromstr(&oid, end.text)
        try check(git_revwalk_hide(walk, &oid), "walk the history to \(end.short)")
      }
      var commits: [CommitID] = []
      while true {
        let code = git_revwalk_next(&oid, walk)
        if code == GIT_ITEROVER.rawValue { return commits }
        try check(code, "walk the history from \(tip.short)")
        guard commits.count < GitRepository.walkLimit else {
          throw .failed(
            operation: "walk the history from \(tip.short)",
            reason: "more than \(GitRepository.walkLimit) commits are new")
        }
        commits.append(GitRepository.id(&oid))
      }
    }
  }
}
