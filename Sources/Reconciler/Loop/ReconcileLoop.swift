public import ConfigModel

/// Reconciles again and again: after each interval, with jitter, when somebody rings, and after failures with back-off.
public struct ReconcileLoop: Sendable {
  /// What a run came to.
  public enum Outcome: Sendable {
    case finished(ReconcileReport)
    /// The source was read, which took so long.
    case fetched(Duration)
    /// Another reconciler works, the one that is named; nil while one is awaited that may do better.
    case resting(String?)
    /// The source can't be read; what was read before goes on being served.
    case stale(any Error)
    /// It is tried again after the pause; nothing is lost by that.
    case failed(any Error, retryAfter: Duration)
    /// Trying again is no use until someone has decided; the newest commit waits.
    case stalled(any Error, tip: CommitID?)
  }

  private static let firstRetry = Duration.seconds(1)
  private static let longestRetry = Duration.seconds(60)
  /// Intervals between two looks at all keys though nobody has said that they changed.
  private static let pollsBetweenLooks = 20
  /// Own revisions that are remembered, to tell them from others' changes.
  private static let rememberedRevisions = 10_000
  /// What a burst of commits is given to come in whole.
  private static let settling = Duration.milliseconds(5)
  /// What changes of keys are given: nobody's writing makes this one read all keys more often than that.
  private static let keysSettling = Duration.milliseconds(400)
  /// What is between two rings that are passed on: each is a write.
  private static let betweenPassing = Duration.seconds(1)

  private let reconciler: SourceReconciler
  private let options: ReconcileOptions
  private let interval: Duration
  private let doorbell: Doorbell
  private let lease: (any SourceLease)?

  /// - Parameter lease: lets it rest while another one works; nil if it always works.
  public init(
    _ reconciler: SourceReconciler, options: ReconcileOptions, interval: Duration,
    doorbell: Doorbell = Doorbell(), lease: (any SourceLease)? = nil
  ) {
    self.lease = lease
    self.reconciler = reconciler
    self.options = options
    self.interval = interval
    self.doorbell = doorbell
  }

  /// Runs until the task is cancelled.
  public func run(
    on clock: some Clock<Duration>,
    finished: @escaping @Sendable (CommitFacts, CommitResult) -> Void,
    ended: @escaping @Sendable (Outcome) -> Void
  ) async {
    let foreign = ForeignChanges(limit: ReconcileLoop.rememberedRevisions)
    let (prefixes, continuation) = AsyncStream.makeStream(
      of: ConfigPath.self, bufferingPolicy: .bufferingNewest(1))
    let (names, naming) = AsyncStream.makeStream(
      of: String.self, bufferingPolicy: .bufferingNewest(1))
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await watch(prefixes, foreign, on: clock) }
      if lease != nil { group.addTask { await listen(names, on: clock) } }
      await reconcile(foreign, continuation, naming, on: clock, finished: finished, ended: ended)
      group.cancelAll()
    }
  }

  private func reconcile(
    _ foreign: ForeignChanges, _ prefixes: AsyncStream<ConfigPath>.Continuation,
    _ names: AsyncStream<String>.Continuation, on clock: some Clock<Duration>,
    finished: (CommitFacts, CommitResult) -> Void, ended: (Outcome) -> Void
  ) async {
    var turn = Turn(tenure: lease.map(Tenure.init))
    while !Task.isCancelled {
      var pause: Duration?
      let changes = foreign.seen
      var options = options
      options.looksForDrift = turn.isLookDue || !changes.isEmpty
      do {
        pause = try await take(options, &turn, ended: ended) { options, opening, fetch, turn in
          names.yield(opening.name)
          var report = try await reconciler.run(options, from: opening, finished: finished)
          report.timings.fetch = fetch
          note(report, changes, foreign, &turn, prefixes)
          ended(.finished(report))
        }
        turn.tenure?.noteTrouble(turn.staleness != nil, at: reconciler.calendar.uptime())
      } catch is CancellationError {
        return
      } catch let error as ReconcileError where turn.isDoubtful(error) {
        // What the store holds may have come since the source was read.
        continue
      } catch let error as ReconcileError where error.needsDecision && !turn.isUnsure(error) {
        turn.isLookDue = true
        turn.tenure?.noteTrouble(true, at: reconciler.calendar.uptime())
        ended(.stalled(error, tip: turn.tip))
      } catch {
        turn.isLookDue = true
        turn.failures += 1
        turn.tenure?.noteTrouble(true, at: reconciler.calendar.uptime())
        let backoff = ReconcileLoop.firstRetry * (1 << min(turn.failures - 1, 6))
        let retry = jittered(min(backoff, ReconcileLoop.longestRetry))
        pause = retry
        ended(.failed(error, retryAfter: retry))
      }
      if await turn.tenure?.yield(at: reconciler.calendar.uptime()) == true {
        ended(.resting(nil))
        pause = turn.tenure?.pause
      }
      guard await rest(pause, &turn, foreign, on: clock) else { return }
    }
  }

  /// Looks at the source, and runs `body` if this reconciler is to work.
  ///
  /// - Returns: how long to rest; nil for the usual time.
  private func take(
    _ options: ReconcileOptions, _ turn: inout Turn, ended: (Outcome) -> Void,
    _ body: (ReconcileOptions, SourceReconciler.Opening, Duration, inout Turn) async throws -> Void
  ) async throws -> Duration? {
    var options = options
    options.doubtsRewrites = true
    var fetch = try await refresh(&turn, ended)
    if var tenure = turn.tenure {
      let wasResting = tenure.isResting
      let holder = try await tenure.ask(reconciler, options)
      turn.tenure = tenure
      if tenure.isResting {
        turn.isLookDue = true
        ended(.resting(holder))
        await passOn(&turn)
        return tenure.pause
      }
      if wasResting {
        // It may have rested for long: what the one before took has to be here, too.
        turn.isNewsDue = true
        turn.tenure?.opening = nil
        fetch += try await refresh(&turn, ended)
      }
    }
    let known = turn.tenure?.opening
    let opening: SourceReconciler.Opening
    if let known { opening = known } else { opening = try await reconciler.open(options) }
    turn.tip = opening.tip
    options.staleness = turn.staleness
    options.confirmedHead = turn.staleness == nil ? turn.suspect : nil
    try await body(options, opening, fetch, &turn)
    turn.failures = 0
    turn.suspect = nil
    return nil
  }

  /// Lets the one that works know that somebody has rung here.
  private func passOn(_ turn: inout Turn) async {
    let now = reconciler.calendar.uptime()
    guard turn.passesOn, now >= turn.nextPassing, let name = turn.tenure?.source else { return }
    (turn.passesOn, turn.nextPassing) = (false, now + ReconcileLoop.betweenPassing)
    // A hint: one that is lost is made up for by the next look.
    try? await reconciler.ring(name)
  }

  /// Looks for what is new, if that is due.
  ///
  /// - Returns: how long it took.
  /// - Throws: only if it is cancelled: what was read before is served.
  private func refresh(
    _ turn: inout Turn, _ ended: (Outcome) -> Void
  ) async throws(CancellationError) -> Duration {
    guard turn.isNewsDue else { return .zero }
    let start = reconciler.calendar.uptime()
    turn.nextPoll = start + jittered(interval)
    do {
      try await reconciler.refresh()
      turn.staleness = nil
      turn.isNewsDue = false
      ended(.fetched(reconciler.calendar.uptime() - start))
    } catch let error as CancellationError {
      throw error
    } catch {
      turn.staleness = "\(error)"
      ended(.stale(error))
    }
    return reconciler.calendar.uptime() - start
  }

  /// Keeps what a run has found.
  private func note(
    _ report: ReconcileReport, _ changes: Set<Int64>, _ foreign: ForeignChanges,
    _ turn: inout Turn, _ prefixes: AsyncStream<ConfigPath>.Continuation
  ) {
    foreign.forget(own: report.revisions)
    if report.lookedForDrift {
      foreign.forget(changes)
      turn.isLookDue = false
    }
    guard turn.watched != report.prefix else { return }
    turn.watched = report.prefix
    prefixes.yield(report.prefix)
  }

  /// What one turn of the loop leaves to the next.
  private struct Turn {
    var failures = 0
    /// nil if it always works.
    var tenure: Tenure?
    /// The newest commit that was looked at.
    var tip: CommitID?
    /// What the store was found to hold, and the source not.
    var suspect: CommitID?
    /// Whether somebody has rung while it rested.
    var passesOn = false
    var nextPassing = Duration.zero
    /// Intervals that were over since all keys were compared.
    var polls = 0
    /// After anything went wrong, and at first, all keys are compared.
    var isLookDue = true
    /// Changes of keys say nothing of the source.
    var isNewsDue = true
    /// When the source is looked at again, by the calendar's `uptime`.
    var nextPoll = Duration.zero
    /// Why the source could not be read when that was last tried.
    var staleness: String?
    /// Where keys are watched.
    var watched: ConfigPath?

    /// Whether the source is to be read again before that is believed.
    mutating func isDoubtful(_ error: ReconcileError) -> Bool {
      guard let head = error.unknownHead, head != suspect else { return false }
      suspect = head
      isNewsDue = true
      return true
    }

    /// Whether the source can't be read to see if that is so.
    func isUnsure(_ error: ReconcileError) -> Bool { error.unknownHead != nil && staleness != nil }

    mutating func countPoll() {
      polls += 1
      guard polls == ReconcileLoop.pollsBetweenLooks else { return }
      polls = 0
      isLookDue = true
    }
  }

  /// Waits until there is something to do.
  ///
  /// - Returns: false once the task is cancelled.
  private func rest(
    _ retry: Duration?, _ turn: inout Turn, _ foreign: ForeignChanges,
    on clock: some Clock<Duration>
  ) async -> Bool {
    while true {
      let pause = retry ?? max(.zero, turn.nextPoll - reconciler.calendar.uptime())
      var reasons = await doorbell.wait(atMost: pause, on: clock)
      // However often somebody rings, each interval has its look at the source.
      let isResting = turn.tenure?.isResting == true
      let isOver = (reasons.isEmpty && !isResting) || reconciler.calendar.uptime() >= turn.nextPoll
      if reasons.remove(.passedOn) != nil, !isResting { reasons.insert(.source) }
      if isResting, !reasons.contains(.source) {
        turn.isNewsDue = isOver
        return !Task.isCancelled
      }
      if isResting { turn.passesOn = true }
      if !isOver, !reasons.contains(.source) {
        // The reconciler's own changes ring, too.
        if foreign.seen.isEmpty { continue }
        reasons.formUnion(await doorbell.wait(atMost: ReconcileLoop.keysSettling, on: clock))
      }
      turn.isNewsDue = isOver || reasons.contains(.source)
      if isOver { turn.countPoll() }
      guard reasons.contains(.source) else { return true }
      do {
        try await clock.sleep(for: ReconcileLoop.settling)
        return true
      } catch {
        return false
      }
    }
  }

  /// Rings when another reconciler passes a ring on.
  private func listen(_ names: AsyncStream<String>, on clock: some Clock<Duration>) async {
    guard let name = await names.first(where: { _ in true }) else { return }
    while !Task.isCancelled {
      try? await reconciler.target.watch(under: ReservedKeys.ring(of: name)) { _, _ in
        doorbell.ring(.passedOn)
      }
      // What came meanwhile was missed: each interval has its look.
      do { try await clock.sleep(for: ReconcileLoop.firstRetry) } catch { return }
    }
  }

  /// Rings when somebody changes keys under the source's prefix, the newest that came.
  private func watch(
    _ prefixes: AsyncStream<ConfigPath>, _ foreign: ForeignChanges, on clock: some Clock<Duration>
  ) async {
    var iterator = prefixes.makeAsyncIterator()
    var next = await iterator.next()
    while let prefix = next {
      next = await withTaskGroup(of: Void.self) { group in
        group.addTask { await watch(prefix, foreign, on: clock) }
        defer { group.cancelAll() }
        return await iterator.next()
      }
    }
  }

  private func watch(
    _ prefix: ConfigPath, _ foreign: ForeignChanges, on clock: some Clock<Duration>
  ) async {
    while !Task.isCancelled {
      do {
        try await reconciler.target.watch(under: prefix.text + "/") { revision, keys in
          guard reconciler.mayPublish(keys) else { return }
          foreign.add(revision)
          doorbell.ring(.keys)
        }
      } catch {
        // The store is away, or has compacted what was missed.
      }
      // What changed meanwhile was not told: the next run looks at everything.
      foreign.add(0)
      do { try await clock.sleep(for: ReconcileLoop.firstRetry) } catch { return }
      doorbell.ring(.keys)
    }
  }

  /// Between 90 % and 110 %, so that many reconcilers do not ask at once.
  private func jittered(_ duration: Duration) -> Duration {
    duration * Double.random(in: 0.9...1.1)
  }
}
