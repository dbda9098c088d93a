public import ConfigModel

/// Who made the commit that is compiled, and the trees of those before it.
public struct CommitHistory {
  /// What was published before, and by which settings.
  struct Last {
    var settings: Settings
    var keySpace: KeySpace
  }

  /// Commits that are looked at until one compiles.
  private static let limit = 50
  /// The author's address; nil for what is no commit yet, whose owners are not asked.
  let author: String?
  /// The tree so many commits ago, from 1; nil where there is none.
  private let tree: (Int) -> SourceTree?

  public init(by author: String?, _ tree: @escaping (Int) -> SourceTree?) {
    self.author = author
    self.tree = tree
  }

  /// Nothing was before.
  public static var none: CommitHistory { CommitHistory(by: nil) { _ in nil } }

  /// The last commit that compiles; its own policies and owners are not asked again. One that does not compile was
  /// refused, so that nothing of it counts. nil if there is none, or nothing depends on it.
  func last(before settings: Settings, _ cache: CompileCache) -> Last? {
    for ago in 1...CommitHistory.limit {
      guard let tree = tree(ago) else { return nil }
      // Read first: it costs little, and most repositories ask for nothing.
      if let old = readSettings(tree), !settings.looksBack, !old.looksBack { return nil }
      let compilation = compileValues(tree, cache: cache)
      if let keySpace = compilation.keySpace {
        return Last(settings: compilation.settings, keySpace: keySpace)
      }
    }
    return nil
  }
}
