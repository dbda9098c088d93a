public import ConfigModel
import Jsonnet

/// Who made the commit that is compiled, and the trees of those before it.
public struct CommitHistory {
  /// What was published before, and by which settings.
  struct Published {
    var settings: Settings
    var keySpace: KeySpace
  }

  enum Last {
    /// There is no commit before, or nothing depends on it.
    case nothing
    case known(Published)
    /// There is one, and what it published can't be told.
    case unknown(String)
  }

  /// Commits that are looked at until one compiles.
  private static let limit = 50
  /// The addresses of who answers for the change: the author's, or those of who has signed it; nil for what is no
  /// commit yet, whose owners are not asked.
  let authors: [String]?
  /// The tree so many commits ago, from 1; nil where there is none.
  private let tree: (Int) throws -> SourceTree?
  /// Whether the commit before is known to have been published.
  private let isPublished: Bool
  /// Whether any number of keys may be deleted: the commit says so, or nothing of it is published yet.
  let allowsPrune: Bool
  /// Whether nothing is published yet, so that nothing can be deleted.
  let isFirst: Bool

  /// - Parameter tree: throws where there is a commit, and it can't be read.
  public init(
    by authors: [String]?, allowsPrune: Bool = false, isFirst: Bool = false,
    afterPublished isPublished: Bool = false,
    _ tree: @escaping (Int) throws -> SourceTree?
  ) {
    self.authors = authors
    self.isPublished = isPublished
    self.allowsPrune = allowsPrune
    self.isFirst = isFirst
    self.tree = tree
  }

  /// - Parameters:
  ///   - signer: who has signed it, where that is required: an author is a name that anybody can write.
  ///   - isFirst: whether nothing was published before, so that nothing can be deleted.
  ///   - isPublished: whether the tree before is what is published, whatever this program thinks of it.
  ///   - tree: throws where there is a commit, and it can't be read.
  public init(
    of commit: CommitFacts, signedBy signer: Signer? = nil, isFirst: Bool = false,
    afterPublished isPublished: Bool = false,
    _ tree: @escaping (Int) throws -> SourceTree?
  ) {
    self.init(
      by: signer?.addresses ?? [commit.author.email],
      allowsPrune: isFirst || PruneStage.isAllowed(by: commit.trailers), isFirst: isFirst,
      afterPublished: isPublished, tree)
  }

  /// Nothing was before.
  public static var none: CommitHistory { CommitHistory(by: nil) { _ in nil } }

  /// What is wrong with the source's name: the reconciler takes it from the store, and stops where a commit says another.
  func renaming(_ tree: SourceTree, to settings: Settings) -> Diagnostic? {
    guard !isFirst, let before = try? self.tree(1),
      let old = before.file(at: Settings.fileName), let new = tree.file(at: Settings.fileName),
      old.objectID == nil || old.objectID != new.objectID,
      let name = readSettings(before)?.name, name != settings.name
    else { return nil }
    return Diagnostic(
      .configRenamed, .warning, at: SourceSpan(file: Settings.fileName),
      "the source was '\(name)', and is '\(settings.name)' now: a reconciler that is not told its name stops",
      hint: "keep the name, or give 'run' and 'apply' the one that the store has: --name \(name)")
  }

  /// The last commit that compiles; its own policies and owners are not asked again. One that does not compile was
  /// refused, so that nothing of it counts.
  func last(
    looksBack: Bool, _ cache: CompileCache, by deadline: JsonnetDeadline
  ) -> Last {
    // Settings that can't be read may ask for anything.
    var isAsked = looksBack
    for ago in 1...CommitHistory.limit {
      let found: SourceTree?
      do {
        found = try tree(ago)
      } catch {
        return .unknown("\(error)")
      }
      guard let tree = found else { return .nothing }
      let old = readSettings(tree)
      isAsked = isAsked || (old?.looksBack ?? true)
      // One that asks for nothing and does not compile was refused, and what it takes away still counts: that is
      // found out, unless it is known, or nobody is asked.
      if !isAsked, isPublished || authors == nil { return .nothing }
      let compilation = compileValues(tree, cache, by: deadline)
      // That it was not refused can't be told either: older owners must not stand in for its own.
      if let finding = compilation.diagnostics.first(where: \.isOfTheMachine) {
        return .unknown("a commit before could not be compiled: \(finding.message)")
      }
      if let keySpace = compilation.keySpace {
        guard isAsked else { return .nothing }
        return .known(Published(settings: compilation.settings, keySpace: keySpace))
      }
    }
    return .unknown("none of the last \(CommitHistory.limit) commits compiles")
  }
}

extension Diagnostic {
  /// Whether another run may find otherwise.
  fileprivate var isOfTheMachine: Bool {
    [.limitJsonnet, .jsonnetUnavailable, .fileUnreadable].contains(code)
  }
}
