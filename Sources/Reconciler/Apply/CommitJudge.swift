import Compiler
import ConfigModel

/// What a commit is judged by: what the store holds, the settings of then, and who has signed it.
struct CommitJudge {
  /// Commits before the first that is applied, looked at until one compiles.
  static let historySearch = 50

  struct Verdict {
    var compilation: Compilation
    /// nil where signatures are not required.
    var signer: Signer?
  }

  let source: any ConfigSource
  let cache: CompileCache
  /// Whether each commit has to be signed, whatever the repository says.
  let requiresSignatures: Bool
  /// Whether it is enough that there is a signature, where nobody is trusted: for plans that are made without keys.
  let takesUnchecked: Bool
  /// Whether a commit may be judged though nobody can tell what the store's asks for, since no clone holds it.
  let acceptsLostHead: Bool

  /// - Parameter head: what the store holds.
  /// - Throws: `ReconcileError.uncompiled` if it can't be found out whether the commit is valid.
  func verdict(on facts: CommitFacts, after head: CommitID?) async throws -> Verdict {
    let base = try await base(of: facts, head)
    let (signer, findings) = try await signatures(of: facts, after: head, base)
    let history = try await history(of: facts, signer, head, base)
    var compilation = compile(try await source.tree(of: facts.commit), after: history, cache: cache)
    // That is no fault of the commit, and may be over soon.
    if let finding = compilation.unknown { throw ReconcileError.uncompiled(finding.message) }
    compilation.diagnostics = (compilation.diagnostics + findings).sortedByPlace()
    if findings.hasErrors { compilation.keySpace = nil }
    return Verdict(compilation: compilation, signer: signer)
  }

  /// The settings that decide who may change what, and when: those of the store's commit, so that no commit grants
  /// itself a right; its own for the first of a source.
  ///
  /// - Returns: nil if the commit is the first, and its own can't be read.
  func ruling(on facts: CommitFacts, after head: CommitID?) async throws -> Settings? {
    guard head != nil, let base = try await base(of: facts, head) else {
      return readSettings(try await source.tree(of: facts.commit))
    }
    guard let settings = readSettings(try await source.tree(of: base)) else {
      throw ReconcileError.uncompiled(
        "configsync.yaml of \(base.short), which decides, can't be read")
    }
    return settings
  }

  // MARK: - Signatures

  private func signatures(
    of facts: CommitFacts, after head: CommitID?, _ base: CommitID?
  ) async throws -> (signer: Signer?, findings: [Diagnostic]) {
    let isRequired =
      if requiresSignatures { true } else {
        try await ruling(on: facts, after: head)?.requiresSignatures ?? false
      }
    guard isRequired else { return (nil, []) }
    // Of a first sync the past is taken as it is.
    let answer = try await SignatureCheck(of: source).check(
      facts.commit, after: head == nil ? facts.parents.first : base)
    let isUnchecked = answer.findings.contains { $0.code == .signatureUnchecked }
    guard !isUnchecked || takesUnchecked else {
      throw ReconcileError.noSigners
    }
    return (answer.signer, answer.findings)
  }

  // MARK: - What was before

  /// What the commit is compared with: what the store holds, also where the branch was rewritten; else, on a first sync
  /// or where that commit is gone, its first parent.
  private func base(of facts: CommitFacts, _ head: CommitID?) async throws -> CommitID? {
    guard let head, head != facts.parents.first else { return facts.parents.first }
    if try await source.isAncestor(head, of: facts.commit) { return head }
    // Git forgets a commit some time after a branch was rewritten. One that can't be read just now is not forgotten,
    // and nothing else may stand in for it: unless somebody has said so.
    guard acceptsLostHead else {
      _ = try await source.facts(of: head)
      return head
    }
    return try await source.holds(head) ? head : facts.parents.first
  }

  private func history(
    of facts: CommitFacts, _ signer: Signer?, _ head: CommitID?, _ base: CommitID?
  ) async throws -> CommitHistory {
    guard let base else {
      return CommitHistory(of: facts, signedBy: signer, isFirst: head == nil) { _ in nil }
    }
    // What the store holds compiles; on a first sync the parent may not.
    let ids =
      head == base
      ? [base]
      : try await source.firstParents(from: base, until: nil, limit: CommitJudge.historySearch)
    var trees: [SourceTree] = []
    for id in ids { trees.append(try await source.tree(of: id)) }
    let (known, isWhole) = (trees, head != base && ids.count < CommitJudge.historySearch)
    return CommitHistory(
      of: facts, signedBy: signer, isFirst: head == nil, afterPublished: head == base
    ) { ago in
      if known.indices.contains(ago - 1) { return known[ago - 1] }
      if isWhole { return nil }
      throw ReconcileError.uncompiled("what was before \(facts.commit.short) does not compile")
    }
  }
}
