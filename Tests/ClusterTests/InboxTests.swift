import Raft
import Synchronization
import Testing

@testable import Cluster

/// Whose turn it is to run the member loop.
struct InboxTests {
  /// Keeps what it was given, and may bring events itself.
  private struct Reader: InboxReader {
    let seen: Seen
    var bringing: @Sendable (LoopEvent) -> Void = { _ in }
    /// What turns leave for those who may wait.
    var errands: [Errand] = []

    mutating func turn(_ events: [LoopEvent], mayWait: Bool) -> Turn {
      seen.turns.withLock { $0.append(events) }
      for event in events {
        if case .stop = event { return Turn(goesOn: false) }
        bringing(event)
      }
      return Turn(errand: mayWait ? errands.popLast() : nil)
    }
  }

  private final class Seen: Sendable {
    let turns = Mutex<[[LoopEvent]]>([])
    var counts: [Int] { turns.withLock { $0.map(\.count) } }
    var sizes: [Int64] {
      turns.withLock { turns in
        turns.joined().compactMap { if case .sized(let bytes) = $0 { bytes } else { nil } }
      }
    }
  }

  @Test func anInboxKeepsOrderAndItsLimitAndOneTick() async {
    let seen = Seen()
    let inbox = Inbox(limit: 2, queue: KeptWork(), soon: { $0() })
    #expect(inbox.offer(.sized(1)))
    inbox.postTick()
    inbox.postTick()
    #expect(!inbox.offer(.sized(2)), "the queue is full")
    inbox.post(.sized(3))
    inbox.post(.stop)
    await inbox.run(Reader(seen: seen))
    #expect(seen.counts == [4], "ticks that were missed do not add up")
    #expect(seen.sizes == [1, 3])
    #expect(inbox.offer(.sized(4)), "who brings it is told otherwise that nobody takes it")
    #expect(seen.counts == [4])
  }

  @Test func whatComesTogetherIsOneTurn() async {
    let (seen, later) = (Seen(), KeptWork())
    let inbox = Inbox(limit: 100, queue: KeptWork(), soon: { later.async($0) })
    async let running: Void = inbox.run(Reader(seen: seen))
    while !inbox.isIdle { await Task.yield() }
    for size in 1...5 { inbox.post(.sized(Int64(size))) }
    #expect(seen.counts == [] && later.count == 1)
    later.run()
    #expect(seen.counts == [5])
    // A tick does not wait for whoever has said that they will run the loop.
    inbox.post(.sized(6))
    inbox.postTick()
    #expect(seen.counts == [5, 2])
    later.run()
    #expect(seen.counts == [5, 2])
    inbox.post(.stop)
    later.run()
    await running
    #expect(seen.sizes == [1, 2, 3, 4, 5, 6])
  }

  /// It is taken with what somebody brings next, or at a tick, and in its order.
  @Test func whatIsLeftRunsNoTurnOfItsOwn() async {
    let (seen, own) = (Seen(), KeptWork())
    let inbox = Inbox(limit: 100, queue: own, soon: { $0() })
    async let running: Void = inbox.run(Reader(seen: seen))
    while !inbox.isIdle { await Task.yield() }
    inbox.leave(.sized(1))
    #expect(seen.counts == [] && own.count == 0)
    inbox.post(.sized(2))
    #expect(seen.counts == [2] && seen.sizes == [1, 2])
    inbox.leave(.sized(3))
    inbox.postTick()
    #expect(seen.counts == [2, 2] && seen.sizes == [1, 2, 3])
    inbox.post(.stop)
    await running
    inbox.leave(.sized(4))
    #expect(seen.sizes == [1, 2, 3])
  }

  /// What the loop brings about itself is taken by the one who runs it; after some turns in a row that goes
  /// on elsewhere.
  @Test func aThreadThatBroughtAnEventIsNotKeptForLong() async {
    let (seen, own) = (Seen(), KeptWork())
    let inbox = Inbox(limit: 100, queue: own, soon: { $0() })
    let reader = Reader(
      seen: seen,
      bringing: { event in
        if case .sized(let size) = event { inbox.post(size < 40 ? .sized(size + 1) : .stop) }
      })
    async let running: Void = inbox.run(reader)
    while !inbox.isIdle { await Task.yield() }
    inbox.post(.sized(1))
    #expect(seen.counts.count == 16)
    own.run()
    #expect(seen.counts.count == 32)
    own.run()
    await running
    #expect(seen.sizes == Array(1...40))
  }

  /// Whoever runs an errand holds up nobody else's events.
  @Test func anErrandIsRunAfterTheTurnByOneWhoMayWait() async {
    let (seen, later, own) = (Seen(), KeptWork(), KeptWork())
    let inbox = Inbox(limit: 100, queue: own, soon: { later.async($0) })
    let runs = Mutex(0)
    let errand = Errand(
      run: {
        #expect(inbox.isIdle)
        runs.withLock { $0 += 1 }
      }, handOver: {})
    var reader = Reader(seen: seen, errands: [errand, errand])
    // While the first turn goes on another event comes.
    reader.bringing = { event in if case .sized(2) = event { inbox.post(.sized(3)) } }
    async let running: Void = inbox.run(reader)
    while !inbox.isIdle { await Task.yield() }
    inbox.post(.sized(1))
    inbox.postTick()
    later.run()
    #expect(runs.withLock { $0 } == 0, "who brings these may not wait")
    _ = inbox.offer([.sized(2)], mayWait: true)
    later.run()
    #expect(runs.withLock { $0 } == 1 && seen.sizes == [1, 2])
    own.run()
    #expect(runs.withLock { $0 } == 1 && seen.sizes == [1, 2, 3], "another thread took the next")
    _ = inbox.offer([.sized(4)], mayWait: true)
    later.run()
    #expect(runs.withLock { $0 } == 2)
    inbox.post(.stop)
    later.run()
    await running
    #expect(seen.sizes == [1, 2, 3, 4])
  }

  @Test func manyThreadsBringEventsAndEachIsTakenOnce() async {
    let seen = Seen()
    let inbox = Inbox(limit: .max, queue: ThreadQueue(label: "inbox"), soon: { $0() })
    async let running: Void = inbox.run(Reader(seen: seen))
    await withTaskGroup(of: Void.self) { group in
      for thread in 0..<Int64(4) {
        group.addTask { for event in 0..<Int64(5_000) { inbox.post(.sized(thread << 32 | event)) } }
      }
    }
    inbox.post(.stop)
    await running
    let sizes = seen.sizes
    #expect(sizes.count == 20_000)
    for thread in 0..<Int64(4) {
      let own = sizes.filter { $0 >> 32 == thread }
      #expect(own == own.sorted() && Set(own).count == 5_000, "each thread's in their order")
    }
  }
}
