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
  ///
  /// - Throws: if that can't be told: what is missing must not be taken for what is not there.
  public func shallowCommits() throws(GitError) -> Set<CommitID> {
    let file = path + "/shallow"
    guard FileManager.default.fileExists(atPath: file) else { return [] }
    guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
      // Git removes it once the history is whole.
      guard FileManager.default.fileExists(atPath: file) else { return [] }
      throw .failed(
        operation: "read '\(file)'", reason: "it can't be told which commits are not here")
    }
    let commits = text.split(separator: "\n").map { CommitID(String($0)) }
    guard !commits.contains(nil) else {
      throw .failed(
        operation: "read '\(file)'",
        reason: "it is damaged: remove the mirror's folder, which is then fetched anew")
    }
    return Set(commits.compactMap(\.self))
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
