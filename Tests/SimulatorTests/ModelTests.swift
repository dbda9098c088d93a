import TestSupport
import Testing

@testable import Raft
@testable import Simulator

/// The core alone: every state within small bounds, and walks far beyond them.
struct ModelTests {
  @Test func everyStateWithinSmallBoundsKeepsItsPromises() async {
    var bounds = SearchBounds()
    bounds.terms = 1
    bounds.crashes = 0
    bounds.messages = 1
    bounds.disks = .immediate
    let (chosen, limit) = (bounds, 200_000)
    let outcome = await onThread { StateSearch(chosen, maximumStates: limit).run() }
    #expect(outcome.violation == nil)
    #expect(outcome.isComplete)
    #expect(outcome.states > 100 && outcome.transitions > outcome.states)
  }

  @Test func aSearchEndsAtItsLimitAndSaysSo() async {
    let outcome = await onThread { StateSearch(SearchBounds(), maximumStates: 500).run() }
    #expect(!outcome.isComplete && outcome.violation == nil)
    #expect(outcome.states >= 500)
  }

  @Test func walksKeepEveryPromiseAndAreTheSameTwice() async {
    for number in 1...6 {
      let (first, second) = await onThread {
        (RandomWalk.outcome(11, number), RandomWalk.outcome(11, number))
      }
      #expect(first.failure == nil)
      #expect(first.steps > 0 && first.trace == second.trace)
    }
  }

  // MARK: - What the checks find

  private let membership = Membership(voters: [MemberID(1), MemberID(2), MemberID(3)])

  private var checks: ModelChecks {
    ModelChecks(founders: PlacedMembership(index: .zero, membership: membership))
  }

  private var node: RaftNode {
    RaftNode(
      RaftConfiguration(id: MemberID(1), timeoutSeed: 1),
      recovering: RaftRecovery(
        membership: PlacedMembership(index: .zero, membership: membership)))
  }

  private func entry(_ index: UInt64, term: UInt64 = 1, _ payload: [UInt8] = []) -> Entry {
    Entry(term: Term(term), index: LogIndex(index), kind: .command, payload: payload)
  }

  private func message(_ from: UInt64, to: UInt64, _ body: Message.Body) -> Message {
    Message(from: MemberID(from), to: MemberID(to), term: Term(3), body: body)
  }

  @Test func twoVotesInATermAreFound() {
    var checks = checks
    checks.sent(message(1, to: 2, .voteReply(granted: true)))
    checks.sent(message(1, to: 2, .voteReply(granted: true)))
    checks.sent(message(1, to: 3, .voteReply(granted: false)))
    #expect(checks.violation == nil)
    checks.sent(message(1, to: 3, .voteReply(granted: true)))
    #expect(checks.violation == "1 votes for 2 and 3 in term 3")
    // A candidate has voted for itself.
    var others = self.checks
    others.sent(message(2, to: 1, .voteRequest(last: .origin, isTransfer: false)))
    others.sent(message(2, to: 3, .voteReply(granted: true)))
    #expect(others.violation == "2 votes for 2 and 3 in term 3")
  }

  @Test func whatIsAppliedTwiceOrOutOfOrderIsFound() {
    var checks = checks
    checks.applied(entry(1, [7, 0]), after: .zero, by: node)
    checks.applied(entry(1, [7, 0]), after: .zero, by: node)
    #expect(checks.violation == nil)
    var twice = checks
    twice.applied(entry(2, [7, 0]), after: LogIndex(1), by: node)
    #expect(twice.violation == "proposal 7 is applied at 1 and 2")
    var other = checks
    other.applied(entry(1, [8, 0]), after: .zero, by: node)
    #expect(other.violation == "two entries are applied at 1")
    checks.applied(entry(3, [9, 0]), after: LogIndex(1), by: node)
    #expect(checks.violation == "1 applies 3 after 1")
  }

  @Test func aDroppedProposalThatIsAppliedIsFound() {
    var ready = Ready()
    ready.dropped = [DroppedProposal(id: 7, reason: .noLeader, proposal: nil)]
    var before = checks
    before.note(ready, of: MemberID(1))
    before.applied(entry(1, [7, 0]), after: .zero, by: node)
    #expect(before.violation == "proposal 7 is applied, and was reported as dropped")
    var after = checks
    after.applied(entry(1, [7, 0]), after: .zero, by: node)
    after.note(ready, of: MemberID(1))
    #expect(after.violation == "proposal 7 is reported as dropped, and was applied at 1")
  }

  @Test func logsThatDifferBeforeAnEqualEntryAreFound() {
    var checks = checks
    checks.durable(entry(2, term: 2), after: Term(1))
    checks.durable(entry(2, term: 2), after: nil)
    #expect(checks.violation == nil)
    var other = checks
    other.durable(entry(2, term: 2, [1]), after: Term(1))
    #expect(other.violation == "two entries are 2/2")
    checks.durable(entry(2, term: 2), after: Term(2))
    #expect(checks.violation == "logs that agree at 2 differ before it")
  }

  @Test func aReadFromThePastIsFound() {
    var checks = checks
    let recovered = RaftNode(
      RaftConfiguration(id: MemberID(1), timeoutSeed: 1),
      recovering: RaftRecovery(
        hardState: HardState(term: Term(1), commit: LogIndex(2)), entries: [entry(1), entry(2)],
        membership: PlacedMembership(index: .zero, membership: membership)))
    checks.asked(4)
    checks.turned(recovered)
    checks.asked(5)
    var ready = Ready()
    ready.reads = [(ReadID(4), LogIndex(1))]
    checks.note(ready, of: MemberID(1))
    #expect(checks.violation == nil)
    ready.reads = [(ReadID(5), LogIndex(1))]
    checks.note(ready, of: MemberID(1))
    #expect(checks.violation == "a read on 1 is answered at 1, asked for at 2")
  }
}

extension RandomWalk {
  fileprivate static func outcome(_ seed: UInt64, _ number: Int) -> Outcome {
    var walk = RandomWalk(seed: seed, number: number)
    return walk.run()
  }
}
