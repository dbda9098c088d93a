import CLibGit2
public import ConfigModel

/// A commit's signature, and the bytes that it is of.
struct SignedBytes: Sendable {
  var signature: [UInt8]
  var content: [UInt8]
}

extension GitRepository {
  /// Commits that one answer may hold.
  private static let walkLimit = 100_000

  /// nil where the commit is not signed.
  func signedBytes(of commit: CommitID) throws(GitError) -> SignedBytes? {
    try withRepository { repository throws(GitError) in
      var oid = git_oid()
      git_oid_fromstr(&oid, commit.text)
      var (signature, content) = (git_buf(), git_buf())
      let code = git_commit_extract_signature(&signature, &content, repository, &oid, nil)
      if code == GIT_ENOTFOUND.rawValue { return nil }
      try check(code, "read the signature of \(commit.short)")
      defer {
        git_buf_dispose(&signature)
        git_buf_dispose(&content)
      }
      return SignedBytes(
        signature: GitRepository.bytes(signature), content: GitRepository.bytes(content))
    }
  }

  private static func bytes(_ buffer: git_buf) -> [UInt8] {
    [UInt8](UnsafeRawBufferPointer(start: buffer.ptr, count: buffer.size))
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
