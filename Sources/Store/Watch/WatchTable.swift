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
  /// It is told now and then that it has missed nothing.
  package var wantsProgress: Bool

  package init(
    _ range: KeyRange, from start: Revision? = nil, wantsPrevious: Bool = false,
    filters: Set<Filter> = [], delivery: Delivery = .whole, wantsProgress: Bool = false
  ) {
    self.range = range
    self.start = start
    self.wantsPrevious = wantsPrevious
    self.filters = filters
    self.delivery = delivery
    self.wantsProgress = wantsProgress
  }

  /// The events of a batch that this watcher wants.
  func select(_ events: [KeyEvent]) -> [KeyEvent] {
    events.compactMap { range.contains($0.key) ? filter($0) : nil }
  }

  /// An event of its range as this watcher wants it; nil if it does not.
  func filter(_ event: KeyEvent) -> KeyEvent? {
    switch event.change {
    case .put: if filters.contains(.noPut) { return nil }
    case .delete: if filters.contains(.noDelete) { return nil }
    }
    return wantsPrevious ? event : KeyEvent(event.change, previous: nil)
  }
}

/// What a stream is to tell its client next.
package enum WatchDelivery: Sendable {
  /// The watch begins, as of a revision; nothing of it comes before this.
  case created(WatchID, at: Revision)
  /// The client asked for a watch that it can't have, for a reason.
  case refused(String)
  /// The watch has ended, as the client asked.
  case cancelled(WatchID)
  /// All events that one revision has for the watch.
  case events(WatchID, EventBatch, WatchOrigin)
  /// The watch ended: what it still had to see has been compacted.
  case compacted(WatchID, oldest: Revision)
  /// Every watch of the stream has been sent everything up to this revision.
  case progress(Revision)
  /// This one has.
  case upToDate(WatchID, Revision)
}

/// Which watch an event is of: another may have its id by now.
package struct WatchOrigin: Hashable, Sendable {
  package var request: WatchRequest
  /// Of all watches that the stream has had.
  package var number: UInt64
}

package enum WatchLimits {
  /// Deliveries of one stream that wait; whoever lets more come about is not listening.
  package static let pendingDeliveries = 100_000
  /// Undelivered events of one stream, roughly; beyond it, watches read from the store instead.
  package static let pendingBytes = 8 << 20
  /// Events read from the store at a time.
  package static let catchUpBytes = 1 << 20
}

/// The watches of one stream, as a value: what was delivered, and what is still owed.
///
/// A watch is either in step, and then gets each revision as it is published, or behind, and then
/// reads what it lacks from the store; nothing is ever skipped.
///
/// - Complexity: publishing takes O(log *n* + *m*) an event for *m* watches that want it, and nothing for
///   those that don't.
struct WatchTable: Sendable {
  private struct Watch: Sendable {
    var request: WatchRequest
    var number: UInt64
    /// The first revision that it may be given: of one that is behind, the first that it was not. So no
    /// revision comes twice.
    var next: Revision
    var isInStep: Bool
    /// It was told something since progress was last looked at.
    var wasTold = false
  }

  /// The last revision that was published to this stream.
  private(set) var published: Revision
  private var watches: [WatchID: Watch] = [:]
  var count: Int { watches.count }
  /// Of the watches that are in step.
  private var index = WatchIndex()
  /// The others, ascending.
  private var behind: [WatchID] = []
  private var pending: [WatchDelivery] = []
  private var pendingBytes = 0
  private var wantsProgress = false
  private var nextID: WatchID = 0
  private var added: UInt64 = 0
  /// The watch that has read from the store last: the next in line is the one after it.
  private var lastRead: WatchID = 0

  init(published: Revision) { self.published = published }

  /// Adds a watch; nil if the id is taken. An id of nil draws the next free one from 0.
  ///
  /// - Parameter current: the newest revision that the client could have read by now.
  mutating func add(
    _ request: WatchRequest, id wanted: WatchID?, current: Revision
  ) -> WatchID? {
    let start = request.start ?? current.next
    if let wanted, watches[wanted] != nil { return nil }
    while wanted == nil, watches[nextID] != nil { nextID += 1 }
    let id = wanted ?? nextID
    if wanted == nil { nextID += 1 }
    added += 1
    watches[id] = Watch(request: request, number: added, next: start, isInStep: false)
    behind.insert(id, at: behind.partitioningIndex { $0 >= id })
    if start > published { bringInStep(id) }
    pending.append(.created(id, at: current))
    return id
  }

  var waiting: Int { pending.count }

  /// `takeNext` would not be idle.
  var hasWork: Bool { wantsProgress || !pending.isEmpty || !behind.isEmpty }

  /// Ends a watch; one that is unknown is ignored.
  mutating func remove(_ id: WatchID) {
    if forget(id) { pending.append(.cancelled(id)) }
  }

  /// The same, unless another has its id.
  mutating func remove(_ id: WatchID, number: UInt64) {
    if watches[id]?.number == number { remove(id) }
  }

  private mutating func forget(_ id: WatchID) -> Bool {
    guard let watch = watches.removeValue(forKey: id) else { return false }
    if watch.isInStep { index.remove(watch.request.range, id) } else { removeFromBehind(id) }
    return true
  }

  private mutating func removeFromBehind(_ id: WatchID) {
    let place = behind.partitioningIndex { $0 >= id }
    if place < behind.count, behind[place] == id { behind.remove(at: place) }
  }

  private mutating func bringInStep(_ id: WatchID) {
    guard let request = watches[id]?.request else { return }
    removeFromBehind(id)
    watches[id]?.isInStep = true
    index.insert(request.range, id)
  }

  mutating func publish(_ batch: EventBatch) {
    published = batch.revision
    var wanted: [WatchID: [KeyEvent]] = [:]
    for event in batch.events {
      index.forEach(wanting: event.key) { id in
        guard let watch = watches[id], batch.revision >= watch.next,
          let event = watch.request.filter(event)
        else { return }
        wanted[id, default: []].append(event)
      }
    }
    for (id, events) in wanted.sorted(by: { $0.key < $1.key }) {
      guard let watch = watches[id] else { continue }
      if pendingBytes > WatchLimits.pendingBytes {
        index.remove(watch.request.range, id)
        leaveBehind(id, from: batch.revision)
      } else {
        push(id, watch, EventBatch(revision: batch.revision, events: events))
      }
    }
  }

  /// A watch that was in step until `revision` reads that, and what follows, from the store.
  private mutating func leaveBehind(_ id: WatchID, from revision: Revision) {
    guard let watch = watches[id] else { return }
    watches[id]?.isInStep = false
    watches[id]?.next = max(watch.next, revision)
    behind.insert(id, at: behind.partitioningIndex { $0 >= id })
  }

  /// The store was replaced by a snapshot as of `revision`: every watch reads on from where it is.
  mutating func fallBehind(at revision: Revision) {
    let next = published.next
    for id in watches.keys.sorted() where watches[id]?.isInStep == true {
      leaveBehind(id, from: next)
    }
    index.removeAll()
    published = revision
  }

  /// What is refused is told in the order in which it was asked for.
  mutating func refuse(_ reason: String) { pending.append(.refused(reason)) }

  mutating func requestProgress() { wantsProgress = true }

  /// Tells the watches that want it, and were told nothing since the last time, that they are up to date.
  mutating func tellProgress() {
    // What waits to be sent says more, or is as good.
    let isIdle = pending.isEmpty
    for id in watches.keys.sorted() where watches[id]?.request.wantsProgress == true {
      guard let watch = watches[id], watch.isInStep else { continue }
      if !watch.wasTold, isIdle { pending.append(.upToDate(id, published)) }
      watches[id]?.wasTold = false
    }
  }

  /// Deliveries that are due, or the watch that must read from the store first.
  enum Next {
    case deliver([WatchDelivery])
    case read(WatchID, WatchOrigin, from: Revision)
    case idle
  }

  mutating func takeNext() -> Next {
    if pending.isEmpty, !behind.isEmpty {
      let place = behind.partitioningIndex { $0 > lastRead }
      lastRead = behind[place < behind.count ? place : 0]
      if let watch = watches[lastRead] {
        let origin = WatchOrigin(request: watch.request, number: watch.number)
        return .read(lastRead, origin, from: watch.next)
      }
    }
    if wantsProgress, behind.isEmpty {
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

  /// Takes in what the store held for a watch that is behind; another may have its id by now.
  mutating func caughtUp(_ id: WatchID, number: UInt64, with history: EventHistory) {
    guard let watch = watches[id], watch.number == number, !watch.isInStep else { return }
    for batch in history.batches where batch.revision >= watch.next {
      let events = watch.request.select(batch.events)
      if !events.isEmpty {
        push(id, watch, EventBatch(revision: batch.revision, events: events))
      }
    }
    let next = max(watch.next, history.next)
    watches[id]?.next = next
    if next > published { bringInStep(id) }
  }

  mutating func compacted(_ id: WatchID, number: UInt64, oldest: Revision) {
    if watches[id]?.number == number, forget(id) { pending.append(.compacted(id, oldest: oldest)) }
  }

  private mutating func push(_ id: WatchID, _ watch: Watch, _ batch: EventBatch) {
    watches[id]?.wasTold = true
    let origin = WatchOrigin(request: watch.request, number: watch.number)
    pending.append(.events(id, batch, origin))
    pendingBytes += batch.events.reduce(0) { $0 + $1.byteCount }
  }
}
