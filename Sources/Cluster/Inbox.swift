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

/// The queue of the member loop: many writers, one reader that takes all at once.
final class Inbox: Sendable {
  private struct State {
    var events: [LoopEvent] = []
    var hasTick = false
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let limit: Int
  private let state = Mutex(State())

  init(limit: Int) { self.limit = limit }

  /// Adds what may be lost: false if the queue is full.
  func offer(_ event: LoopEvent) -> Bool { add(event, limit: limit) }

  /// Adds what must not be lost: reports of the own log and state machine.
  func post(_ event: LoopEvent) { _ = add(event, limit: .max) }

  /// Adds a tick, unless one is still waiting: time that the loop has missed does not add up.
  func postTick() {
    let isNew = state.withLock { state in
      defer { state.hasTick = true }
      return !state.hasTick
    }
    if isNew { post(.raft(.tick)) }
  }

  private func add(_ event: LoopEvent, limit: Int) -> Bool {
    let (isAdded, waiter) = state.withLock { state in
      guard state.events.count < limit else {
        return (false, nil as CheckedContinuation<Void, Never>?)
      }
      state.events.append(event)
      defer { state.waiter = nil }
      return (true, state.waiter)
    }
    waiter?.resume()
    return isAdded
  }

  /// Waits for events and takes all of them.
  func next() async -> [LoopEvent] {
    await withCheckedContinuation { continuation in
      let isReady = state.withLock { state in
        if state.events.isEmpty { state.waiter = continuation }
        return !state.events.isEmpty
      }
      if isReady { continuation.resume() }
    }
    return state.withLock { state in
      defer {
        state.events = []
        state.hasTick = false
      }
      return state.events
    }
  }
}
