public import ConfigModel

/// The trees of the commits before the one that is compiled.
public struct CommitHistory {
  /// Commits that are looked at until one compiles.
  private static let limit = 50
  /// The tree so many commits ago, from 1; nil where there is none.
  private let tree: (Int) -> SourceTree?

  public init(_ tree: @escaping (Int) -> SourceTree?) { self.tree = tree }

  /// Nothing was before.
  public static var none: CommitHistory { CommitHistory { _ in nil } }

  /// What the last commit that compiles published; policies are not asked again.
  func keySpace(_ cache: CompileCache) -> KeySpace {
    for ago in 1...CommitHistory.limit {
      guard let tree = tree(ago) else { break }
      var compiler = TreeCompiler(tree: tree, cache: cache)
      if let keySpace = compiler.compile().keySpace { return keySpace }
    }
    return .empty
  }
}
