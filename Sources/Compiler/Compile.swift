public import ConfigModel
import Jsonnet

/// What became of a tree.
public struct Compilation: Sendable {
  public var settings: Settings
  /// nil if there is an error.
  public var keySpace: KeySpace?
  /// Sorted by place.
  public var diagnostics: [Diagnostic]
  /// Files that are published, or were to be.
  public var fileCount: Int
  public var extent = Extent.whole

  /// What had to be looked at.
  public enum Extent: Hashable, Sendable {
    /// Every file, though what a cache knows is not read again.
    case whole
    /// So many files, and namespaces with layers: those that changed, and what depends on them.
    case units(Int)
  }

  /// Why it could not be found out whether the tree is valid: that is no fault of the tree, and no answer.
  public var unknown: Diagnostic? {
    diagnostics.first {
      [.fileUnreadable, .jsonnetUnavailable, .historyUnknown].contains($0.code)
    }
  }
}

/// Compiles the files of a commit into its key space: the same bytes give the same result.
///
/// Reads no clock, environment, network or file but the tree's. Every finding of every file is
/// reported in one run.
///
/// - Parameter history: who changes what, for owners, and for policies about the change itself.
/// - Complexity: O(bytes) of the files that `cache` does not know, and O(*n* log *n*) in keys.
public func compile(
  _ tree: SourceTree, after history: CommitHistory = .none, cache: CompileCache = CompileCache()
) -> Compilation {
  let deadline = JsonnetDeadline()
  var compilation = compileValues(tree, cache, by: deadline)
  guard let keySpace = compilation.keySpace else { return compilation }
  let settings = compilation.settings
  // An empty configuration is compared with what was before, whatever the settings ask.
  let looksBack = settings.looksBack || keySpace.count == 0
  switch history.last(looksBack: looksBack, cache, by: JsonnetDeadline()) {
  case .unknown(let reason):
    compilation.diagnostics.append(
      Diagnostic(
        .historyUnknown, at: SourceSpan(file: Settings.fileName),
        "policies, owners and prune can't be asked, since nobody can tell what was before: \(reason)",
        hint: "are the commits before this one in the clone? 'git fetch --deepen 50' fetches them"))
  case .nothing: compilation.check(keySpace, in: tree, after: nil, history, deadline)
  case .known(let last): compilation.check(keySpace, in: tree, after: last, history, deadline)
  }
  if let finding = history.renaming(tree, to: settings) {
    compilation.diagnostics = (compilation.diagnostics + [finding]).sortedByPlace()
  }
  if compilation.diagnostics.hasErrors { compilation.keySpace = nil }
  return compilation
}

/// The same without what depends on other commits: policies and owners are not asked.
public func compileValues(
  _ tree: SourceTree, cache: CompileCache = CompileCache()
) -> Compilation {
  compileValues(tree, cache, by: JsonnetDeadline())
}

func compileValues(
  _ tree: SourceTree, _ cache: CompileCache, by deadline: JsonnetDeadline
) -> Compilation {
  defer { cache.flush() }
  if let state = cache.state(before: tree) {
    var compiler = IncrementalCompiler(state, tree, cache, by: deadline)
    if let next = compiler.compile() {
      cache.remember(next)
      var compilation = next.compilation
      compilation.extent = .units(compiler.unitCount)
      return compilation
    }
  }
  var compiler = TreeCompiler(tree: tree, cache: cache, deadline: deadline)
  let compilation = compiler.compile()
  if let state = compiler.state { cache.remember(state) }
  return compilation
}

extension Compilation {
  /// Asks owners, limits of deletions, and policies.
  fileprivate mutating func check(
    _ keySpace: KeySpace, in tree: SourceTree, after last: CommitHistory.Published?,
    _ history: CommitHistory, _ deadline: JsonnetDeadline
  ) {
    var owners = OwnerStage(settings, tree)
    owners.check(keySpace, after: last, by: history.authors)
    diagnostics += PruneStage.findings(keySpace, after: last, history, settings)
    var policies = PolicyStage(tree, settings, by: deadline)
    policies.check(keySpace, previous: last?.keySpace ?? .empty)
    diagnostics = (diagnostics + owners.diagnostics + policies.diagnostics).sortedByPlace()
  }
}
