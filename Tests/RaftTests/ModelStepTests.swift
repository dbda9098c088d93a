import Testing

@testable import Raft

/// What the searches and walks of the simulator need of the core: time as a choice, states that can be
/// compared, and invariants that a broken state does not meet.
struct ModelStepTests {
  private func node(_ voters: [UInt64] = [1, 2, 3], entries: [Entry] = []) -> RaftNode {
    let membership = Membership(voters: voters.map(MemberID.init))
    return RaftNode(
      RaftConfiguration(id: MemberID(1), timeoutSeed: 7),
      recovering: RaftRecovery(
        hardState: HardState(term: entries.last?.term ?? .zero), entries: entries,
        membership: PlacedMembership(index: .zero, membership: membership)))
  }

  private func receive(_ node: inout RaftNode, term: UInt64, _ body: Message.Body) {
    let message = Message(from: MemberID(2), to: MemberID(1), term: Term(term), body: body)
    node.step(.received(message))
    while let ready = node.takeReady() {
      guard let last = ready.entries.last else { continue }
      node.step(.persisted(term: last.term, index: last.index, epoch: ready.epoch))
    }
  }

  private func leader() -> RaftNode {
    var node = node()
    _ = node.pass(.electionTimeout)
    receive(&node, term: 1, .preVoteReply(granted: true))
    receive(&node, term: 1, .voteReply(granted: true))
    receive(&node, term: 1, .appendAccepted(through: LogIndex(1)))
    return node
  }

  private func fingerprint(_ node: RaftNode) -> StateHasher.Value {
    var hasher = StateHasher()
    node.describe(into: &hasher)
    return hasher.value
  }

  @Test func timePassesOnlyForWhomItCan() {
    var follower = node()
    let early = [.heartbeat, .quorumLost, .leaderForgotten].map { follower.pass($0) }
    #expect(early == [false, false, false], "it knows of no leader")
    receive(&follower, term: 1, .heartbeat(commit: .zero, token: 0))
    let forgotten = [follower.pass(.leaderForgotten), follower.pass(.leaderForgotten)]
    #expect(forgotten == [true, false])
    let campaigns = follower.pass(.electionTimeout)
    #expect(campaigns && follower.leader == nil)
    var leader = leader()
    #expect(leader.isLeader && leader.leadsDurably)
    let others = [leader.pass(.electionTimeout), leader.pass(.leaderForgotten)]
    #expect(others == [false, false])
    let beats = leader.pass(.heartbeat)
    let messages = leader.takeReady()?.messages.count
    #expect(beats && messages == 2)
    let ends = leader.pass(.quorumLost)
    #expect(ends && !leader.isLeader)
    var alone = node([1])
    let leads = alone.pass(.electionTimeout)
    #expect(leads && alone.isLeader && !alone.leadsDurably)
    let loses = alone.pass(.quorumLost)
    #expect(!loses)
  }

  @Test func statesAreEqualThatBehaveAlikeAndNoOthers() {
    #expect(fingerprint(node()) == fingerprint(node()))
    #expect(fingerprint(leader()) == fingerprint(leader()))
    var states = [node(), leader()]
    var candidate = node()
    _ = candidate.pass(.electionTimeout)
    states.append(candidate)
    receive(&candidate, term: 1, .preVoteReply(granted: true))
    states.append(candidate)
    receive(&candidate, term: 1, .voteReply(granted: false))
    states.append(candidate)
    var follower = node()
    receive(&follower, term: 1, .heartbeat(commit: .zero, token: 0))
    states.append(follower)
    _ = follower.pass(.leaderForgotten)
    states.append(follower)
    for (place, change) in leaderChanges.enumerated() {
      var changed = leader()
      change(&changed)
      states.append(changed)
      #expect(changed.violation == nil, "\(place)")
    }
    for payload in [[UInt8](), [1], [2]] {
      let kind = payload.isEmpty ? Entry.Kind.noOperation : .command
      let entry = Entry(term: Term(1), index: LogIndex(1), kind: kind, payload: payload)
      states.append(node(entries: [entry]))
    }
    let prints = states.map(fingerprint)
    #expect(Set(prints).count == prints.count)
  }

  private var leaderChanges: [(inout RaftNode) -> Void] {
    [
      { $0.step(.proposed([Proposal(id: 1, payload: [1])])) },
      { $0.step(.transferRequested(to: MemberID(3))) },
      { $0.step(.unreachable(MemberID(2))) },
      { node in
        receive(&node, term: 1, .appendAccepted(through: LogIndex(1)))
        node.step(.compacted(through: LogIndex(1)))
        _ = node.pass(.heartbeat)
        let message = Message(
          from: MemberID(3), to: MemberID(1), term: Term(1),
          body: .appendRejected(previous: .zero, hint: .origin, hasLost: true))
        node.step(.received(message))
      },
    ]
  }

  @Test func aLeaderTellsHowFarTheOthersAre() {
    var leader = leader()
    #expect(node().replication == "it does not lead")
    #expect(leader.replication.contains("2 replicate match 1 next 2 flight 0"))
    #expect(node().isIdle(without: []))
    #expect(!leader.isIdle(without: []) && leader.isIdle(without: [MemberID(3)]))
    leader.step(.proposed([Proposal(id: 1, payload: [1])]))
    #expect(!leader.isIdle(without: [MemberID(3)]))
  }

  @Test func brokenStatesAreFound() {
    func violation(_ change: (inout RaftNode) -> Void) -> String? {
      var node = leader()
      change(&node)
      return node.violation
    }
    #expect(leader().violation == nil)
    #expect(violation { $0.commit = LogIndex(9) } == "commit 9 is beyond the log")
    #expect(violation { $0.stable = LogIndex(9) } == "durable 9 is beyond the log")
    #expect(violation { $0.stable = .zero } == "handed out 1 before its time")
    #expect(
      violation { $0.lost = .origin } == "it leads with a log that has lost its end")
    let stranger = Membership(voters: [MemberID(2)]).encoded(context: [])
    func entry(_ index: UInt64) -> Entry {
      Entry(term: Term(1), index: LogIndex(index), kind: .membership, payload: stranger)
    }
    #expect(
      violation { $0.memberships.append(entry(5)) } == "it goes by a membership that its log lacks")
    #expect(
      violation { node in
        node.step(.proposed([Proposal(id: 1, payload: [1])]))
        node.memberships.append(entry(2))
      } == "it goes by a membership that its log has replaced")
    func progress(_ change: (inout Progress) -> Void) -> String? {
      violation { node in
        guard case .leader(var state) = node.role, var progress = state.progress[MemberID(2)]
        else { return }
        change(&progress)
        state.progress[MemberID(2)] = progress
        node.role = .leader(state)
      }
    }
    #expect(progress { $0.next = LogIndex(1) } == "of 2: match 1 is not below next 1")
    #expect(progress { $0.next = LogIndex(9) } == "of 2: next 9 is beyond the log")
    #expect(
      progress { progress in
        progress.next = LogIndex(9)
        progress.match = LogIndex(8)
      } == "of 2: match 8 is beyond the log")
    #expect(
      progress { progress in
        let entry = Entry(term: Term(1), index: LogIndex(1), kind: .noOperation, payload: [])
        for _ in 0...256 { progress.sent([entry]) }
      } == "of 2: 257 appends are under way")
  }
}
