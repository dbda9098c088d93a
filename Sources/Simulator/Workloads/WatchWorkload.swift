import Cluster
import Store

/// One watcher that moves on to another member when its own crashes, as a client does, and is told
/// everything once: ordered, unique, reliable, atomic, resumable and bookmarkable (etcd's promises).
// Unchecked: the world is one thread.
final class WatchWorkload: @unchecked Sendable {
  private let world: World
  private var random: SeededRandom
  private let request: WatchRequest
  /// The first revision that it wants.
  private var first: Revision?
  /// Everything before this has been told.
  private var next = Revision(0)
  private var told: [EventBatch] = []
  /// What was compacted before it was told: it goes on after that.
  private var gaps: [Range<Revision>] = []
  private(set) var ended: String?
  private var stream: WatchStream?

  init(_ world: World, number: Int) {
    self.world = world
    random = SeededRandom(seed: world.options.seed, purpose: "watcher \(number)")
    let range: KeyRange = random.happens(permille: 600) ? .from("a") : .single("k1")
    request = WatchRequest(range, wantsPrevious: random.happens(permille: 500))
  }

  func run() async {
    let clock = SimulatedClock(world: world, owner: nil, driftPermille: 0)
    while ended == nil {
      do { try await clock.sleep(for: .milliseconds(random.number(in: 1...500))) } catch { return }
      guard let host = random.pick(from: world.hosts), let member = host.member else { continue }
      let stream = member.hub.openStream()
      self.stream = stream
      host.keep(stream)
      var request = request
      // The first time from now, from the past, or from a revision that is yet to come.
      request.start = first == nil ? firstStart(member.hub.current) : next
      if first == nil { first = request.start }
      _ = stream.add(request, id: nil)
      await follow(stream)
      stream.close()
    }
  }

  private func firstStart(_ current: Revision) -> Revision? {
    switch random.number(in: 0...3) {
    case 0: nil
    case 1: Revision(Int64(random.number(in: 1...Int(current.rawValue))))
    case 2: Revision(current.rawValue + Int64(random.number(in: 1...30)))
    default: Revision(1)
    }
  }

  private func follow(_ stream: WatchStream) async {
    do {
      while let deliveries = try await stream.next() {
        for delivery in deliveries {
          take(delivery)
          // What the stream says after that is not about this watch any more.
          if case .compacted = delivery { return }
        }
        if random.happens(permille: 200) { stream.requestProgress() }
      }
    } catch {
      world.fail("a watch can't be read: \(error)")
    }
  }

  private func take(_ delivery: WatchDelivery) {
    switch delivery {
    case .created(_, let revision):
      if first == nil { first = revision.next }
      if next < first ?? next { next = first ?? next }
    case .events(_, let batch, _):
      guard batch.revision >= next else {
        return world.fail("a watch was told revision \(batch.revision) after \(next)")
      }
      next = batch.revision.next
      told.append(batch)
      world.checks.count("watched revisions")
    case .progress(let revision), .upToDate(_, let revision): next = max(next, revision.next)
    case .compacted(_, let oldest):
      guard let from = next < first ?? next ? first : next, from < oldest else {
        return world.fail("a watch from \(next) was ended by a compaction at \(oldest)")
      }
      gaps.append(from..<oldest)
      next = oldest
      world.checks.count("compacted watches")
    case .cancelled, .refused: world.fail("a watch was ended that nobody has ended")
    }
  }

  /// Asks how far it is, once no change is to come; true when it has been told all.
  func hasSeen(through last: Revision) -> Bool {
    if next > last { return true }
    stream?.requestProgress()
    return false
  }

  func end() {
    ended = "over"
    stream?.close()
  }

  /// Compares what it was told with what happened.
  func verdict(_ truth: Truth, through last: Revision) -> String? {
    guard let first else { return nil }
    let expected = truth.history.filter { change in
      change.revision >= first && change.revision <= last
        && !gaps.contains { $0.contains(change.revision) }
    }
    .map { change in
      let events = change.events.filter { request.range.contains($0.key) }
      return (revision: change.revision, changes: events.map(\.change))
    }
    .filter { !$0.changes.isEmpty }
    let found = told.filter { $0.revision <= last }
    guard found.map(\.revision) == expected.map(\.revision) else {
      let missing = Set(expected.map(\.revision)).subtracting(found.map(\.revision)).sorted()
      return "a watch from \(first) was told \(found.count) revisions of \(expected.count) through "
        + "\(last), and lacks \(missing.prefix(3))"
    }
    for (one, other) in zip(found, expected)
    where one.events.map(\.change) != other.changes {
      return "a watch was told other events at \(one.revision)"
    }
    return nil
  }
}
