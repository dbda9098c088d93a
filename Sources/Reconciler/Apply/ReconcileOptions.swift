import Compiler
public import ConfigModel

/// Which commits the first sync of a source takes.
public enum HistoryMode: Hashable, Sendable {
  /// The newest one, as one revision.
  case head
  /// Every one.
  case full
  /// The named one, and every one after it.
  case since(String)
}

/// What is done where somebody else has changed a key that the source publishes.
public enum DriftMode: String, Hashable, Sendable, CaseIterable {
  /// It is put back.
  case correct
  /// It is told, and left.
  case report
}

public struct ReconcileOptions: Hashable, Sendable {
  /// Commits that a first sync of the newest one looks at, where no signatures are asked for: that one, and those in which
  /// the last that compiles is looked for.
  public static let firstSyncCommits = 1 + CommitJudge.historySearch

  /// The source's name, where it is not the one in configsync.yaml.
  public var name: String?
  public var history = HistoryMode.head
  /// Goes on from a branch that was rewritten.
  public var acceptsRewrite = false
  /// Goes on although nobody can tell what the settings of the commit before a rewrite asked for.
  public var acceptsLostHead = false
  /// Who applies commits although changes are frozen, and why; recorded with each commit.
  public var freezeOverride: CommitRecord.Override?
  /// Asks for signatures whatever the repository says.
  public var requiresSignatures = false
  public var drift = DriftMode.correct
  /// Why the source could not be read just now, where what was read before is served.
  public var staleness: String?
  /// Whether keys are compared with the commit that the store holds, also where there is no new one.
  public var looksForDrift = true
  /// What the revision of the store's head must be; nil if that does not matter.
  var expectedHeadRevision: Int64?
  /// The revisions that the source's keys must have; nil if that does not matter.
  var expectedItems: [ConfigPath: Int64]?
  /// Goes on where changes wait, to tell what they are.
  var plansAhead = false
  /// Takes a head that the source does not have for news that have not come yet: nothing is recorded then.
  var doubtsRewrites = false
  /// Unless that is it: the source was read since.
  var confirmedHead: CommitID?
  /// See `CommitJudge`.
  var takesUnchecked = false

  public init(
    name: String? = nil, history: HistoryMode = .head, acceptsRewrite: Bool = false,
    requiresSignatures: Bool = false, drift: DriftMode = .correct
  ) {
    self.name = name
    self.history = history
    self.acceptsRewrite = acceptsRewrite
    self.requiresSignatures = requiresSignatures
    self.drift = drift
  }
}

/// What becomes of one commit.
public enum CommitResult: Sendable {
  case applied(revision: Int64, Plan)
  /// It does not compile: the store keeps the last good one.
  case refused([Diagnostic])
}

/// How long the parts of a run took.
public struct ReconcileTimings: Hashable, Sendable {
  /// Looking for what is new where the source comes from.
  public var fetch = Duration.zero
  /// Compiling and judging the commits.
  public var compile = Duration.zero
  /// Until the store had the commits.
  public var commit = Duration.zero

  public init() {}
}

/// What one run did.
public struct ReconcileReport: Sendable {
  public var source: String
  public var applied = 0
  public var refused = 0
  /// The head of the store after the run.
  public var head: CommitID?
  /// The newest commit that the source had.
  public var tip: CommitID
  /// Why the source could not be read just now.
  public var staleness: String?
  /// Where the source's keys live.
  public var prefix: ConfigPath
  /// The revisions that the run made.
  public var revisions: [Int64] = []
  /// Findings of the newest commit, if that was refused.
  public var tipFindings: [Diagnostic]?
  /// Why the newest commits wait.
  public var freeze: Freeze?
  public var suspension: SuspensionRecord?
  /// What somebody else had changed, if that was looked for.
  public var drift = DriftReport()
  public var lookedForDrift = false
  public var timings = ReconcileTimings()
}

extension ReconcileOptions {
  /// - Throws: `ReconcileError.stale` if a key that was read has changed since it was planned what to do.
  func checkItems(_ actual: ActualState) throws(ReconcileError) {
    guard let expectedItems else { return }
    let isSame = actual.items.allSatisfy { expectedItems[$0.key] == $0.value.modRevision }
    let isThere = expectedItems.keys.allSatisfy { path in
      actual.items[path] != nil
        || !actual.prefixes.contains { path == $0 || path.isInside($0) || $0.text.isEmpty }
    }
    guard isSame, isThere else { throw .stale("somebody has changed keys since") }
  }
}
