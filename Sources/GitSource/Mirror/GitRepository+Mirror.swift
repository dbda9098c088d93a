import CLibGit2
public import ConfigModel
import Foundation

extension GitRepository {
  /// Opens a bare repository, and makes it where there is none.
  static func bare(at path: String) throws(GitError) -> GitRepository {
    var options = git_repository_init_options()
    git_repository_init_options_init(&options, UInt32(GIT_REPOSITORY_INIT_OPTIONS_VERSION))
    options.flags = GIT_REPOSITORY_INIT_MKPATH.rawValue | GIT_REPOSITORY_INIT_BARE.rawValue
    precondition(git_libgit2_init() > 0, "libgit2 starts")
    var repository: OpaquePointer?
    try check(git_repository_init_ext(&repository, path, &options), "make a mirror in '\(path)'")
    git_repository_free(repository)
    return try GitRepository(path)
  }

  /// - Throws: if it is there and can't be read, or if that can't be told.
  public func holds(_ commit: CommitID) throws(GitError) -> Bool {
    try withRepository { repository throws(GitError) in
      var oid = git_oid()
      var held: OpaquePointer?
      git_oid_fromstr(&oid, commit.text)
      let code = git_commit_lookup(&held, repository, &oid)
      if code == GIT_ENOTFOUND.rawValue { return false }
      try check(code, "read a commit")
      git_commit_free(held)
      return true
    }
  }

  /// The commits whose parents a shallow fetch has left out; none where the history is whole (gitrepository-layout(5)).
  public var shallowCommits: Set<CommitID> {
    guard let text = try? String(contentsOfFile: path + "/shallow", encoding: .utf8) else {
      return []
    }
    return Set(text.split(separator: "\n").compactMap { CommitID(String($0)) })
  }

  func setReference(_ name: String, to commit: CommitID) throws(GitError) {
    try withRepository { repository throws(GitError) in
      var oid = git_oid()
      var reference: OpaquePointer?
      git_oid_fromstr(&oid, commit.text)
      try check(
        git_reference_create(&reference, repository, name, &oid, 1, nil), "move \(name)")
      git_reference_free(reference)
    }
  }
}
