import Raft
import Store
import Testing

@testable import Cluster

struct WaitersTests {
  @Test func aReadThatIsNotAnsweredIsAskedAgainUnderANewName() async {
    let result = await withCheckedContinuation { continuation in
      var waiters = Waiters(firstRead: 10, proposalBytes: 10)
      let added = waiters.add(continuation, ticks: 100)
      let asked = [waiters.takeUnasked(), waiters.takeUnasked()]
      #expect(added == .first && asked == [ReadID(10), nil])
      for _ in 0..<Waiters.readRetryTicks {
        let late = waiters.advance()
        #expect(late.reads.isEmpty)
      }
      let again = waiters.takeUnasked()
      #expect(again == ReadID(11))
      // The late answer to the first name answers nobody.
      waiters.readAnswered(ReadID(10), index: LogIndex(3))
      let none = waiters.takeReads(applied: LogIndex(9))
      #expect(none.isEmpty)
      waiters.readAnswered(ReadID(11), index: LogIndex(4))
      let early = waiters.takeReads(applied: LogIndex(3))
      #expect(early.isEmpty, "not applied so far")
      let done = waiters.takeReads(applied: LogIndex(4))
      #expect(done.count == 1)
      for read in done { read.resume(returning: .success(())) }
    }
    #expect(throws: Never.self) { try result.get() }
  }

  @Test func proposalsExpireAndNobodyWaitsOnAClosedMember() async {
    let result = await withCheckedContinuation { continuation in
      var waiters = Waiters(firstRead: 1, proposalBytes: 10)
      let joined = waiters.add(continuation, number: 5, bytes: 1, ticks: 3)
      let first = waiters.advance()
      #expect(joined == .waits && first.proposals.isEmpty && waiters.isWaiting(5))
      _ = waiters.advance()
      let late = waiters.advance().proposals
      #expect(late.count == 1 && !waiters.isWaiting(5))
      let left = waiters.close()
      let joinedLate = waiters.add(continuation, number: 6, bytes: 1, ticks: 1)
      #expect(left.proposals.isEmpty && joinedLate == .closed)
      for proposal in late {
        proposal.resume(returning: .failure(.timedOut(leaderKnown: false)))
      }
    }
    #expect(throws: ClusterError.timedOut(leaderKnown: false)) { _ = try result.get() }
  }

  /// Whichever way a proposal ends, its bytes are free for others.
  @Test func proposalsWaitUntilTheirBytesAreTooMany() async {
    let result = await withCheckedContinuation { (continuation: Waiters.Proposal) in
      var waiters = Waiters(firstRead: 1, proposalBytes: 10)
      func add(_ number: UInt64, _ bytes: Int, ticks: Int = 100) -> Waiters.Joined {
        waiters.add(continuation, number: number, bytes: bytes, ticks: ticks)
      }
      #expect(add(1, 6) == .waits && add(2, 5) == .full && add(3, 4) == .waits)
      #expect(add(4, 1) == .full)
      _ = waiters.takeProposal(1)
      _ = waiters.takeProposal(1)
      #expect(add(5, 6, ticks: 1) == .waits && add(6, 1) == .full)
      #expect(waiters.advance().proposals.count == 1)
      #expect(add(7, 7) == .full && add(8, 6) == .waits)
      #expect([3, 8].allSatisfy { waiters.takeProposal($0) != nil })
      #expect(add(9, 1_000) == .waits, "one alone may be as large as any")
      #expect(add(10, 1) == .full)
      _ = waiters.close()
      continuation.resume(returning: .failure(.overloaded))
    }
    #expect(throws: ClusterError.overloaded) { _ = try result.get() }
  }

  @Test func whatNobodyWaitsForIsNotHeld() {
    var held = HeldProposals(limit: 3)
    func proposal(_ id: UInt64) -> Proposal { Proposal(id: id, payload: [], change: nil) }
    #expect((1...3).allSatisfy { held.add(proposal($0)) } && !held.add(proposal(4)))
    held.removeAbandoned { $0 != 2 }
    #expect(held.add(proposal(5)) && held.take().map(\.id) == [1, 3, 5] && held.isEmpty)
  }
}
