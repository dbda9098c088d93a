public import Compiler
public import ConfigModel

/// Brings the commits of a source into a target: each as one transaction, in first-parent order.
public struct SourceReconciler: Sendable {
  /// Commits searched for the newest configsync.yaml that can be read.
  private static let settingsSearch = 1000
  /// Attempts at a transaction that verifiably had no effect.
  static let attempts = 5

  let source: any ConfigSource
  let target: any ConfigTarget
  let cache: CompileCache
  let calendar: FreezeCalendar
  let memory = ReconcilerMemory()

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

  /// What a run begins with.
  struct Opening: Sendable {
    var tip: CommitID
    /// The source's name in the store.
    var name: String
    /// Where its keys live, by what the newest commit says.
    var prefix: ConfigPath
  }

  /// Finds out which source this is.
  ///
  /// - Throws: as `run` does, if a commit that nobody has judged would choose that.
  func open(_ options: ReconcileOptions) async throws -> Opening {
    let tip = try await source.tip()
    let settings = try await settings(at: tip)
    let name = options.name ?? settings.name
    try await noting(options) {
      guard options.name == nil else { return }
      try await checkName(name)
      if let known = memory.name, known != name {
        throw ReconcileError.renamed(from: known, to: name)
      }
    }
    return Opening(tip: tip, name: name, prefix: settings.prefix)
  }

  /// Applies what the store lacks, and puts back what somebody else has changed.
  ///
  /// - Parameters:
  ///   - began: is told how many commits there are to take.
  ///   - finished: is told what became of each, in order.
  /// - Throws: `ReconcileError`, or the source's error; what was applied before stays.
  public func run(
    _ options: ReconcileOptions, began: (Int) -> Void = { _ in },
    finished: (CommitFacts, CommitResult) -> Void = { _, _ in }
  ) async throws -> ReconcileReport {
    try await run(options, from: try await open(options), began: began, finished: finished)
  }

  func run(
    _ options: ReconcileOptions, from opening: Opening, began: (Int) -> Void = { _ in },
    finished: (CommitFacts, CommitResult) -> Void
  ) async throws -> ReconcileReport {
    let name = opening.name
    return try await noting(options) {
      let report = try await run(
        options, to: opening.tip, as: name, prefix: opening.prefix, began: began,
        finished: finished)
      memory.name = name
      try await note(report.state, of: name, lookedForDrift: report.lookedForDrift)
      return report
    }
  }

  /// Records what stops the source.
  ///
  /// That matters more than that it could not be recorded. It is what was followed before, or what somebody has named: a
  /// name that a commit brings may be another's.
  private func noting<Value>(
    _ options: ReconcileOptions, _ body: () async throws -> Value
  ) async throws -> Value {
    do {
      return try await body()
    } catch let error as ReconcileError where error.needsDecision {
      let isDoubted =
        options.doubtsRewrites && error.unknownHead != nil
        && error.unknownHead != options.confirmedHead
      if !isDoubted, let known = options.name ?? memory.name {
        try? await note((.stopped, "\(error)"), of: known)
      }
      throw error
    }
  }

  private func run(
    _ options: ReconcileOptions, to tip: CommitID, as name: String, prefix: ConfigPath,
    began: (Int) -> Void, finished: (CommitFacts, CommitResult) -> Void
  ) async throws -> ReconcileReport {
    let reader = StateReader(target: target, source: name)
    // Kept again once the run has come to its end: after a failure nothing is taken for known.
    let known = memory.take()
    var actual = try await reader.read(knowing: known)
    if let expected = options.expectedHeadRevision, expected != actual.headRevision {
      throw ReconcileError.stale(
        "the store's head has moved since, to \(actual.head?.short ?? "none")")
    }
    var report = ReconcileReport(
      source: name, head: actual.head, tip: tip, staleness: options.staleness, prefix: prefix)
    // Until a commit is found to be right, what it says of its place does not count.
    if let head = actual.head, let record = try await reader.record(of: head) {
      report.prefix = record.path
      actual.branch = record.branch
    }
    if let suspension = actual.suspension, suspension.isSuspended {
      report.suspension = suspension
      if !options.plansAhead {
        memory.keep(actual)
        return report
      }
    }
    // On a first sync that is looked at once a commit is found to be right.
    if actual.head != nil, !actual.prefixes.contains(report.prefix) {
      try await reader.checkOverlap(report.prefix)
    }
    if options.looksForDrift { actual.forgetItems() }
    let commits = try await commits(to: tip, from: actual.head, options)
    began(commits.count)
    if actual.head != nil, !commits.isEmpty || options.looksForDrift {
      try await reader.readItems(report.prefix, into: &actual)
    }
    try options.checkItems(actual)
    try await take(commits, to: tip, options, reader, &actual, &report, finished)
    if options.looksForDrift, report.freeze == nil {
      report.freeze = try await freeze(of: actual.head, tip, options)
    }
    if options.looksForDrift, report.freeze == nil, report.suspension == nil {
      report.lookedForDrift = true
      report.drift = try await lookForDrift(reader, options.drift, tip: tip, &actual)
      report.revisions += report.drift.revisions
    }
    memory.keep(actual)
    return report
  }

  /// Takes commits in order, until changes are frozen.
  private func take(
    _ commits: [CommitID], to tip: CommitID, _ options: ReconcileOptions, _ reader: StateReader,
    _ actual: inout ActualState, _ report: inout ReconcileReport,
    _ finished: (CommitFacts, CommitResult) -> Void
  ) async throws {
    let judge = CommitJudge(
      source: source, cache: cache, requiresSignatures: options.requiresSignatures,
      takesUnchecked: options.takesUnchecked, acceptsLostHead: options.acceptsLostHead)
    for commit in commits {
      try Task.checkCancellation()
      let facts = try await source.facts(of: commit)
      let ruling = try await judge.ruling(on: facts, after: actual.head)
      let freeze = try calendar.freeze(by: ruling?.freezes ?? [])
      if freeze != nil, options.freezeOverride == nil {
        report.freeze = freeze
        if !options.plansAhead { break }
      }
      let step = Step(
        facts: facts, judge: judge, reader: reader, options: options,
        override: freeze == nil ? nil : options.freezeOverride)
      let result = try await take(step, &actual, &report)
      report.count(result, of: commit, isTip: commit == tip)
      finished(facts, result)
    }
  }

  /// What taking one commit needs.
  private struct Step {
    var facts: CommitFacts
    var judge: CommitJudge
    var reader: StateReader
    var options: ReconcileOptions
    var override: CommitRecord.Override?
  }

  /// Judges one commit, and applies or refuses it.
  private func take(
    _ step: Step, _ actual: inout ActualState, _ report: inout ReconcileReport
  ) async throws -> CommitResult {
    let (facts, reader) = (step.facts, step.reader)
    let findings: [Diagnostic]
    let start = calendar.uptime()
    if let rejection = actual.rejections[facts.commit] {
      findings = [rejection.finding(of: facts.commit)]
    } else {
      let verdict = try await step.judge.verdict(on: facts, after: actual.head)
      let judged = calendar.uptime()
      report.timings.compile += judged - start
      defer { report.timings.commit += calendar.uptime() - judged }
      if let keySpace = verdict.compilation.keySpace {
        let prefix = verdict.compilation.settings.prefix
        if let finding = try await overlap(of: prefix, reader, &actual) {
          try await record([finding], of: facts, &actual)
          return .refused([finding])
        }
        if report.applied == 0 { try step.options.checkItems(actual) }
        let (revision, plan) = try await apply(
          keySpace, facts, signedBy: verdict.signer, over: step.override, prefix: prefix, &actual)
        report.prefix = prefix
        return .applied(revision: revision, plan)
      }
      findings = verdict.compilation.diagnostics
    }
    try await record(findings, of: facts, &actual)
    return .refused(findings)
  }

  /// Adds the keys under a commit's prefix.
  ///
  /// - Returns: why the commit is refused, if another source publishes there.
  /// - Throws: `ReconcileError.overlaps` for the first commit of a source: then the source itself is wrong.
  private func overlap(
    of prefix: ConfigPath, _ reader: StateReader, _ actual: inout ActualState
  ) async throws -> Diagnostic? {
    do {
      try await reader.include(prefix, in: &actual)
      return nil
    } catch let error as ReconcileError {
      guard case .overlaps = error, actual.head != nil else { throw error }
      return Diagnostic(.configInvalid, at: SourceSpan(file: Settings.fileName), "\(error)")
    }
  }

  /// The freeze that holds for what the store has; its keys are left alone then, too.
  private func freeze(
    of head: CommitID?, _ tip: CommitID, _ options: ReconcileOptions
  ) async throws -> Freeze? {
    guard options.freezeOverride == nil, let head, try await source.isAncestor(head, of: tip),
      let settings = readSettings(try await source.tree(of: head))
    else { return nil }
    return try calendar.freeze(by: settings.freezes)
  }

  /// A commit that nobody has judged yet must not choose which source it belongs to: neither a new one, to which none
  /// of the rules apply that the store's commit has, nor one that follows another branch.
  ///
  /// - Throws: `ReconcileError.unnamed` or `otherBranch`.
  private func checkName(_ name: String) async throws {
    let reader = StateReader(target: target, source: name)
    if let head = try await reader.head() {
      let follows = try await reader.record(of: head.commit)?.branch
      guard let follows, follows != source.branch else { return }
      throw ReconcileError.otherBranch(source: name, follows: follows, branch: source.branch)
    }
    let others = try await reader.heads().keys.sorted()
    if !others.isEmpty { throw ReconcileError.unnamed(name, others: others) }
  }

  /// Whether a source is the one that the store has under its name.
  enum Kinship: Sendable { case ours, anothers, unknown }

  /// Compares what the store holds with the source's history.
  ///
  /// - Returns: `unknown` if it holds a commit that is not here yet.
  func kinship(_ opening: Opening, isFresh: Bool) async throws -> Kinship {
    // What was followed before stays.
    if memory.name == opening.name { return .ours }
    guard let head = try await StateReader(target: target, source: opening.name).head() else {
      return .ours
    }
    if !isFresh, try await !source.hasFetched(head.commit) { return .unknown }
    return try await source.isAncestor(head.commit, of: opening.tip) ? .ours : .anothers
  }

  /// The source's name in the store.
  func name(_ options: ReconcileOptions) async throws -> String {
    if let name = options.name { return name }
    return try await settings(at: try await source.tip()).name
  }

  /// The settings of the newest commit whose configsync.yaml can be read: a broken one must not
  /// change which source this is.
  private func settings(at tip: CommitID) async throws -> Settings {
    var next: CommitID? = tip
    for _ in 0..<SourceReconciler.settingsSearch {
      guard let commit = next else { break }
      if let settings = readSettings(try await source.tree(of: commit)) { return settings }
      next = try await source.facts(of: commit).parents.first
    }
    return Settings()
  }
}

extension ReconcileReport {
  fileprivate mutating func count(_ result: CommitResult, of commit: CommitID, isTip: Bool) {
    switch result {
    case .applied(let revision, _):
      applied += 1
      head = commit
      revisions.append(revision)
    case .refused(let findings):
      refused += 1
      if isTip { tipFindings = findings }
    }
  }

  /// What the source's state record is to say.
  var state: (kind: StateRecord.Kind, message: String) {
    if let suspension { return (.suspended, "by \(suspension.by): \(suspension.reason)") }
    if let freeze { return (.frozen, "until \(freeze.endText), by '\(freeze.window)'") }
    if let staleness { return (.stale, staleness) }
    if let message = drift.openMessage { return (.drifted, message) }
    return (.running, "")
  }
}
