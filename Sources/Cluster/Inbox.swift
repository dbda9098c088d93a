import Raft
import Synchronization

/// What the member loop is told, in order.
enum LoopEvent: Sendable {
  case raft(Event)
  /// Everything through this entry is applied; something of it concerns the members.
  case applied(LogIndex, changesMembers: Bool)
  /// The state machine holds everything through this entry for good.
  case durable(LogIndex)
  /// Some of what a compaction has made superfluous is gone.
  case removedCompacted
  /// Bytes of the database that hold data.
  case sized(Int64)
  /// This member's state right after the check at this index of the log has this hash.
  case hashed(LogIndex, UInt64)
  /// Whether this member's state is fit to lead.
  case isFit(Bool)
  /// Reads are waiting to be asked.
  case readsWaiting
  case stop
}

/// What takes the events of an inbox.
protocol InboxReader: Sendable {
  /// Handles events, and waits for nothing.
  ///
  /// - Parameter mayWait: whether it may leave an errand: work for which the caller has to wait.
  mutating func turn(_ events: [LoopEvent], mayWait: Bool) -> Turn
}

/// What came of a turn.
struct Turn {
  /// It takes more events.
  var goesOn = true
  /// To be run once others may run the loop.
  var errand: Errand?
}

/// The queue of the member loop, and whose turn it is to run it.
///
/// Many threads bring events. The loop has none: whoever brings one runs it over all that wait, unless
/// somebody does already, who then takes this one, too (flat combining: Hendler, Incze, Shavit and Tzafrir
/// 2010). An event is so handled without waking another thread. One who may wait for a disk runs what the turn
/// leaves for that, too, after the turn: the loop itself waits for nobody.
final class Inbox: Sendable {
  private struct State {
    var events: [LoopEvent] = []
    var hasTick = false
    var phase = Phase.waiting
    /// Somebody runs the loop, and looks here again before it ends.
    var isRunning = false
    /// Somebody will run the loop soon.
    var isDue = false
    var stopped: CheckedContinuation<Void, Never>?
  }

  private enum Phase { case waiting, started, stopped }

  /// Turns after which a thread that brought an event goes back to its own work.
  private static let turnsInARow = 16

  private let limit: Int
  private let state = Mutex(State())
  private let reader = Mutex<(any InboxReader)?>(nil)
  private let soon: @Sendable (@escaping @Sendable () -> Void) -> Void
  private let queue: any WorkQueue

  /// - Parameters:
  ///   - limit: events that wait at most, but for those that must not be lost.
  ///   - soon: runs a turn on the calling thread, at once or after what that has to do first.
  ///   - queue: a thread for turns that nobody else has time for.
  init(
    limit: Int, queue: any WorkQueue,
    soon: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void
  ) {
    self.limit = limit
    self.soon = soon
    self.queue = queue
  }

  // MARK: - Bringing events

  /// Adds what may be lost: false if the queue is full.
  func offer(_ event: LoopEvent) -> Bool { add([event], limit: limit) }
  func offer(_ events: [LoopEvent], mayWait: Bool = false) -> Bool {
    add(events, limit: limit, mayWait: mayWait)
  }

  /// Adds what must not be lost: reports of the own log and state machine.
  func post(_ event: LoopEvent) { _ = add([event], limit: .max) }
  func post(_ events: [LoopEvent]) { _ = add(events, limit: .max) }

  /// Adds what has time until somebody brings something else, or the next tick: the caller runs nothing.
  func leave(_ event: LoopEvent) {
    state.withLock { state in
      if state.phase != .stopped { state.events.append(event) }
    }
  }

  /// Adds a tick, unless one is still waiting: time that the loop has missed does not add up. The caller runs
  /// the loop at once: heartbeats don't depend on what other threads have to do.
  func postTick() {
    state.withLock { state in
      if !state.hasTick { state.events.append(.raft(.tick)) }
      state.hasTick = true
    }
    // One turn: the clock goes on.
    if begin() { runTurns(atMost: 1, mayWait: false) }
  }

  private func add(_ events: [LoopEvent], limit: Int, mayWait: Bool = false) -> Bool {
    let (isAdded, mustRun) = state.withLock { state in
      // Whoever still waits when the loop has stopped is told by `ClusterMember.run`.
      guard state.phase != .stopped else { return (true, false) }
      guard state.events.count < limit else { return (false, false) }
      state.events += events
      guard state.phase == .started, !state.isRunning, !state.isDue else { return (true, false) }
      state.isDue = true
      return (true, true)
    }
    if mustRun { soon { self.runTurns(mayWait: mayWait) } }
    return isAdded
  }

  // MARK: - Running the loop

  /// It was started, and nobody runs it.
  var isIdle: Bool { state.withLock { $0.phase == .started && !$0.isRunning } }

  /// Lets the loop be run, until it takes no more.
  func run(_ loop: some InboxReader) async {
    reader.withLock { $0 = loop }
    await withCheckedContinuation { continuation in
      state.withLock { state in
        state.phase = .started
        state.isRunning = true
        state.stopped = continuation
      }
      runTurns(atMost: Inbox.turnsInARow, mayWait: false)
    }
  }

  private func runTurns(mayWait: Bool = false) {
    guard begin() else { return }
    runTurns(atMost: Inbox.turnsInARow, mayWait: mayWait)?.run()
  }

  /// For the one whose turn it is; events that are left are taken on a thread of their own.
  @discardableResult
  private func runTurns(atMost count: Int, mayWait: Bool) -> Errand? {
    var errand: Errand?
    for _ in 0..<count {
      guard let events = take() else { return nil }
      let turn = reader.withLock { $0?.turn(events, mayWait: mayWait) ?? Turn(goesOn: false) }
      if !turn.goesOn {
        stop()
        return turn.errand
      }
      errand = turn.errand
      // Whoever has one to run takes no further events.
      if errand != nil { break }
    }
    let isLeft = state.withLock { state in
      state.isRunning = false
      state.isDue = !state.events.isEmpty
      return state.isDue
    }
    if isLeft { queue.async { self.runTurns() } }
    return errand
  }

  /// Whether the caller is to run the loop.
  private func begin() -> Bool {
    state.withLock { state in
      guard state.phase == .started, !state.isRunning else { return false }
      state.isRunning = true
      state.isDue = false
      return true
    }
  }

  /// All events that wait; with none the turn ends.
  private func take() -> [LoopEvent]? {
    state.withLock { state in
      state.isRunning = !state.events.isEmpty
      guard state.isRunning else { return nil }
      defer {
        state.events = []
        state.hasTick = false
      }
      return state.events
    }
  }

  private func stop() {
    reader.withLock { $0 = nil }
    let waiter = state.withLock { state in
      state.phase = .stopped
      state.isRunning = false
      state.events = []
      return state.stopped.take()
    }
    waiter?.resume()
  }
}
