import Raft
import Store
import Testing

@testable import Cluster

struct LeaseClockTests {
  private static let turn = Duration.milliseconds(100)

  private static func lease(_ id: Int64, ttl: Int64, left: Int64? = nil, at index: UInt64 = 1)
    -> Lease
  {
    Lease(id: id, ttl: ttl, remaining: left ?? ttl, grantedAt: index)
  }

  /// A clock that leads in term 3, with leases.
  private static func leading(
    _ leases: Lease..., checkpoints: Duration = .seconds(300)
  ) -> LeaseClock {
    var clock = LeaseClock(checkpointInterval: checkpoints, electionTimeout: .seconds(1))
    clock.lead(in: Term(3))
    clock.begin(in: Term(3), with: leases)
    return clock
  }

  /// What is proposed within `time`, in turns of 100 ms.
  private static func pass(_ time: Duration, _ clock: inout LeaseClock) -> LeaseWork {
    var all = LeaseWork()
    for _ in 0..<Int(time / turn) {
      let work = clock.advance(by: turn)
      all.expired += work.expired
      all.checkpoints += work.checkpoints
    }
    return all
  }

  @Test func aLeaseEndsAfterItsTimeAndIsProposedAgainUntilItHas() {
    var clock = LeaseClockTests.leading()
    clock.apply(.granted(LeaseClockTests.lease(7, ttl: 2)))
    let early = LeaseClockTests.pass(.seconds(2), &clock).expired
    let due = LeaseClockTests.pass(.seconds(1), &clock).expired
    let again = LeaseClockTests.pass(.seconds(1), &clock).expired
    #expect(early.isEmpty && due.map(\.id) == [7] && again.map(\.id) == [7])
    let renewal = clock.renew(7)
    #expect(renewal == .ending, "what is about to end is not renewed")
    clock.apply(.ended(id: 7))
    let never = LeaseClockTests.pass(.seconds(9), &clock).expired
    let unknown = clock.renew(7)
    #expect(never.isEmpty && unknown == .unknown)
  }

  @Test func aNewLeaderGoesOnFromWhatWasWrittenDown() {
    var clock = LeaseClockTests.leading(LeaseClockTests.lease(1, ttl: 60, left: 5))
    #expect(clock.lease(1)?.left == 7, "and adds what an election takes")
    let early = LeaseClockTests.pass(.seconds(6), &clock).expired
    let due = LeaseClockTests.pass(.seconds(1), &clock).expired
    #expect(early.isEmpty && due.map(\.id) == [1])
  }

  @Test func aRenewalUndoesWhatWasWrittenDown() throws {
    var clock = LeaseClockTests.leading(
      LeaseClockTests.lease(1, ttl: 60), checkpoints: .seconds(20))
    let written = LeaseClockTests.pass(.seconds(20), &clock).checkpoints
    #expect(written.map(\.remaining) == [42])
    guard case .renewed(let lease, let term, let undo?) = clock.renew(1) else {
      Issue.record("a checkpoint has to be undone")
      return
    }
    #expect(term == Term(3) && undo.command.remaining == 60 && clock.holds(lease, in: term))
    clock.finish(undo)
    let renewal = clock.renew(1)
    #expect(renewal == .renewed(lease, term: Term(3), undoing: nil))
  }

  @Test func aCheckpointDuringARenewalHasToBeUndoneToo() {
    var clock = LeaseClockTests.leading(
      LeaseClockTests.lease(1, ttl: 60), checkpoints: .seconds(20))
    _ = LeaseClockTests.pass(.seconds(20), &clock)
    guard case .renewed(_, _, let first?) = clock.renew(1) else {
      Issue.record("a checkpoint has to be undone")
      return
    }
    _ = LeaseClockTests.pass(.seconds(20), &clock)
    clock.finish(first)
    guard case .renewed(_, _, .some) = clock.renew(1) else {
      Issue.record("the second checkpoint is forgotten")
      return
    }
  }

  @Test func anIdThatIsGrantedAgainIsAnotherLease() {
    let first = LeaseClockTests.lease(1, ttl: 2, at: 5)
    var clock = LeaseClockTests.leading(first)
    clock.apply(.ended(id: 1))
    clock.apply(.granted(LeaseClockTests.lease(1, ttl: 30, at: 9)))
    let expired = LeaseClockTests.pass(.seconds(9), &clock).expired
    #expect(expired.isEmpty && !clock.holds(first, in: Term(3)))
  }

  @Test func timeThatNobodyCouldUseDoesNotCount() {
    var clock = LeaseClockTests.leading()
    clock.apply(.granted(LeaseClockTests.lease(1, ttl: 5)))
    let stopped = clock.advance(by: .seconds(3600)).expired
    let backwards = clock.advance(by: .seconds(-3600)).expired
    #expect(stopped.isEmpty && backwards.isEmpty)
  }

  @Test func whoDoesNotLeadMeasuresNothing() {
    var clock = LeaseClockTests.leading(LeaseClockTests.lease(1, ttl: 1))
    clock.follow()
    let renewal = clock.renew(1)
    #expect(renewal == .notLeading && clock.lease(1) == nil)
    // The leases arrive after leadership is lost, or for a term that is over.
    clock.begin(in: Term(3), with: [LeaseClockTests.lease(1, ttl: 1)])
    clock.lead(in: Term(5))
    clock.begin(in: Term(3), with: [LeaseClockTests.lease(1, ttl: 1)])
    let expired = LeaseClockTests.pass(.seconds(5), &clock).expired
    #expect(clock.term == nil && expired.isEmpty)
  }

  @Test func manyThatEndAtOnceAreSpread() {
    var clock = LeaseClockTests.leading()
    for id in 1...250 { clock.apply(.granted(LeaseClockTests.lease(Int64(id), ttl: 1))) }
    _ = LeaseClockTests.pass(.milliseconds(1400), &clock)
    let counts = (0..<3).map { _ in clock.advance(by: LeaseClockTests.turn).expired.count }
    #expect(counts == [100, 100, 50])
  }
}
