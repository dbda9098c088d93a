import ConfigModel
import Synchronization
import Testing

@testable import Reconciler

/// A clock on which nothing ever takes time to come, and no sleep ends by itself.
private struct StoppedClock: Clock {
  typealias Instant = ContinuousClock.Instant
  private let start = ContinuousClock.now
  var now: Instant { start }
  var minimumResolution: Duration { .zero }

  /// A long sleep lasts until it is cancelled; a short one is over at once.
  func sleep(until deadline: Instant, tolerance: Duration?) async throws {
    guard deadline - start >= .milliseconds(500) else { return }
    try await forever()
  }
}

struct LoopTests {
  private final class Feed: Sendable {
    let outcomes: AsyncStream<ReconcileLoop.Outcome>
    let tell: @Sendable (ReconcileLoop.Outcome) -> Void
    init() {
      let (stream, continuation) = AsyncStream.makeStream(of: ReconcileLoop.Outcome.self)
      outcomes = stream
      tell = { continuation.yield($0) }
    }
  }

  /// No time passes: only rings and changes of keys wake the loop.
  @Test func aRingAndAChangeOfKeysWakeTheLoop() async throws {
    let source = SharedSource()
    let target = ModelTarget()
    let (feed, doorbell) = (Feed(), Doorbell())
    source.change { _ = $0.commit(["a.yaml": "x: 1\n"]) }
    let loop = ReconcileLoop(
      SourceReconciler(source: source, target: target, calendar: calendar()),
      options: ReconcileOptions(), interval: .seconds(3600), doorbell: doorbell)
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await loop.run(on: StoppedClock(), finished: { _, _ in }, ended: feed.tell)
      }
      var outcomes = feed.outcomes.makeAsyncIterator()
      _ = await outcomes.next()
      #expect(target.content == ["/a/x": "1"])
      source.change { _ = $0.commit(["a.yaml": "x: 2\n"]) }
      doorbell.ring(.source)
      repeat { _ = await outcomes.next() } while target.content != ["/a/x": "2"]
      // The watch may still be on its way: then a change waits for the next look.
      while target.state.withLock({ $0.watchers.isEmpty }) { await Task.yield() }
      target.put("/a/x", "9")
      repeat { _ = await outcomes.next() } while target.content != ["/a/x": "2"]
      // A source that can't be read is told, and what was read before is served.
      source.isAway.withLock { $0 = true }
      target.put("/a/x", "8")
      doorbell.ring(.source)
      var isStale = false
      repeat {
        if case .stale = await outcomes.next() { isStale = true }
      } while target.content != ["/a/x": "2"]
      #expect(isStale)
      group.cancelAll()
    }
    let key = Array(ReservedKeys.state(of: "default").utf8)
    let record: StateRecord = try ReservedKeys.decode(
      from: try #require(try target.item(key)).value)
    #expect(record.kind == .stale && record.message.contains("nobody answers"))
  }

  private final class ScriptedLease: SourceLease {
    let other = Mutex<String?>("another")
    let asked = Mutex<[String]>([])
    let pause = Duration.seconds(1)
    let isOfAllSources = false
    func release(_ source: String) {}
    func otherHolder(of source: String) -> String? { holder(of: source) }
    func holder(of source: String) -> String? {
      asked.withLock { $0.append(source) }
      return other.withLock { $0 }
    }
  }

  private func loop(
    _ source: SharedSource, _ target: ModelTarget, _ doorbell: Doorbell, _ lease: ScriptedLease
  ) -> ReconcileLoop {
    ReconcileLoop(
      SourceReconciler(source: source, target: target, calendar: calendar()),
      options: ReconcileOptions(name: "acme"), interval: .seconds(3600), doorbell: doorbell,
      lease: lease)
  }

  @Test func oneThatRestsTakesOver() async throws {
    let source = SharedSource()
    let target = ModelTarget()
    let (feed, doorbell, lease) = (Feed(), Doorbell(), ScriptedLease())
    source.change { _ = $0.commit(["a.yaml": "x: 1\n"]) }
    let loop = loop(source, target, doorbell, lease)
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await loop.run(on: StoppedClock(), finished: { _, _ in }, ended: feed.tell)
      }
      var outcomes = feed.outcomes.makeAsyncIterator()
      for _ in 0..<2 {
        var isResting = false
        while !isResting {
          if case .resting("another") = await outcomes.next() { isResting = true }
        }
        #expect(target.content.isEmpty)
        doorbell.ring(.source)
      }
      // What came while it rested is taken, too, without a ring.
      source.change { _ = $0.commit(["a.yaml": "x: 2\n"]) }
      lease.other.withLock { $0 = nil }
      doorbell.ring(.source)
      repeat { _ = await outcomes.next() } while target.content != ["/a/x": "2"]
      group.cancelAll()
    }
    #expect(lease.asked.withLock { Set($0) } == ["acme"])
  }

  /// Who takes over tells what is wrong, though another one was last seen to work.
  @Test func aTakeoverThatCanNotGoOnIsTold() async throws {
    let (source, other) = (SharedSource(), SharedSource())
    let target = ModelTarget()
    source.change { _ = $0.commit(["a.yaml": "x: 1\n"]) }
    other.change {
      $0.salt = "1"
      _ = $0.commit(["a.yaml": "x: 2\n"])
    }
    _ = try await SourceReconciler(source: other, target: target, calendar: calendar())
      .run(ReconcileOptions(name: "acme"))
    let (feed, doorbell, lease) = (Feed(), Doorbell(), ScriptedLease())
    let told = Mutex<[SourceEvent.Kind]>([])
    let journal = EventJournal { event in told.withLock { $0.append(event.kind) } }
    let loop = loop(source, target, doorbell, lease)
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await loop.run(on: StoppedClock(), finished: { _, _ in }) { outcome in
          journal.note(outcome)
          feed.tell(outcome)
        }
      }
      var outcomes = feed.outcomes.makeAsyncIterator()
      var isStalled = false
      while !isStalled {
        switch await outcomes.next() {
        case .resting:
          lease.other.withLock { $0 = nil }
          doorbell.ring(.source)
        case .stalled: isStalled = true
        default: break
        }
      }
      group.cancelAll()
    }
    #expect(told.withLock { $0 } == [.stopped])
  }

  /// A standby must not take a head that has not come yet for a rewritten branch.
  @Test func newsComeBeforeTheVerdict() async throws {
    let (source, ahead) = (SharedSource(), SharedSource())
    let target = ModelTarget()
    for one in [source, ahead] { one.change { _ = $0.commit(["a.yaml": "x: 1\n"]) } }
    ahead.change { _ = $0.commit(["a.yaml": "x: 2\n"]) }
    _ = try await SourceReconciler(source: ahead, target: target, calendar: calendar())
      .run(ReconcileOptions())
    // What the other one has comes with the second look.
    let looks = Mutex(0)
    source.onRefresh.withLock {
      $0 = {
        let isSecond = looks.withLock { looks in
          looks += 1
          return looks == 2
        }
        if isSecond { source.change { _ = $0.commit(["a.yaml": "x: 2\n"]) } }
      }
    }
    let feed = Feed()
    let loop = ReconcileLoop(
      SourceReconciler(source: source, target: target, calendar: calendar()),
      options: ReconcileOptions(), interval: .seconds(3600))
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await loop.run(on: StoppedClock(), finished: { _, _ in }, ended: feed.tell)
      }
      var outcomes = feed.outcomes.makeAsyncIterator()
      var isFinished = false
      while !isFinished {
        switch await outcomes.next() {
        case .finished(let report):
          isFinished = true
          #expect(report.head == report.tip)
        case .fetched: break
        case let other: Issue.record("\(String(describing: other))")
        }
      }
      group.cancelAll()
    }
    #expect(looks.withLock { $0 } == 2)
    let state = Array(ReservedKeys.state(of: "default").utf8)
    #expect(try target.item(state) == nil, "nothing was recorded as stopped")
  }

  @Test func manyRingsAreOne() async {
    let doorbell = Doorbell()
    for _ in 0..<100 { doorbell.ring(.source) }
    doorbell.ring(.keys)
    #expect(await doorbell.wait(atMost: .seconds(3600), on: StoppedClock()) == [.source, .keys])
    let waiting = Task { await doorbell.wait(atMost: .seconds(3600), on: StoppedClock()) }
    waiting.cancel()
    #expect(await waiting.value.isEmpty)
  }

  @Test func ownChangesAreNoDrift() {
    let changes = ForeignChanges(limit: 3)
    changes.add(5)
    changes.forget(own: [5, 6])
    changes.add(6)
    #expect(changes.seen.isEmpty)
    changes.add(7)
    #expect(changes.seen == [7])
    changes.add(8)
    changes.forget([7])
    #expect(changes.seen == [8], "what came while it was looked stays")
  }
}
