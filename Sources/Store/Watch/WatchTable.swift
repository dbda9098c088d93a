/// Names a watch within its stream.
package typealias WatchID = Int64

/// What a watcher asks for.
package struct WatchRequest: Hashable, Sendable {
  package enum Filter: Hashable, Sendable { case noPut, noDelete }
  /// Whether a revision too large for one response may come in several.
  package enum Delivery: Hashable, Sendable { case whole, fragments }
  package var range: KeyRange
  /// The first revision of interest, past or future; nil for the next change.
  package var start: Revision?
  package var wantsPrevious: Bool
  package var filters: Set<Filter>
  package var delivery: Delivery

  package init(
    _ range: KeyRange, from start: Revision? = nil, wantsPrevious: Bool = false,
    filters: Set<Filter> = [], delivery: Delivery = .whole
  ) {
    self.range = range
    self.start = start
    self.wantsPrevious = wantsPrevious
    self.filters = filters
    self.delivery = delivery
  }

  /// The events of a batch that this watcher wants.
  func select(_ events: [KeyEvent]) -> [KeyEvent] {
    events.compactMap { event in
      guard range.contains(event.key) else { return nil }
      switch event.change {
      case .put: if filters.contains(.noPut) { return nil }
      case .delete: if filters.contains(.noDelete) { return nil }
      }
      return wantsPrevious ? event : KeyEvent(event.change, previous: nil)
    }
  }
}

/// What a stream is to tell its client next.
package enum WatchDelivery: Sendable {
  /// The watch begins, as of a revision; nothing of it comes before this.
  case created(WatchID, at: Revision)
  /// The watch has ended, as the client asked.
  case cancelled(WatchID)
  /// All events that one revision has for the watch.
  case events(WatchID, EventBatch, WatchRequest.Delivery)
  /// The watch ended: what it still had to see has been compacted.
  case compacted(WatchID, oldest: Revision)
  /// Every watch of the stream has been sent everything up to this revision.
  case progress(Revision)
}

package enum WatchLimits {
  /// Undelivered events of one stream, roughly; beyond it, watches read from the store instead.
  package static let pendingBytes = 8 << 20
  /// Events read from the store at a time.
  package static let catchUpBytes = 1 << 20
}

/// The watches of one stream, as a value: what was delivered, and what is still owed.
///
/// A watch is either in step, and then gets each revision as it is published, or behind, and then
/// reads what it lacks from the store; nothing is ever skipped. `next` is the first revision that
/// it has not been given, so that no revision comes twice.
struct WatchTable: Sendable {
  struct Watch: Sendable {
    var request: WatchRequest
    var next: Revision
    var isInStep: Bool
  }

  private var watches: [WatchID: Watch] = [:]
  private var pending: [WatchDelivery] = []
  private var pendingBytes = 0
  private var wantsProgress = false
  private var nextID: WatchID = 0

  /// Adds a watch; nil if the id is taken. An id of nil draws the next free one from 0.
  mutating func add(
    _ request: WatchRequest, id wanted: WatchID?, current: Revision, published: Revision
  ) -> WatchID? {
    let start = request.start ?? current.next
    if let wanted, watches[wanted] != nil { return nil }
    while wanted == nil, watches[nextID] != nil { nextID += 1 }
    let id = wanted ?? nextID
    if wanted == nil { nextID += 1 }
    watches[id] = Watch(request: request, next: start, isInStep: start > published)
    pending.append(.created(id, at: current))
    return id
  }

  func range(of id: WatchID) -> KeyRange? { watches[id]?.request.range }

  /// `takeNext` would not be idle.
  var hasWork: Bool {
    wantsProgress || !pending.isEmpty || watches.values.contains { !$0.isInStep }
  }

  /// Ends a watch; one that is unknown is ignored.
  mutating func remove(_ id: WatchID) {
    if watches.removeValue(forKey: id) != nil { pending.append(.cancelled(id)) }
  }

  mutating func publish(_ batch: EventBatch) {
    for (id, watch) in watches.sorted(by: { $0.key < $1.key })
    where watch.isInStep && batch.revision >= watch.next {
      let events = watch.request.select(batch.events)
      if events.isEmpty {
        watches[id]?.next = batch.revision.next
      } else if pendingBytes > WatchLimits.pendingBytes {
        watches[id]?.isInStep = false
      } else {
        watches[id]?.next = batch.revision.next
        push(id, watch.request, EventBatch(revision: batch.revision, events: events))
      }
    }
  }

  /// The store was replaced by a snapshot: every watch reads on from where it is.
  mutating func fallBehind() {
    for id in watches.keys { watches[id]?.isInStep = false }
  }

  mutating func requestProgress() { wantsProgress = true }

  /// Deliveries that are due, or the watch that must read from the store first.
  enum Next {
    case deliver([WatchDelivery])
    case read(WatchID, WatchRequest, from: Revision)
    case idle
  }

  mutating func takeNext(published: Revision) -> Next {
    let behind = watches.filter { !$0.value.isInStep }.min { $0.key < $1.key }
    if pending.isEmpty, let behind {
      return .read(behind.key, behind.value.request, from: behind.value.next)
    }
    if wantsProgress, behind == nil {
      wantsProgress = false
      pending.append(.progress(published))
    }
    guard !pending.isEmpty else { return .idle }
    defer {
      pending = []
      pendingBytes = 0
    }
    return .deliver(pending)
  }

  /// Takes in what the store held for a watch that is behind.
  mutating func caughtUp(_ id: WatchID, with history: EventHistory, published: Revision) {
    guard let watch = watches[id], !watch.isInStep else { return }
    for batch in history.batches where batch.revision >= watch.next {
      let events = watch.request.select(batch.events)
      if !events.isEmpty {
        push(id, watch.request, EventBatch(revision: batch.revision, events: events))
      }
    }
    let next = max(watch.next, history.next)
    watches[id]?.next = next
    watches[id]?.isInStep = next > published
  }

  mutating func compacted(_ id: WatchID, oldest: Revision) {
    guard watches.removeValue(forKey: id) != nil else { return }
    pending.append(.compacted(id, oldest: oldest))
  }

  private mutating func push(_ id: WatchID, _ request: WatchRequest, _ batch: EventBatch) {
    pending.append(.events(id, batch, request.delivery))
    pendingBytes += batch.events.reduce(0) { $0 + $1.byteCount }
  }
}
