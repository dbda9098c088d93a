import DequeModule

/// What a leader knows of one follower's log (etcd-io/raft calls it by the same name).
struct Progress: Sendable {
  enum State: Hashable, Sendable {
    /// One append at a time, until the place where the logs agree is found.
    case probe(paused: Bool)
    /// Appends are sent without waiting, within the limits of flight.
    case replicate
    /// A snapshot is under way; nothing else is sent.
    case snapshot
  }

  /// Known to be durable there.
  var match: LogIndex = .zero
  /// The next entry to send; always above `match`.
  var next: LogIndex
  var state: State = .probe(paused: false)
  /// Ticks since it was last heard from.
  var silentTicks = 0
  /// It has answered this leader in its term; before, its silence says nothing.
  var hasAnswered = false
  /// The newest read token that it has confirmed.
  var confirmedToken: UInt64 = 0
  private var flight: Deque<(last: LogIndex, bytes: Int)> = []
  private var flightBytes = 0

  init(next: LogIndex) { self.next = next }

  /// What was sent and not yet acknowledged; nothing once all of it is.
  var flightCount: (messages: Int, bytes: Int) { (flight.count, flightBytes) }

  func mayReceive(_ limits: RaftLimits) -> Bool {
    switch state {
    case .probe(let paused): !paused
    case .replicate:
      flight.count < limits.flightMessages && flightBytes < limits.flightBytes
    case .snapshot: false
    }
  }

  mutating func sent(_ entries: [Entry]) {
    switch state {
    case .probe:
      if !entries.isEmpty { state = .probe(paused: true) }
    case .replicate:
      guard let last = entries.last else { return }
      let bytes = entries.reduce(0) { $0 + $1.payload.count }
      next = last.index.next
      flight.append((last.index, bytes))
      flightBytes += bytes
    case .snapshot: break
    }
  }

  /// Makes room for one append if the flight is full.
  mutating func freeOldestFlight(_ limits: RaftLimits) {
    guard state == .replicate, !mayReceive(limits) else { return }
    while !mayReceive(limits), let first = flight.popFirst() { flightBytes -= first.bytes }
  }

  /// Takes in an acknowledgement; false if it says nothing new.
  ///
  /// One of a place that the log has cut already does not end a snapshot that is under way.
  mutating func accepted(through index: LogIndex, isInLog: Bool) -> Bool {
    while let first = flight.first, first.last <= index {
      flightBytes -= first.bytes
      flight.removeFirst()
    }
    guard index > match else {
      if case .probe = state { state = .probe(paused: false) }
      return false
    }
    match = index
    next = max(next, index.next)
    if state != .replicate, isInLog { become(.replicate) }
    return true
  }

  /// Its disk has lost what it had: it begins anew after `place`.
  mutating func hasLost(after place: LogIndex) {
    match = min(match, place)
    become(.probe(paused: false))
    next = place.next
  }

  /// Takes in a refusal; false if it is stale.
  mutating func rejected(previous: LogIndex, retryAfter place: LogIndex) -> Bool {
    let before = next
    switch state {
    case .replicate:
      guard previous > match else { return false }
      become(.probe(paused: false))
    case .probe:
      guard next.previous == previous else { return false }
      state = .probe(paused: false)
    case .snapshot: return false
    }
    next = max(min(previous, place.next), match.next)
    // One that refuses what it has acknowledged is asked again at the next heartbeat, not at once.
    if next == before { state = .probe(paused: true) }
    return next != before
  }

  /// Tries at `index` next, past what is known, since a snapshot up to there has been sent.
  mutating func expect(from index: LogIndex) { next = max(match.next, index) }

  mutating func become(_ state: State) {
    self.state = state
    next = match.next
    flight.removeAll()
    flightBytes = 0
  }
}
