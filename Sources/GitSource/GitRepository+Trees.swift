import CLibGit2
public import ConfigModel
import Synchronization

/// One path that differs between two trees.
public struct TreeChange: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable { case added, removed, modified }
  public var path: String
  public var kind: Kind
}

/// What one tree may hold, folders and what is not published among it.
struct TreeLimits: Sendable {
  var entries = 1_000_000
  /// Of the paths of all of them.
  var pathBytes = 512 << 20
}

/// A tree as it was read, with the object that it was read from.
struct RecentTree: Sendable {
  /// Kept at once; a reconciler looks at a commit and at the one before it.
  static let limit = 4

  var root: String
  var tree: SourceTree
}

extension GitRepository {
  /// An entry of one tree object.
  private struct Entry: Hashable {
    enum Kind { case file, symlink, submodule, folder }
    var name: String
    var id: String
    var kind: Kind
  }

  private typealias TreeBudgets = (old: TreeBudget, new: TreeBudget)

  /// What may be met in one tree: one object may stand in it many times, so that a few small ones are without end.
  private struct TreeBudget {
    private let limits: TreeLimits
    private var entriesLeft: Int
    private var bytesLeft: Int

    init(_ limits: TreeLimits) {
      self.limits = limits
      (entriesLeft, bytesLeft) = (limits.entries, limits.pathBytes)
    }

    mutating func take(_ entries: [Entry], under folder: String) throws(GitError) {
      entriesLeft -= entries.count
      bytesLeft -= entries.reduce(entries.count * folder.utf8.count) { $0 + $1.name.utf8.count }
      guard entriesLeft >= 0, bytesLeft >= 0 else {
        throw .failed(
          operation: "read \(folder)",
          reason: "with it the tree has more than \(limits.entries) entries, or "
            + "\(limits.pathBytes) bytes of paths")
      }
    }
  }

  /// What stands at a path in two trees, folders aside.
  private struct EntryChange {
    var path: String
    var old: Entry?
    var new: Entry?
  }

  /// The files of a commit; their bytes are read when they are asked for.
  ///
  /// - Complexity: O(entries of the folders that differ) from a tree that was read lately; else O(*n*) in files.
  public func tree(of commit: CommitID) throws(GitError) -> SourceTree {
    let root = try withRepository { repository throws(GitError) in
      try GitRepository.rootTree(of: commit, in: repository)
    }
    let recent = recentTrees.withLock { $0 }
    if let known = recent.last(where: { $0.root == root }) { return known.tree }
    let tree: SourceTree
    if let last = recent.last, let derived = try self.tree(root, from: last) {
      tree = derived
    } else {
      tree = try readTree(root)
    }
    recentTrees.withLock { recent in
      if recent.count >= RecentTree.limit { recent.removeFirst() }
      recent.append(RecentTree(root: root, tree: tree))
    }
    return tree
  }

  private func readTree(_ root: String) throws(GitError) -> SourceTree {
    let found = try withRepository { repository throws(GitError) in
      var files: [(path: String, entry: Entry)] = []
      var budget = TreeBudget(treeLimits)
      try GitRepository.walk(root, under: "", depth: 0, in: repository, &budget) {
        files.append(($0, $1))
      }
      return files
    }
    var files: [SourceTree.File] = []
    files.reserveCapacity(found.count)
    for (path, entry) in found { files.append(try file(entry, at: path)) }
    return SourceTree(files)
  }

  /// The tree made from another one; nil where that can't be done.
  private func tree(_ root: String, from last: RecentTree) throws(GitError) -> SourceTree? {
    let changes = try entryChanges(from: last.root, to: root)
    // Names that are no UTF-8 may have become the same.
    guard !changes.contains(where: { $0.path.contains("\u{fffd}") }) else { return nil }
    var files: [(path: String, file: SourceTree.File?)] = []
    for change in changes {
      if let new = change.new {
        files.append((change.path, try file(new, at: change.path)))
      } else {
        files.append((change.path, nil))
      }
    }
    return last.tree.applying(files)
  }

  private func file(_ entry: Entry, at path: String) throws(GitError) -> SourceTree.File {
    let (objects, id) = (objects, entry.id)
    return SourceTree.File(
      path: path, kind: GitRepository.kind(entry.kind), objectID: id,
      byteCount: entry.kind == .submodule ? 0 : try objects.size(ofBlob: id)
    ) { try objects.blob(id) }
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
    let roots = try withRepository { repository throws(GitError) in
      let before: String? =
        if let old { try GitRepository.rootTree(of: old, in: repository) } else { nil }
      return (before, try GitRepository.rootTree(of: new, in: repository))
    }
    return try entryChanges(from: roots.0, to: roots.1).map { change in
      TreeChange(
        path: change.path,
        kind: change.old == nil ? .added : change.new == nil ? .removed : .modified)
    }
  }

  /// Sorted by the bytes of the path.
  private func entryChanges(
    from old: String?, to new: String
  ) throws(GitError) -> [EntryChange] {
    let changes = try withRepository { repository throws(GitError) in
      var changes: [EntryChange] = []
      // Each side by itself: what may be read may be compared.
      var budgets = (old: TreeBudget(treeLimits), new: TreeBudget(treeLimits))
      try GitRepository.compare(old, new, under: "", depth: 0, in: repository, &budgets, &changes)
      return changes
    }
    return changes.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  private static func compare(
    _ old: String?, _ new: String?, under folder: String, depth: Int,
    in repository: OpaquePointer, _ budgets: inout TreeBudgets, _ changes: inout [EntryChange]
  ) throws(GitError) {
    guard old != new else { return }
    try checkDepth(depth, folder)
    let before: [Entry] = if let old { try entries(of: old, in: repository) } else { [] }
    let after: [Entry] = if let new { try entries(of: new, in: repository) } else { [] }
    try budgets.old.take(before, under: folder)
    try budgets.new.take(after, under: folder)
    // By bytes: names that only look alike stay apart.
    var left = Dictionary(
      before.map { (ConfigPath(escaped: $0.name), $0) }, uniquingKeysWith: { first, _ in first })
    for entry in after {
      let previous = left.removeValue(forKey: ConfigPath(escaped: entry.name))
      if previous == entry { continue }
      try report(previous, entry, under: folder, depth: depth, in: repository, &budgets, &changes)
    }
    for entry in left.values {
      try report(entry, nil, under: folder, depth: depth, in: repository, &budgets, &changes)
    }
  }

  private static func report(
    _ old: Entry?, _ new: Entry?, under folder: String, depth: Int,
    in repository: OpaquePointer, _ budgets: inout TreeBudgets, _ changes: inout [EntryChange]
  ) throws(GitError) {
    guard let name = (new ?? old)?.name else { return }
    let path = folder + name
    let oldTree = old?.kind == .folder ? old?.id : nil
    let newTree = new?.kind == .folder ? new?.id : nil
    if oldTree != nil || newTree != nil {
      try compare(
        oldTree, newTree, under: path + "/", depth: depth + 1, in: repository, &budgets, &changes)
    }
    let oldFile = old.flatMap { $0.kind == .folder ? nil : $0 }
    let newFile = new.flatMap { $0.kind == .folder ? nil : $0 }
    guard oldFile != nil || newFile != nil else { return }
    changes.append(EntryChange(path: path, old: oldFile, new: newFile))
  }

  /// Folders inside each other that are followed.
  private static let maximumDepth = 128

  private static func checkDepth(_ depth: Int, _ folder: String) throws(GitError) {
    guard depth < maximumDepth else {
      throw .failed(operation: "read \(folder)", reason: "its folders are too deep")
    }
  }

  private static func rootTree(
    of commit: CommitID, in repository: OpaquePointer
  ) throws(GitError) -> String {
    try withCommit(commit, in: repository) { hexadecimal(git_commit_tree_id($0)) }
  }

  private static func walk(
    _ tree: String, under folder: String, depth: Int, in repository: OpaquePointer,
    _ budget: inout TreeBudget, _ visit: (String, Entry) -> Void
  ) throws(GitError) {
    try checkDepth(depth, folder)
    let entries = try entries(of: tree, in: repository)
    try budget.take(entries, under: folder)
    for entry in entries {
      let path = folder + entry.name
      if entry.kind == .folder {
        try walk(entry.id, under: path + "/", depth: depth + 1, in: repository, &budget, visit)
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
    try GitObjects.checkSize(of: &oid, atMost: GitObjects.treeLimit, in: repository)
    try check(git_tree_lookup(&handle, repository, &oid), "read the tree \(tree)")
    defer { git_tree_free(handle) }
    let entries = (0..<git_tree_entrycount(handle)).compactMap { index -> Entry? in
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
    try checkNames(entries, of: tree)
    return entries
  }

  /// Git never writes a tree that names something twice, or by a path: what is meant, nobody can tell.
  private static func checkNames(_ entries: [Entry], of tree: String) throws(GitError) {
    for entry in entries
    where entry.name.utf8.contains(UInt8(ascii: "/")) || ["", ".", ".."].contains(entry.name) {
      throw .failed(
        operation: "read the tree \(tree)", reason: "it holds '\(entry.name)', which is no name")
    }
    var seen: Set<ConfigPath> = []
    for entry in entries where !seen.insert(ConfigPath(escaped: entry.name)).inserted {
      // Names that are no UTF-8 are told apart by Git.
      guard entry.name.contains("\u{fffd}") else {
        throw .failed(operation: "read the tree \(tree)", reason: "it holds '\(entry.name)' twice")
      }
    }
  }
}
