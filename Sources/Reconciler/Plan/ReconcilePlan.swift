public import Compiler
public import ConfigModel

/// What a run would do: to be shown, and to be applied as it is or not at all.
public struct ReconcilePlan: Hashable, Sendable, Codable {
  public struct Change: Hashable, Sendable, Codable {
    public var key: String
    /// nil where the key is new.
    public var old: [UInt8]?
    /// nil where it is deleted.
    public var new: [UInt8]?

    public var kind: KeySpaceDiff.Change.Kind {
      old == nil ? .added : new == nil ? .removed : .changed
    }
  }

  /// A commit that would be looked at.
  public struct Commit: Hashable, Sendable, Codable {
    public var facts: CommitFacts
    /// Why it would be refused; none if it would be applied.
    public var findings: [RefusalRecord.Finding]
  }

  public static let currentVersion = "configsync/plan/v1"

  public var version: String
  public var source: String
  /// What the store holds, and the revision of its record: nil and 0 before the first commit.
  public var head: CommitID?
  public var headRevision: Int64
  public var tip: CommitID
  /// Oldest first.
  public var commits: [Commit]
  /// Sorted by the bytes of the key.
  public var changes: [Change]
  /// Keys among them that somebody else has changed, and that are put back.
  public var drifted: [String]
  /// Keys that somebody else has changed, and that are left as they are.
  public var leftDrifted: [String]
  /// Why nothing, or not everything, would be applied now.
  public var waiting: String?

  public func count(of kind: KeySpaceDiff.Change.Kind) -> Int { changes.count { $0.kind == kind } }
  public var isEmpty: Bool {
    changes.isEmpty && commits.isEmpty && leftDrifted.isEmpty && waiting == nil
  }
}

extension SourceReconciler {
  /// Finds out what a run would do, without doing it: the run itself, on a store in memory over the real one.
  ///
  /// - Throws: as `run`.
  public func plan(_ options: ReconcileOptions) async throws -> ReconcilePlan {
    try await plan(options, on: PlanningTarget(over: target)).plan
  }

  /// The same on a store that holds one commit and nothing else: no store is asked.
  ///
  /// - Throws: `ReconcileError.uncompiled` if that commit does not compile.
  public func plan(_ options: ReconcileOptions, after base: CommitID) async throws -> ReconcilePlan
  {
    let store = PlanningTarget(over: nil)
    let compilation = compileValues(try await source.tree(of: base), cache: cache)
    guard let keySpace = compilation.keySpace else {
      throw ReconcileError.uncompiled(
        "\(base.short) does not compile: there is nothing to compare with")
    }
    let actual = ActualState(source: options.name ?? compilation.settings.name)
    let facts = try await source.facts(of: base)
    let transaction = try Reconciler.plan(keySpace, for: base, on: actual)
      .transaction(facts, signedBy: nil, prefix: compilation.settings.prefix, on: actual)
    _ = try await store.commit(transaction)
    store.settle()
    var options = options
    // Whose branch it is, and by whom it is signed, is for who has a store and keys.
    options.name = actual.source
    options.takesUnchecked = true
    var plan = try await plan(options, on: store).plan
    plan.headRevision = 0
    return plan
  }

  private func plan(
    _ options: ReconcileOptions, on store: PlanningTarget
  ) async throws -> (plan: ReconcilePlan, revisions: [ConfigPath: Int64]) {
    var options = options
    options.plansAhead = true
    let planner = SourceReconciler(source: source, target: store, calendar: calendar, cache: cache)
    var commits: [ReconcilePlan.Commit] = []
    let tip = try await source.tip()
    let name = try await planner.name(options)
    let head = try await StateReader(target: store, source: name).head()
    let report = try await planner.run(
      options,
      finished: { facts, result in
        var findings: [RefusalRecord.Finding] = []
        if case .refused(let diagnostics) = result {
          findings = RefusalRecord(facts: facts, diagnostics: diagnostics).findings
        }
        // As a file keeps it.
        var facts = facts
        facts.trailers = []
        commits.append(ReconcilePlan.Commit(facts: facts, findings: findings))
      })
    let plan = ReconcilePlan(
      version: ReconcilePlan.currentVersion, source: report.source, head: head?.commit,
      headRevision: head?.revision ?? 0, tip: tip, commits: commits, changes: store.changes,
      drifted: report.drift.corrected.map(\.path.text),
      leftDrifted: (report.drift.reported + report.drift.contested).map(\.path.text),
      waiting: report.waiting)
    return (plan, store.revisions)
  }

  /// Applies what a plan says, or nothing.
  ///
  /// - Throws: `ReconcileError.stale` if anything of it would be different now.
  public func apply(
    _ plan: ReconcilePlan, _ options: ReconcileOptions, began: (Int) -> Void = { _ in },
    finished: (CommitFacts, CommitResult) -> Void = { _, _ in }
  ) async throws -> ReconcileReport {
    var options = options
    options.name = plan.source
    options.expectedHeadRevision = plan.headRevision
    let (now, revisions) = try await self.plan(options, on: PlanningTarget(over: target))
    guard now.tip == plan.tip else {
      throw ReconcileError.stale("the branch is at \(now.tip.short)")
    }
    // What waits is told by the run, unless it may go on.
    var (then, here) = (plan, now)
    (then.waiting, here.waiting) = (nil, nil)
    guard here == then else {
      throw ReconcileError.stale("it would change other keys than it says")
    }
    options.expectedItems = revisions
    return try await run(options, began: began, finished: finished)
  }
}

extension ReconcileReport {
  fileprivate var waiting: String? {
    if let suspension { return "suspended by \(suspension.by): \(suspension.reason)" }
    return freeze.map { "frozen until \($0.endText) by '\($0.window)'" }
  }
}
