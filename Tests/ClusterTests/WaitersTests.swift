import Raft
import Store
import Testing

@testable import Cluster

struct WaitersTests {
  @Test func aReadThatIsNotAnsweredIsAskedAgainUnderANewName() async {
    let result = await withCheckedContinuation { continuation in
      var waiters = Waiters(firstRead: 10)
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
      var waiters = Waiters(firstRead: 1)
      let isAdded = waiters.add(continuation, number: 5, ticks: 3)
      let first = waiters.advance()
      #expect(isAdded && first.proposals.isEmpty && waiters.isWaiting(5))
      _ = waiters.advance()
      let late = waiters.advance().proposals
      #expect(late.count == 1 && !waiters.isWaiting(5))
      let left = waiters.close()
      let isAddedLate = waiters.add(continuation, number: 6, ticks: 1)
      #expect(left.proposals.isEmpty && !isAddedLate)
      for proposal in late {
        proposal.resume(returning: .failure(.timedOut(leaderKnown: false)))
      }
    }
    #expect(throws: ClusterError.timedOut(leaderKnown: false)) { _ = try result.get() }
  }

}
