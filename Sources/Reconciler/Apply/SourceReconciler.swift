public import Compiler
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

public struct ReconcileOptions: Hashable, Sendable {
  /// The source's name, where it is not the one in configsync.yaml.
  public var name: String?
  public var history: HistoryMode
  /// The revision to reconcile; nil for the tip of the branch.
  public var revision: String?
  /// Goes on from a branch that was rewritten.
  public var acceptsRewrite: Bool
  /// Asks for signatures whatever the repository says.
  public var requiresSignatures: Bool

  public init(
    name: String? = nil, history: HistoryMode = .head, revision: String? = nil,
    acceptsRewrite: Bool = false, requiresSignatures: Bool = false
  ) {
    self.name = name
    self.history = history
    self.revision = revision
    self.acceptsRewrite = acceptsRewrite
    self.requiresSignatures = requiresSignatures
  }
}

/// What becomes of one commit.
public enum CommitResult: Sendable {
  case applied(revision: Int64, Plan)
  /// It does not compile: the store keeps the last good one.
  case refused([Diagnostic])
}

/// What one run did.
public struct ReconcileReport: Sendable {
  public var source: String
  public var applied = 0
  public var refused = 0
  /// The head of the store after the run.
  public var head: CommitID?
  /// Findings of the newest commit, if that was refused.
  public var tipFindings: [Diagnostic]?
  /// Why the newest commits wait.
  public var freeze: Freeze?
}

/// Brings the commits of a source into a target: each as one transaction, in first-parent order.
public struct SourceReconciler: Sendable {
  /// Commits searched for the newest configsync.yaml that can be read.
  private static let settingsSearch = 1000

  private let source: any ConfigSource
  private let target: any ConfigTarget
  private let cache: CompileCache
  private let calendar: FreezeCalendar

  /// - Parameters:
  ///   - calendar: tells when changes are frozen.
  ///   - cache: what it knows costs nothing.
  public init(
    source: some ConfigSource, target: some ConfigTarget, calendar: FreezeCalendar,
    cache: CompileCache = CompileCache()
  ) {
    self.cache = cache
    self.calendar = calendar
    self.source = source
    self.target = target
  }

  /// Applies what the store lacks.
  ///
  /// - Parameters:
  ///   - began: is told how many commits there are to take.
  ///   - finished: is told what became of each, in order.
  /// - Throws: `ReconcileError`, or the source's error; what was applied before stays.
  public func run(
    _ options: ReconcileOptions, began: (Int) -> Void = { _ in },
    finished: (CommitFacts, CommitResult) -> Void = { _, _ in }
  ) async throws -> ReconcileReport {
    let tip: CommitID =
      if let revision = options.revision {
        try await source.resolve(revision)
      } else {
        try await source.tip()
      }
    let settings = try await settings(at: tip)
    let name = options.name ?? settings.name
    let reader = StateReader(target: target, source: name)
    var actual = try await reader.read(prefix: settings.prefix)
    let commits = try await commits(to: tip, from: actual.head, options)
    began(commits.count)
    var report = ReconcileReport(source: name, head: actual.head)
    let judge = CommitJudge(
      source: source, cache: cache, requiresSignatures: options.requiresSignatures)
    for commit in commits {
      try Task.checkCancellation()
      let facts = try await source.facts(of: commit)
      let ruling = try await judge.ruling(on: facts, after: actual.head)
      report.freeze = try calendar.freeze(by: ruling?.freezes ?? [])
      if report.freeze != nil { break }
      let verdict = try await judge.verdict(on: facts, after: actual.head)
      let compilation = verdict.compilation
      guard let keySpace = compilation.keySpace else {
        try await record(compilation.diagnostics, of: facts, &actual)
        report.refused += 1
        if commit == tip { report.tipFindings = compilation.diagnostics }
        finished(facts, .refused(compilation.diagnostics))
        continue
      }
      let prefix = compilation.settings.prefix
      try await reader.include(prefix, in: &actual)
      let (revision, plan) = try await apply(
        keySpace, facts, signedBy: verdict.signer, prefix: prefix, &actual)
      report.applied += 1
      report.head = commit
      finished(facts, .applied(revision: revision, plan))
    }
    return report
  }

  /// The settings of the newest commit whose configsync.yaml can be read: a broken one must not
  /// change which source this is.
  private func settings(at tip: CommitID) async throws -> Settings {
    for commit in try await source.firstParents(from: tip, until: nil)
      .prefix(SourceReconciler.settingsSearch)
    {
      if let settings = readSettings(try await source.tree(of: commit)) { return settings }
    }
    return Settings()
  }

  // MARK: - Which commits

  private func commits(
    to tip: CommitID, from head: CommitID?, _ options: ReconcileOptions
  ) async throws -> [CommitID] {
    guard let head else { return try await firstCommits(to: tip, options.history) }
    if head == tip { return [] }
    let all = try await source.firstParents(from: tip, until: head)
    let last = try await source.facts(of: all[all.count - 1])
    if last.parents.first == head { return all.reversed() }
    guard try await source.isAncestor(head, of: tip) else {
      guard options.acceptsRewrite else { throw ReconcileError.rewritten(head: head, tip: tip) }
      return [tip]
    }
    // The head came in by a merge: only what descends from it has everything that it has.
    var descendants: [CommitID] = []
    for commit in all {
      guard try await source.isAncestor(head, of: commit) else { break }
      descendants.append(commit)
    }
    return descendants.reversed()
  }

  private func firstCommits(
    to tip: CommitID, _ history: HistoryMode
  ) async throws -> [CommitID] {
    switch history {
    case .head: return [tip]
    case .full: return try await source.firstParents(from: tip, until: nil).reversed()
    case .since(let revision):
      let first = try await source.resolve(revision)
      let later = try await source.firstParents(from: tip, until: first)
      if first == tip { return [tip] }
      guard let oldest = later.last, try await source.facts(of: oldest).parents.first == first
      else { throw ReconcileError.unknownCommit(revision) }
      return [first] + later.reversed()
    }
  }

  // MARK: - One commit

  private func apply(
    _ desired: KeySpace, _ facts: CommitFacts, signedBy signer: Signer?, prefix: ConfigPath,
    _ actual: inout ActualState
  ) async throws -> (revision: Int64, plan: Plan) {
    let plan = plan(desired, for: facts.commit, on: actual)
    let transaction = try plan.transaction(facts, signedBy: signer, prefix: prefix, on: actual)
    let revision = try await commit(transaction, facts.commit, actual)
    actual.take(plan, revision: revision)
    return (revision, plan)
  }

  /// Attempts at a transaction that verifiably had no effect.
  private static let attempts = 5

  /// Commits the transaction; an outcome that is not known is found out by reading the head.
  private func commit(
    _ transaction: TargetTransaction, _ commit: CommitID, _ actual: ActualState
  ) async throws -> Int64 {
    let reader = StateReader(target: target, source: actual.source)
    var failure = TargetError.unavailable("no attempt was made")
    for _ in 0..<SourceReconciler.attempts {
      do {
        switch try await target.commit(transaction) {
        case .applied(let revision): return revision
        case .fenced:
          // An earlier attempt of ours may have been the one that moved the head.
          let head = try await reader.head()
          if let head, head.commit == commit, head.revision > actual.headRevision {
            return head.revision
          }
          throw ReconcileError.fenced(source: actual.source)
        }
      } catch let error as TargetError {
        if case .refused = error { throw ReconcileError.target(error) }
        failure = error
        guard let head = try? await reader.head() else { continue }
        if head.commit == commit, head.revision > actual.headRevision { return head.revision }
        // The same head as before: a later attempt is fenced should this one still take effect.
      }
    }
    throw ReconcileError.target(failure)
  }

  private func record(
    _ diagnostics: [Diagnostic], of facts: CommitFacts, _ actual: inout ActualState
  ) async throws {
    guard !actual.refusals.contains(facts.commit) else { return }
    let key = Array((ReservedKeys.refusals(of: actual.source) + facts.commit.text).utf8)
    let value = try ReservedKeys.encode(RefusalRecord(facts: facts, diagnostics: diagnostics))
    // Fenced by its own absence: recorded once, whoever records it.
    let transaction = TargetTransaction(
      fence: .init(key: key, modRevision: 0), puts: [(key, value)], deletes: [])
    var failure: TargetError?
    for _ in 0..<SourceReconciler.attempts {
      do {
        _ = try await target.commit(transaction)
        actual.refusals.insert(facts.commit)
        return
      } catch let error as TargetError {
        failure = error
      }
    }
    if let failure { throw ReconcileError.target(failure) }
  }
}

extension ActualState {
  /// What the store holds once the plan is applied.
  mutating func take(_ plan: Plan, revision: Int64) {
    for put in plan.puts {
      let key = Array(put.path.text.utf8)
      items[put.path] = StoredItem(
        key: key, value: put.value,
        createRevision: items[put.path]?.createRevision ?? revision, modRevision: revision)
    }
    for path in plan.deletes { items[path] = nil }
    // A commit that was applied before has one record, at its newest revision: but what it wrote
    // then is the source's still.
    revisions[revision] = plan.commit
    head = plan.commit
    headRevision = revision
  }
}
