import Compiler
import ConfigModel
import GitSource
import Reconciler
import Server

extension RepositoryOptions {
  /// What a command looks at, and what came of it.
  typealias Compiled = (tree: SourceTree, compilation: Compilation)

  /// A revision, or the working tree, compiled and compared with the commit before.
  ///
  /// - Parameters:
  ///   - base: what is live: the commits after it are judged in order, as the reconciler would, and each is compared
  ///     with the last that it would have applied.
  ///   - signers: who is trusted to sign commits.
  func compile(
    at revision: String?, since base: String? = nil, trusting signers: TrustedSigners = .init(),
    _ cache: CompileCache
  ) async throws -> Compiled {
    let repository = try open()
    do {
      guard let revision else {
        let tree = try repository.workingTree()
        let history = history(of: nil, from: try head(of: repository), repository)
        return try answered(tree, Compiler.compile(tree, after: history, cache: cache))
      }
      let tip = try repository.resolve(revision)
      if let base {
        return try await compile(
          tip, since: try repository.resolve(base), in: repository, trusting: signers, cache)
      }
      let facts = try repository.facts(of: tip)
      let tree = try repository.tree(of: tip)
      let ruling = try ruling(on: facts, in: repository)
      let signed = try await signatures(
        of: facts, after: ruling.commit, by: ruling.tree, in: repository, trusting: signers)
      let history = history(
        of: facts, signedBy: signed.signer, from: facts.parents.first, repository)
      return try answered(
        tree, Compiler.compile(tree, after: history, cache: cache), signed.findings)
    } catch let error as GitError {
      throw CommandFailure(.unknown, "\(error)")
    }
  }

  private func compile(
    _ tip: CommitID, since base: CommitID, in repository: GitRepository,
    trusting signers: TrustedSigners, _ cache: CompileCache
  ) async throws -> Compiled {
    let parents = try repository.firstParents(from: tip)
    let new = try parents.prefix { try !repository.isAncestor($0, of: base) }
    guard !new.isEmpty else {
      throw CommandFailure(.unknown, "\(tip.short) is in \(base.short) already: nothing is new")
    }
    var (live, liveCommit) = (try repository.tree(of: base), base)
    var last: Compiled?
    for commit in new.reversed() {
      let tree = try repository.tree(of: commit)
      let before = live
      let facts = try repository.facts(of: commit)
      let signed = try await signatures(
        of: facts, after: liveCommit, by: live, in: repository, trusting: signers)
      let history = CommitHistory(of: facts, signedBy: signed.signer, afterPublished: true) { ago in
        guard ago == 1 else { throw CommandFailure(.unknown, "\(base.short) does not compile") }
        return before
      }
      let compiled = try answered(
        tree, Compiler.compile(tree, after: history, cache: cache), signed.findings)
      if compiled.compilation.keySpace != nil { (live, liveCommit) = (tree, commit) }
      last = compiled
    }
    guard let last else { preconditionFailure("there is a commit") }
    return last
  }

  /// Commits before one that are looked at until settings can be read.
  private static let settingsSearch = 50

  /// The last commit before one whose settings can be read, and which decides; its own tree for the first.
  private func ruling(
    on facts: CommitFacts, in repository: GitRepository
  ) throws -> (commit: CommitID?, tree: SourceTree) {
    var next = facts.parents.first
    for _ in 0..<RepositoryOptions.settingsSearch {
      guard let commit = next else { break }
      let tree = try repository.tree(of: commit)
      if readSettings(tree) != nil { return (commit, tree) }
      next = try repository.facts(of: commit).parents.first
    }
    guard next == nil else {
      throw CommandFailure(
        .unknown,
        "no configsync.yaml of the last \(RepositoryOptions.settingsSearch) commits can be read")
    }
    return (facts.parents.first, try repository.tree(of: facts.commit))
  }

  /// Who has signed a commit, and what is wrong with it, where the settings of `ruling` ask for signatures.
  private func signatures(
    of facts: CommitFacts, after base: CommitID?, by ruling: SourceTree,
    in repository: GitRepository, trusting signers: TrustedSigners
  ) async throws -> SignatureCheck.Answer {
    guard readSettings(ruling)?.requiresSignatures == true else {
      return .none
    }
    return try await SignatureCheck(GitConfigSource(repository, trusting: signers))
      .check(facts.commit, after: base)
  }

  private func answered(
    _ tree: SourceTree, _ compilation: Compilation, _ signatures: [Diagnostic] = []
  ) throws -> Compiled {
    if let finding = compilation.unknown {
      let hint = finding.hint.map { "; \($0)" } ?? ""
      throw CommandFailure(.unknown, finding.message + hint)
    }
    var compilation = compilation
    compilation.diagnostics = (compilation.diagnostics + signatures).sortedByPlace()
    if signatures.hasErrors { compilation.keySpace = nil }
    return (tree, compilation)
  }

  /// nil where nothing was committed yet.
  private func head(of repository: GitRepository) throws -> CommitID? {
    do {
      return try repository.resolve()
    } catch GitError.unbornBranch {
      return nil
    }
  }

  private func history(
    of facts: CommitFacts?, signedBy signer: Signer? = nil, from commit: CommitID?,
    _ repository: GitRepository
  ) -> CommitHistory {
    // Those that were asked for, in order: each is told by the one after it.
    var commits = [commit]
    let tree: (Int) throws -> SourceTree? = { ago in
      while commits.count < ago {
        let next = try commits[commits.count - 1].flatMap { commit in
          try repository.facts(of: commit).parents.first
        }
        commits.append(next)
      }
      return try commits[ago - 1].map { try repository.tree(of: $0) }
    }
    return facts.map { CommitHistory(of: $0, signedBy: signer, tree) }
      ?? CommitHistory(by: nil, tree)
  }
}
