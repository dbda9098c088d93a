import CLibGit2
public import ConfigModel

/// One path that differs between two trees.
public struct TreeChange: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable { case added, removed, modified }
  public var path: String
  public var kind: Kind
}

extension GitRepository {
  /// An entry of one tree object.
  private struct Entry: Hashable {
    enum Kind { case file, symlink, submodule, folder }
    var name: String
    var id: String
    var kind: Kind
  }

  /// The files of a commit; their bytes are read when they are asked for.
  public func tree(of commit: CommitID) throws(GitError) -> SourceTree {
    let found = try withRepository { repository throws(GitError) in
      var files: [(path: String, entry: Entry)] = []
      let root = try GitRepository.rootTree(of: commit, in: repository)
      try GitRepository.walk(root, under: "", depth: 0, in: repository) { files.append(($0, $1)) }
      return files
    }
    var files: [SourceTree.File] = []
    for (path, entry) in found {
      var oid = git_oid()
      git_oid_fromstr(&oid, entry.id)
      let id = entry.id
      files.append(
        SourceTree.File(
          path: path, kind: GitRepository.kind(entry.kind), objectID: id,
          byteCount: entry.kind == .submodule ? 0 : try size(ofBlob: id, &oid)
        ) { [self] in try blob(id) })
    }
    return SourceTree(files)
  }

  private static func kind(_ kind: Entry.Kind) -> SourceTree.Kind {
    switch kind {
    case .symlink: .symlink
    case .submodule: .submodule
    case .file, .folder: .file
    }
  }

  /// What differs between two commits, found by comparing object ids: equal folders are not opened.
  ///
  /// - Complexity: O(entries of the folders that differ).
  public func changes(
    from old: CommitID?, to new: CommitID
  ) throws(GitError) -> [TreeChange] {
    let changes = try withRepository { repository throws(GitError) in
      var changes: [TreeChange] = []
      let before: String? =
        if let old { try GitRepository.rootTree(of: old, in: repository) } else { nil }
      let after = try GitRepository.rootTree(of: new, in: repository)
      try GitRepository.compare(before, after, under: "", depth: 0, in: repository, &changes)
      return changes
    }
    return changes.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  private static func compare(
    _ old: String?, _ new: String?, under folder: String, depth: Int,
    in repository: OpaquePointer, _ changes: inout [TreeChange]
  ) throws(GitError) {
    guard old != new else { return }
    let before: [Entry] = if let old { try entries(of: old, in: repository) } else { [] }
    let after: [Entry] = if let new { try entries(of: new, in: repository) } else { [] }
    var left = Dictionary(before.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for entry in after {
      let previous = left.removeValue(forKey: entry.name)
      if previous == entry { continue }
      try report(previous, entry, under: folder, depth: depth, in: repository, &changes)
    }
    for entry in left.values {
      try report(entry, nil, under: folder, depth: depth, in: repository, &changes)
    }
  }

  private static func report(
    _ old: Entry?, _ new: Entry?, under folder: String, depth: Int,
    in repository: OpaquePointer, _ changes: inout [TreeChange]
  ) throws(GitError) {
    guard depth < maximumDepth, let name = (new ?? old)?.name else { return }
    let path = folder + name
    let oldTree = old?.kind == .folder ? old?.id : nil
    let newTree = new?.kind == .folder ? new?.id : nil
    if oldTree != nil || newTree != nil {
      try compare(
        oldTree, newTree, under: path + "/", depth: depth + 1, in: repository, &changes)
    }
    let oldFile = old.flatMap { $0.kind == .folder ? nil : $0 }
    let newFile = new.flatMap { $0.kind == .folder ? nil : $0 }
    switch (oldFile, newFile) {
    case (nil, nil): break
    case (nil, _?): changes.append(TreeChange(path: path, kind: .added))
    case (_?, nil): changes.append(TreeChange(path: path, kind: .removed))
    case (_?, _?): changes.append(TreeChange(path: path, kind: .modified))
    }
  }

  /// Folders inside each other that are followed.
  private static let maximumDepth = 128

  private static func rootTree(
    of commit: CommitID, in repository: OpaquePointer
  ) throws(GitError) -> String {
    try withCommit(commit, in: repository) { hexadecimal(git_commit_tree_id($0)) }
  }

  private static func walk(
    _ tree: String, under folder: String, depth: Int, in repository: OpaquePointer,
    _ visit: (String, Entry) -> Void
  ) throws(GitError) {
    guard depth < maximumDepth else {
      throw .failed(operation: "read \(folder)", reason: "its folders are too deep")
    }
    for entry in try entries(of: tree, in: repository) {
      let path = folder + entry.name
      if entry.kind == .folder {
        try walk(entry.id, under: path + "/", depth: depth + 1, in: repository, visit)
      } else {
        visit(path, entry)
      }
    }
  }

  private static func entries(
    of tree: String, in repository: OpaquePointer
  ) throws(GitError) -> [Entry] {
    var oid = git_oid()
    var handle: OpaquePointer?
    git_oid_fromstr(&oid, tree)
    try check(git_tree_lookup(&handle, repository, &oid), "read the tree \(tree)")
    defer { git_tree_free(handle) }
    return (0..<git_tree_entrycount(handle)).compactMap { index in
      guard let entry = git_tree_entry_byindex(handle, index),
        let name = git_tree_entry_name(entry)
      else { return nil }
      let kind: Entry.Kind
      switch git_tree_entry_filemode(entry) {
      case GIT_FILEMODE_LINK: kind = .symlink
      case GIT_FILEMODE_COMMIT: kind = .submodule
      case GIT_FILEMODE_TREE: kind = .folder
      default: kind = .file
      }
      return Entry(
        name: String(cString: name), id: hexadecimal(git_tree_entry_id(entry)), kind: kind)
    }
  }
}
