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
    /// No other one is known to work any more: what goes wrong now is this one's to tell.
    case alone
    /// The source can't be read; what was read before goes on being served.
    case stale(any Error)
    /// It is tried again after the pause; nothing is lost by that.
    case failed(any Error, retryAfter: Duration)
    /// Trying again is no use until someone has decided; the newest commit waits.
    case stalled(any Error, tip: CommitID?)
  }

  private static let firstRetry = Duration.seconds(1)
  private static let longestRetry = Duration.seconds(60)
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
        let now = reconciler.calendar.uptime()
        turn.tenure?.noteTrouble(true, at: now)
        if turn.tenure?.noteSilence(at: now) == true { ended(.alone) }
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
    let hasTried = turn.isNewsDue
    var fetch = try await refresh(&turn, ended)
    turn.tip = (try? await reconciler.source.tip()) ?? turn.tip
    let wasResting = turn.tenure?.isResting == true
    if case .rests(let holder) = try await ask(
      options, &turn, isFresh: hasTried, &fetch, ended)
    {
      turn.isLookDue = true
      turn.failures = 0
      ended(.resting(holder))
      await passOn(&turn)
      return turn.tenure?.pause
    }
    if wasResting { ended(.alone) }
    if wasResting, !hasTried {
      // It may have rested for long: what the one before took has to be here, too.
      turn.isNewsDue = true
      turn.tenure?.opening = nil
      fetch += try await refresh(&turn, ended)
    }
    let opening: SourceReconciler.Opening
    if let known = turn.tenure?.opening {
      opening = known
    } else {
      opening = try await reconciler.open(options)
    }
    turn.tip = opening.tip
    options.staleness = turn.staleness
    options.confirmedHead = turn.staleness == nil ? turn.suspect : nil
    try await body(options, opening, fetch, &turn)
    turn.failures = 0
    turn.suspect = nil
    return nil
  }

  /// Asks who works, and reads the source for that if need be.
  private func ask(
    _ options: ReconcileOptions, _ turn: inout Turn, isFresh: Bool, _ fetch: inout Duration,
    _ ended: (Outcome) -> Void
  ) async throws -> Tenure.Answer {
    guard var tenure = turn.tenure else { return .works }
    defer { turn.tenure = tenure }
    var answer = try await tenure.ask(reconciler, options, isFresh: isFresh)
    if case .needsNews = answer {
      turn.isNewsDue = true
      fetch += try await refresh(&turn, ended)
      answer = try await tenure.ask(reconciler, options, isFresh: true)
    }
    return answer
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

  /// Waits until there is something to do.
  ///
  /// - Returns: false once the task is cancelled.
  private func rest(
    _ retry: Duration?, _ turn: inout Turn, _ foreign: ForeignChanges,
    on clock: some Clock<Duration>
  ) async -> Bool {
    let calendar = reconciler.calendar
    let end = turn.restEnd(retry, at: calendar.uptime())
    let isResting = turn.tenure?.isResting == true
    while true {
      var reasons = await doorbell.wait(atMost: max(.zero, end - calendar.uptime()), on: clock)
      if Task.isCancelled { return false }
      let isTimeUp = reasons.isEmpty
      if isResting {
        // Who works hears of keys, and of what is passed on.
        turn.passesOn = turn.passesOn || reasons.contains(.source)
        guard isTimeUp || reasons.contains(.source) else { continue }
        turn.isNewsDue = reasons.contains(.source) || calendar.uptime() >= turn.nextPoll
        return true
      }
      if reasons.remove(.passedOn) != nil { reasons.insert(.source) }
      // However often somebody rings, each interval has its look at the source.
      let isOver = isTimeUp || calendar.uptime() >= turn.nextPoll
      if !isOver, !reasons.contains(.source) {
        // The reconciler's own changes ring, too.
        if foreign.seen.isEmpty { continue }
        reasons.formUnion(await settleKeys(on: clock))
      }
      turn.isNewsDue = isOver || reasons.contains(.source)
      if isOver { turn.countPoll() }
      guard reasons.contains(.source) else { return !Task.isCancelled }
      do {
        try await clock.sleep(for: ReconcileLoop.settling)
        return true
      } catch {
        return false
      }
    }
  }

  /// Waits until keys have had their time to change, or the source has news.
  private func settleKeys(on clock: some Clock<Duration>) async -> Set<Doorbell.Reason> {
    let end = reconciler.calendar.uptime() + ReconcileLoop.keysSettling
    while true {
      let left = end - reconciler.calendar.uptime()
      guard left > .zero else { return [] }
      let reasons = await doorbell.wait(atMost: left, on: clock)
      if reasons.isEmpty { return [] }
      if !reasons.isDisjoint(with: [.source, .passedOn]) { return [.source] }
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
