public import ConfigModel
import Synchronization

/// Reconciles again and again: after each interval, with jitter, when somebody rings, and after failures with back-off.
public struct ReconcileLoop: Sendable {
  /// What a run came to.
  public enum Outcome: Sendable {
    case finished(ReconcileReport)
    /// Another reconciler works, the one that is named.
    case resting(String)
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

  private let reconciler: SourceReconciler
  private let options: ReconcileOptions
  private let interval: Duration
  private let doorbell: Doorbell

  public init(
    _ reconciler: SourceReconciler, options: ReconcileOptions, interval: Duration,
    doorbell: Doorbell = Doorbell()
  ) {
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
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await watch(prefixes, foreign, on: clock) }
      await reconcile(foreign, continuation, on: clock, finished: finished, ended: ended)
      group.cancelAll()
    }
  }

  private func reconcile(
    _ foreign: ForeignChanges, _ prefixes: AsyncStream<ConfigPath>.Continuation,
    on clock: some Clock<Duration>, finished: (CommitFacts, CommitResult) -> Void,
    ended: (Outcome) -> Void
  ) async {
    var turn = Turn()
    while !Task.isCancelled {
      var options = options
      let changes = foreign.seen
      options.looksForDrift = turn.isLookDue || !changes.isEmpty
      var pause: Duration?
      do {
        let fetch = try await refresh(&turn, ended)
        options.staleness = turn.staleness
        var report = try await reconciler.run(options, finished: finished)
        report.timings.fetch = fetch
        turn.failures = 0
        if let holder = report.holder {
          (turn.isLookDue, turn.isResting) = (true, true)
          pause = reconciler.leasePause
          ended(.resting(holder))
        } else {
          // Who takes over looks at the source at once: it may have rested for long.
          if turn.isResting { pause = .zero }
          turn.isResting = false
          note(report, changes, foreign, &turn, prefixes)
          ended(.finished(report))
        }
      } catch is CancellationError {
        return
      } catch let error as ReconcileError where error.needsDecision {
        turn.isLookDue = true
        ended(.stalled(error, tip: try? await reconciler.source.tip()))
      } catch {
        turn.isLookDue = true
        turn.failures += 1
        let backoff = ReconcileLoop.firstRetry * (1 << min(turn.failures - 1, 6))
        let retry = jittered(min(backoff, ReconcileLoop.longestRetry))
        pause = retry
        ended(.failed(error, retryAfter: retry))
      }
      guard await rest(pause, &turn, foreign, on: clock) else { return }
    }
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
    /// Whether another reconciler worked when that was last asked.
    var isResting = false
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
      let isOver =
        (reasons.isEmpty && !turn.isResting) || reconciler.calendar.uptime() >= turn.nextPoll
      if turn.isResting, reasons.isEmpty {
        turn.isNewsDue = isOver
        return !Task.isCancelled
      }
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

/// Revisions at which keys have changed, and that are not known to be the reconciler's own.
final class ForeignChanges: Sendable {
  private struct State {
    var seen: Set<Int64> = []
    var own: [Int64] = []
    var unknown: Int64 = 0
  }

  private let state = Mutex(State())
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  /// - Parameter revision: 0 where nobody knows what has changed.
  func add(_ revision: Int64) {
    state.withLock { state in
      // Each of those is one of its own: what comes during a look is not what was looked at.
      if revision == 0 { state.unknown -= 1 }
      let mark = revision == 0 ? state.unknown : revision
      // Beyond the limit, which they were does not matter: there are some.
      if !state.own.contains(mark), state.seen.count < limit { state.seen.insert(mark) }
    }
  }

  /// What a run has made itself is nobody else's.
  func forget(own: [Int64]) {
    state.withLock { state in
      state.own = (state.own + own).suffix(limit)
      state.seen.subtract(state.own)
    }
  }

  /// What was looked at.
  func forget(_ revisions: Set<Int64>) { state.withLock { $0.seen.subtract(revisions) } }

  var seen: Set<Int64> { state.withLock { $0.seen } }
}

extension ReconcileError {
  var needsDecision: Bool {
    switch self {
    case .rewritten, .lostHead, .unnamed, .otherBranch, .record, .overlaps, .unknownCommit,
      .noSigners,
      .target(.refused):
      true
    case .alreadyApplied, .stale, .fenced, .target, .uncompiled: false
    }
  }
}
