import CLibGit2
public import ConfigModel

extension GitRepository {
  /// Commits the undoing of one commit on the current branch, as `git revert` does.
  ///
  /// - Throws: `.conflicts` with the paths if later commits touched the same lines; nothing has
  ///   changed then.
  public func revert(_ commit: CommitID) throws(GitError) -> CommitID {
    let facts = try facts(of: commit)
    guard !facts.parents.isEmpty else { throw .missingParent(commit: commit.short) }
    try checkCleanWorkingTree()
    let head = try resolve("HEAD")
    let message = "Revert \"\(facts.subject)\"\n\nThis reverts commit \(commit).\n"
    return try withRepository { repository throws(GitError) in
      let tree = try GitRepository.revertedTree(
        commit, isMerge: facts.parents.count > 1, onto: head, in: repository)
      return try GitRepository.commit(tree, onto: head, message: message, in: repository)
    }
  }

  /// Commits the whole tree of an earlier commit on the current branch.
  public func restore(_ commit: CommitID) throws(GitError) -> CommitID {
    let facts = try facts(of: commit)
    try checkCleanWorkingTree()
    let head = try resolve("HEAD")
    let message =
      "Roll back to \"\(facts.subject)\"\n\nThis restores the state of commit \(commit).\n"
    return try withRepository { repository throws(GitError) in
      var tree = git_oid()
      git_oid_fromstr(&tree, facts.tree)
      return try GitRepository.commit(tree, onto: head, message: message, in: repository)
    }
  }

  private static func revertedTree(
    _ commit: CommitID, isMerge: Bool, onto head: CommitID, in repository: OpaquePointer
  ) throws(GitError) -> git_oid {
    try withCommit(commit, in: repository) { undone throws(GitError) in
      try withCommit(head, in: repository) { current throws(GitError) in
        var index: OpaquePointer?
        try check(
          git_revert_commit(&index, repository, undone, current, isMerge ? 1 : 0, nil),
          "revert \(commit.short)")
        defer { git_index_free(index) }
        if git_index_has_conflicts(index) == 1 {
          throw .conflicts(commit: commit.short, paths: conflicts(in: index))
        }
        var tree = git_oid()
        try check(git_index_write_tree_to(&tree, index, repository), "write the tree")
        return tree
      }
    }
  }

  private static func conflicts(in index: OpaquePointer?) -> [String] {
    var iterator: OpaquePointer?
    guard git_index_conflict_iterator_new(&iterator, index) == 0 else { return [] }
    defer { git_index_conflict_iterator_free(iterator) }
    var paths: [String] = []
    var (base, ours, theirs):
      (
        UnsafePointer<git_index_entry>?, UnsafePointer<git_index_entry>?,
        UnsafePointer<git_index_entry>?
      ) = (nil, nil, nil)
    while git_index_conflict_next(&base, &ours, &theirs, iterator) == 0 {
      if let path = (ours ?? theirs ?? base)?.pointee.path { paths.append(String(cString: path)) }
    }
    return paths.sorted()
  }

  private func checkCleanWorkingTree() throws(GitError) {
    guard !isBare else { return }
    let changed = try withRepository { repository throws(GitError) in
      var options = git_status_options()
      git_status_options_init(&options, UInt32(GIT_STATUS_OPTIONS_VERSION))
      options.show = GIT_STATUS_SHOW_INDEX_AND_WORKDIR
      options.flags = 0
      var list: OpaquePointer?
      try check(git_status_list_new(&list, repository, &options), "read the working tree")
      defer { git_status_list_free(list) }
      return (0..<git_status_list_entrycount(list)).compactMap { index -> String? in
        guard let entry = git_status_byindex(list, index) else { return nil }
        let delta = entry.pointee.head_to_index ?? entry.pointee.index_to_workdir
        return delta?.pointee.new_file.path.map { String(cString: $0) }
      }
    }
    if !changed.isEmpty { throw .uncommittedChanges(paths: changed) }
  }

  /// Commits `tree` on the branch of HEAD, and brings the working tree along.
  private static func commit(
    _ tree: git_oid, onto head: CommitID, message: String, in repository: OpaquePointer
  ) throws(GitError) -> CommitID {
    var signature: UnsafeMutablePointer<git_signature>?
    guard git_signature_default(&signature, repository) == 0 else { throw .noIdentity }
    defer { git_signature_free(signature) }
    var treeID = tree
    var handle: OpaquePointer?
    try check(git_tree_lookup(&handle, repository, &treeID), "read the new tree")
    defer { git_tree_free(handle) }
    if git_repository_is_bare(repository) == 0 {
      // Before the branch moves: a file in the way stops everything while nothing has changed.
      var options = git_checkout_options()
      git_checkout_options_init(&options, UInt32(GIT_CHECKOUT_OPTIONS_VERSION))
      options.checkout_strategy = GIT_CHECKOUT_SAFE.rawValue
      try check(git_checkout_tree(repository, handle, &options), "update the working tree")
    }
    return try withCommit(head, in: repository) { parent throws(GitError) in
      var parents: [OpaquePointer?] = [parent]
      var id = git_oid()
      try check(
        git_commit_create(
          &id, repository, "HEAD", signature, signature, nil, message, handle, 1, &parents),
        "write the commit")
      return GitRepository.id(&id)
    }
  }
}
