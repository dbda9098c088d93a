import Synchronization

/// Publishes what is applied to the watch streams of this member.
package final class WatchHub: Sendable {
  private struct State {
    var current: Revision
    /// In the order in which they were opened, and so ascending by id.
    var streams: [WatchStream] = []
    var nextStream: UInt64 = 0
    var allowsStreams = true
  }

  private let store: KeyValueStore
  private let state: Mutex<State>
  private let count = Atomic(0)

  package init(store: KeyValueStore) {
    self.store = store
    self.state = Mutex(State(current: store.current.revision))
  }

  package var current: Revision { state.withLock { $0.current } }

  package var streams: Int { state.withLock { $0.streams.count } }

  /// On all streams together.
  package var watches: Int { count.load(ordering: .relaxed) }

  fileprivate func counted(_ difference: Int) {
    if difference != 0 { count.add(difference, ordering: .relaxed) }
  }

  /// Opens a stream; the caller closes it.
  package func openStream() -> WatchStream {
    let (stream, isAllowed) = state.withLock { state in
      state.nextStream += 1
      let stream = WatchStream(
        id: state.nextStream, hub: self, store: store, published: state.current)
      state.streams.append(stream)
      return (stream, state.allowsStreams)
    }
    if !isAllowed { stream.close() }
    return stream
  }

  func close(_ stream: UInt64) {
    state.withLock { $0.streams.removeAll { $0.id == stream } }
  }

  /// Ends every stream, and each that is opened, until they are allowed again.
  package func allowStreams(_ areAllowed: Bool) {
    let open = state.withLock { state in
      state.allowsStreams = areAllowed
      return areAllowed ? [] : state.streams
    }
    for stream in open { stream.close() }
  }

  /// Tells the streams what applying did, in the order of revisions.
  package func publish(_ applied: [AppliedCommand]) {
    for command in applied where !command.events.isEmpty {
      let batch = EventBatch(revision: command.outcome.revision, events: command.events)
      // The revision counts as published only once every stream has it or knows that it lacks it.
      let streams = state.withLock { state in
        state.current = batch.revision
        return state.streams
      }
      for stream in streams { stream.publish(batch) }
    }
  }

  /// The store was replaced by a snapshot.
  package func resynchronize() {
    let current = store.current.revision
    let streams = state.withLock { state in
      state.current = current
      return state.streams
    }
    for stream in streams { stream.fallBehind(at: current) }
  }
}

/// The watches of one client connection, and what they are to be told.
package final class WatchStream: Sendable {
  private struct State {
    var table: WatchTable
    var waiter: CheckedContinuation<Void, Never>?
    var isClosed = false

    /// Those that are told anything.
    var watches: Int { isClosed ? 0 : table.count }
  }

  fileprivate let id: UInt64
  private let hub: WatchHub
  private let store: KeyValueStore
  private let state: Mutex<State>

  init(id: UInt64, hub: WatchHub, store: KeyValueStore, published: Revision) {
    self.id = id
    self.hub = hub
    self.store = store
    self.state = Mutex(State(table: WatchTable(published: published)))
  }

  /// Adds a watch; nil if its id is taken.
  package func add(_ request: WatchRequest, id: WatchID?) -> WatchID? {
    let applied = store.current.revision
    let added = change { state in
      // The next change is the one after all that the client could have read by now, published
      // to this stream or not.
      let current = max(state.table.published, applied)
      return state.table.add(request, id: id, current: current)
    }
    wake()
    return added
  }

  /// A change after which there may be more watches, or fewer.
  private func change<Result: Sendable>(_ body: (inout sending State) -> Result) -> Result {
    let (result, difference) = state.withLock { state in
      let before = state.watches
      let result = body(&state)
      return (result, state.watches - before)
    }
    hub.counted(difference)
    return result
  }

  /// Deliveries that wait to be taken.
  package var waiting: Int { state.withLock { $0.table.waiting } }

  /// Ends a watch, unless another has its id by now.
  package func cancel(_ id: WatchID, number: UInt64) {
    change { $0.table.remove(id, number: number) }
    wake()
  }

  package func cancel(_ id: WatchID) {
    change { $0.table.remove(id) }
    wake()
  }

  /// Tells the client why it can't have a watch.
  package func refuse(_ reason: String) {
    state.withLock { $0.table.refuse(reason) }
    wake()
  }

  package func requestProgress() {
    state.withLock { $0.table.requestProgress() }
    wake()
  }

  /// Tells the watches that asked for that, and had no event since the last call, that they miss nothing.
  package func tellProgress() {
    state.withLock { $0.table.tellProgress() }
    wake()
  }

  func publish(_ batch: EventBatch) {
    state.withLock { $0.table.publish(batch) }
    wake()
  }

  func fallBehind(at current: Revision) {
    state.withLock { $0.table.fallBehind(at: current) }
    wake()
  }

  package func close() {
    hub.close(id)
    change { $0.isClosed = true }
    wake()
  }

  /// Waits for the next deliveries; nil once the stream is closed.
  ///
  /// - Throws: SQLite's error if the store can't be read.
  package func next() async throws -> [WatchDelivery]? {
    while true {
      let next = state.withLock { $0.isClosed ? nil : $0.table.takeNext() }
      switch next {
      case nil: return nil
      case .deliver(let deliveries): return deliveries
      case .read(let id, let origin, let start): try catchUp(id, origin, from: start)
      case .idle: await wait()
      }
    }
  }

  private func catchUp(_ id: WatchID, _ origin: WatchOrigin, from start: Revision) throws {
    let (request, number) = (origin.request, origin.number)
    do {
      let history = try store.events(
        in: request.range, from: start, withPrevious: request.wantsPrevious,
        maximumBytes: WatchLimits.catchUpBytes)
      state.withLock { $0.table.caughtUp(id, number: number, with: history) }
    } catch StoreError.compacted(let oldest) {
      change { $0.table.compacted(id, number: number, oldest: oldest) }
    }
  }

  private func wait() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let mustWait = state.withLock { state in
          let isIdle = !state.isClosed && !state.table.hasWork && !Task.isCancelled
          if isIdle { state.waiter = continuation }
          return isIdle
        }
        if !mustWait { continuation.resume() }
      }
    } onCancel: {
      close()
    }
  }

  private func wake() {
    state.withLock { state in
      defer { state.waiter = nil }
      return state.waiter
    }?.resume()
  }
}
