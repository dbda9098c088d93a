import Testing

@testable import Raft

struct RaftNodeTests {
  private func node(
    _ id: UInt64 = 1, of count: UInt64 = 3, hardState: HardState = HardState(),
    entries: [Entry] = []
  ) -> RaftNode {
    let membership = Membership(voters: (1...count).map(MemberID.init))
    return RaftNode(
      RaftConfiguration(id: MemberID(id), timeoutSeed: 7),
      recovering: RaftRecovery(
        hardState: hardState, entries: entries,
        membership: PlacedMembership(index: .zero, membership: membership)))
  }

  private func message(_ from: UInt64, term: UInt64, _ body: Message.Body) -> Event {
    .received(Message(from: MemberID(from), to: MemberID(1), term: Term(term), body: body))
  }

  // MARK: - Members that are not fit to lead

  private func leaders(_ cluster: ScriptedCluster) -> [UInt64] {
    cluster.members.values.filter(\.node.isLeader).map(\.node.id.rawValue).sorted()
  }

  @Test func aLeaderThatIsNotFitHandsOver() {
    var cluster = ScriptedCluster()
    _ = cluster.run(["members voters=1,2,3", "campaign 1", "stabilize", "propose 1 a", "stabilize"])
    #expect(leaders(cluster) == [1])
    _ = cluster.run(["unfit 1", "tick 1", "stabilize"])
    #expect(leaders(cluster) != [1] && leaders(cluster).count == 1)
    // Nor is it given back.
    let leader = leaders(cluster)[0]
    _ = cluster.run([
      "transfer \(leader) to=1", "stabilize", "tick \(leader) count=30", "stabilize",
    ])
    #expect(leaders(cluster) != [1])
  }

  @Test func whoIsNotFitLeavesElectionsToOthersForAWhile() {
    var cluster = ScriptedCluster()
    _ = cluster.run(["members voters=1,2,3", "unfit 1", "tick 1 count=19", "stabilize"])
    #expect(leaders(cluster) == [])
    _ = cluster.run(["tick 2 count=19", "stabilize"])
    #expect(leaders(cluster) == [2])
  }

  /// It may be the only one left that has every entry: then it is elected, and hands over.
  @Test func whoAloneHasEveryEntryLeadsUntilAnotherHasThem() {
    var cluster = ScriptedCluster()
    _ = cluster.run([
      "members voters=1,2,3", "campaign 3", "stabilize", "unfit 1", "propose 3 a", "drop to=2",
      "deliver to=1", "drop to=3", "drop from=3",
    ])
    var hasLed = false
    for _ in 0..<200 where leaders(cluster) != [2] {
      _ = cluster.run(["tick 1", "tick 2", "drop to=3"])
      for _ in 0..<6 {
        _ = cluster.run(["deliver to=1", "drop to=3", "deliver to=2", "drop to=3"])
      }
      if cluster.members[MemberID(1)]?.node.isLeader == true { hasLed = true }
      // The third is gone for good.
      cluster.members[MemberID(3)] = nil
    }
    #expect(hasLed)
    #expect(leaders(cluster) == [2])
    let logs = [1, 2].map { cluster.members[MemberID($0)]?.node.entries(from: .zero) ?? [] }
    #expect(logs[1].contains { $0.payload == Array("a".utf8) })
    #expect(logs[0].prefix(2) == logs[1].prefix(2))
  }

  // MARK: - Others

  @Test func aSingleVoterCommitsOnlyWhatIsDurable() {
    var node = node(of: 1)
    for _ in 0..<20 { node.step(.tick) }
    let ready = node.takeReady()
    #expect(node.isLeader)
    #expect(ready?.entries.map(\.kind) == [.noOperation])
    #expect(ready?.committed.isEmpty == true, "nothing is committed before it is durable")
    node.step(.persisted(term: Term(1), index: LogIndex(1)))
    #expect(node.takeReady()?.committed.map(\.index) == [LogIndex(1)])
  }

  @Test func whatASoleVoterDecidedAloneItDoesNotDecideAloneLater() throws {
    // It took in member 2 and ended before it knew that this was through: a third member may have
    // joined without its knowing since.
    let two = Membership(voters: [MemberID(1), MemberID(2)])
    let entries = [
      Entry(term: Term(1), index: LogIndex(1), kind: .noOperation, payload: []),
      Entry(
        term: Term(1), index: LogIndex(2), kind: .membership, payload: two.encoded(context: [])),
    ]
    let one = PlacedMembership(index: .zero, membership: Membership(voters: [MemberID(1)]))
    var node = RaftNode(
      RaftConfiguration(id: MemberID(1), timeoutSeed: 7),
      recovering: RaftRecovery(
        hardState: HardState(term: Term(1), vote: MemberID(1)), entries: entries,
        applied: LogIndex(1), membership: one))
    for _ in 0..<20 { node.step(.tick) }
    #expect(!node.isLeader)
    node.step(message(2, term: 2, .preVoteReply(granted: true)))
    node.step(message(2, term: 2, .voteReply(granted: true)))
    #expect(node.isLeader)
    _ = node.takeReady()
    node.step(.persisted(term: Term(2), index: LogIndex(3)))
    #expect(node.commitIndex == LogIndex(1))
    node.step(message(2, term: 2, .appendAccepted(through: LogIndex(3))))
    #expect(node.commitIndex == LogIndex(3))
  }

  @Test func aVoteLeavesOnlyAfterItsHardState() {
    var node = node()
    node.step(message(2, term: 1, .voteRequest(last: .origin, isTransfer: false)))
    let ready = node.takeReady()
    #expect(ready?.hardState?.vote == MemberID(2))
    #expect(ready?.messages.isEmpty == true)
    #expect(ready?.promises.map(\.body) == [.voteReply(granted: true)])
    node.step(message(3, term: 1, .voteRequest(last: .origin, isTransfer: false)))
    #expect(node.takeReady()?.promises.map(\.body) == [.voteReply(granted: false)])
  }

  @Test func aPreVoteChangesNothing() {
    var node = node()
    node.step(message(2, term: 5, .preVoteRequest(last: .origin)))
    let ready = node.takeReady()
    #expect(ready?.messages.map(\.body) == [.preVoteReply(granted: true)])
    #expect(ready?.hardState == nil)
    #expect(node.term == .zero)
  }

  @Test func aVoterThatHearsALeaderIgnoresCandidates() {
    var node = node()
    node.step(message(2, term: 1, .heartbeat(commit: .zero, token: 0)))
    _ = node.takeReady()
    node.step(message(3, term: 9, .voteRequest(last: .origin, isTransfer: false)))
    #expect(node.takeReady() == nil)
    #expect(node.term == Term(1))
    node.step(message(3, term: 9, .preVoteRequest(last: .origin)))
    #expect(node.takeReady()?.messages.map(\.body) == [.preVoteReply(granted: false)])
  }

  @Test func aFollowerCommitsNoFurtherThanTheMessageProves() {
    let stale = Entry(term: Term(1), index: LogIndex(2), kind: .command, payload: [9])
    let first = Entry(term: Term(1), index: LogIndex(1), kind: .command, payload: [1])
    var node = node(
      1, of: 3, hardState: HardState(term: Term(1)), entries: [first, stale])
    node.step(
      message(2, term: 2, .append(previous: .origin, entries: [first], commit: LogIndex(2))))
    _ = node.takeReady()
    #expect(node.commitIndex == LogIndex(1))
  }

  /// An entry of an earlier term in that place may be another one, and one that is not there has yet to come.
  @Test func aFollowerIsToldOfACommitOnlyWhereItsEntryIsOfTheLeadersTerm() {
    let entries = [1, 1, 2].enumerated().map { offset, term in
      Entry(term: Term(term), index: LogIndex(UInt64(offset + 1)), kind: .command, payload: [])
    }
    var node = node(1, of: 3, hardState: HardState(term: Term(2)), entries: entries)
    for (index, committed) in [(2, 0), (4, 0), (3, 3), (1, 3)] as [(UInt64, UInt64)] {
      node.step(message(2, term: 2, .committed(through: LogIndex(index))))
      #expect(node.commitIndex == LogIndex(committed), "told of \(index)")
    }
    let ready = node.takeReady()
    #expect(ready?.committed == entries)
    #expect(ready?.messages == [] && ready?.promises == [], "nobody waits for an answer")
    #expect(ready?.leadership?.leader == MemberID(2))
  }

  /// One of an earlier term decides nothing, and is not answered either.
  @Test func aLeaderOfThePastTellsOfNoCommit() {
    let entry = Entry(term: Term(1), index: LogIndex(1), kind: .command, payload: [])
    var node = node(1, of: 3, hardState: HardState(term: Term(2)), entries: [entry])
    _ = node.takeReady()
    node.step(message(2, term: 1, .committed(through: LogIndex(1))))
    #expect(node.commitIndex == .zero)
    #expect(node.takeReady() == nil)
  }

  @Test func aConflictReplacesTheRestAndLowersWhatIsDurable() {
    let old = (1...3).map {
      Entry(term: Term(1), index: LogIndex($0), kind: .command, payload: [1])
    }
    var node = node(1, of: 3, hardState: HardState(term: Term(1)), entries: old)
    let replacement = Entry(term: Term(2), index: LogIndex(2), kind: .command, payload: [2])
    node.step(
      message(
        2, term: 2,
        .append(
          previous: SnapshotMark(index: LogIndex(1), term: Term(1)), entries: [replacement],
          commit: LogIndex(2))))
    let ready = node.takeReady()
    #expect(ready?.entries == [replacement])
    #expect(ready?.committed.map(\.index) == [LogIndex(1)], "2 is committed, but not durable here")
    #expect(ready?.hardState?.commit == LogIndex(1), "the hint covers only what is durable")
  }

  @Test func aLeaderWithoutItsQuorumStepsDown() {
    var node = node()
    while !node.isLeader {
      node.step(.tick)
      for message in node.takeReady()?.messages ?? [] {
        if case .preVoteRequest = message.body {
          node.step(self.message(2, term: message.term.rawValue, .preVoteReply(granted: true)))
        }
      }
      node.step(message(2, term: node.term.rawValue, .voteReply(granted: true)))
    }
    for _ in 0..<25 { node.step(.tick) }
    #expect(!node.isLeader)
  }

  @Test func aReadIsAnsweredOnlyByAnswersToItsOwnHeartbeat() {
    var node = node()
    while !node.isLeader {
      node.step(.tick)
      for message in node.takeReady()?.messages ?? [] {
        if case .preVoteRequest = message.body {
          node.step(self.message(2, term: message.term.rawValue, .preVoteReply(granted: true)))
        }
      }
      node.step(message(2, term: node.term.rawValue, .voteReply(granted: true)))
    }
    let term = node.term
    _ = node.takeReady()
    node.step(.readRequested(ReadID(1)))
    #expect(node.takeReady()?.reads.isEmpty != false, "nothing of this term is committed yet")
    node.step(.persisted(term: term, index: LogIndex(1)))
    node.step(message(2, term: term.rawValue, .appendAccepted(through: LogIndex(1))))
    let asked = node.takeReady()
    let tokens = asked?.messages.compactMap { message -> UInt64? in
      if case .heartbeat(_, let token) = message.body { token } else { nil }
    }
    #expect(tokens == [1, 1])
    node.step(message(2, term: term.rawValue, .heartbeatReply(token: 0)))
    #expect(node.takeReady()?.reads.isEmpty != false, "an answer to an older heartbeat")
    node.step(message(2, term: term.rawValue, .heartbeatReply(token: 1)))
    #expect(node.takeReady()?.reads.map(\.index) == [LogIndex(1)])
  }
}
