public import ConfigModel

/// Why a source could not be brought into the store.
public enum ReconcileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The branch no longer contains the commit that the store holds.
  case rewritten(head: CommitID, tip: CommitID)
  /// The store's commit is in no clone any more, so that nobody can tell what its settings ask for.
  case lostHead(CommitID)
  /// The store has other sources and none of this name: nobody who may decide that has said that it is a new one.
  case unnamed(String, others: [String])
  /// The source follows another branch.
  case otherBranch(source: String, follows: String, branch: String?)
  /// A commit names another source than those before it.
  case renamed(from: String, to: String)
  /// A record of the program's own can't be read.
  case record(key: String)
  /// Another reconciler moved the head meanwhile.
  case fenced(source: String)
  /// Another source publishes under the same keys.
  case overlaps(prefix: String, other: String, otherPrefix: String)
  case unknownCommit(String)
  /// A plan that was made before does not hold any more.
  case stale(String)
  /// A commit can't be skipped any more.
  case alreadyApplied(CommitID)
  /// Commits have to be signed, and nobody is trusted to sign.
  case noSigners
  case target(TargetError)
  /// A commit could not be compiled, for no fault of its own.
  case uncompiled(String)

  /// The answer is no, as against: it could not be found out.
  public var isRefusal: Bool {
    switch self {
    case .rewritten, .lostHead, .unnamed, .renamed, .otherBranch, .fenced, .overlaps,
      .alreadyApplied, .stale,
      .target(.refused):
      true
    case .unknownCommit, .noSigners, .record, .target, .uncompiled: false
    }
  }

  public var description: String {
    switch self {
    case .rewritten(let head, let tip):
      "the store holds commit \(head.short), which is not in the history of \(tip.short): the "
        + "branch was rewritten. Nothing was changed. Look at both, then confirm with "
        + "--accept-rewrite"
    case .lostHead(let head):
      "the branch was rewritten, and the clone does not hold commit \(head.short), which the store holds: "
        + "what its settings ask of later commits can't be told. Fetch that commit, or confirm with "
        + "--accept-lost-head, too"
    case .unnamed(let name, let others):
      "the store has no source '\(name)', and has others (\(others.joined(separator: ", "))). Nothing was changed. "
        + "If it is a new one, say so by --name \(name); if configsync.yaml has another name than before, the source "
        + "keeps the one that it has in the store: give that by --name"
    case .otherBranch(let source, let follows, let branch):
      "source '\(source)' follows the branch '\(follows)', and this is \(branch.map { "'\($0)'" } ?? "none"). Nothing "
        + "was changed. If this is meant, say so by --name \(source), until a commit of the branch is applied"
    case .renamed(let old, let new):
      "the newest commit names the source '\(new)', and it was '\(old)' until now. Nothing was changed. It keeps the name "
        + "that it has in the store: give that by --name"
    case .record(let key): "the record '\(key)' in the store can't be read: somebody has damaged it"
    case .fenced(let source):
      "another reconciler moved the head of source '\(source)' meanwhile; nothing of this commit "
        + "was applied"
    case .overlaps(let prefix, let other, let otherPrefix):
      "the source's keys live under '\(prefix)', and those of source '\(other)' under "
        + "'\(otherPrefix)': two sources may not overlap"
    case .unknownCommit(let text): "there is no commit '\(text)' on the branch"
    case .stale(let reason): "the plan is stale: \(reason). Nothing was changed; make another"
    case .alreadyApplied(let commit):
      "the store has applied \(commit.short) already: undo it by 'configsync rollback \(commit.short)'"
    case .noSigners:
      "commits have to be signed, and nobody is trusted to sign them: name the trusted keys by "
        + "--ssh-signers or --openpgp-signers"
    case .target(.unknownOutcome(let reason)):
      "it is not known whether the commit was applied: \(reason). Run the command again: it "
        + "reads the store first"
    case .target(.unavailable(let reason)): "the store can't be reached: \(reason)"
    case .target(.refused(let reason)): "the store refuses the commit: \(reason)"
    case .uncompiled(let reason): reason
    }
  }
}

extension ReconcileError {
  /// What the store holds and the source does not have.
  var unknownHead: CommitID? {
    switch self {
    case .rewritten(let head, _), .lostHead(let head): head
    default: nil
    }
  }

  var needsDecision: Bool {
    switch self {
    case .rewritten, .lostHead, .unnamed, .renamed, .otherBranch, .record, .overlaps,
      .unknownCommit,
      .noSigners,
      .target(.refused):
      true
    case .alreadyApplied, .stale, .fenced, .target, .uncompiled: false
    }
  }
}
