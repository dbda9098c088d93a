/// What a search through all states of the core needs: time as a choice, and states that can be
/// compared.
extension RaftNode {
  /// What the passing of time may do; a search tries each instead of counting ticks.
  package enum Passage: CaseIterable, Sendable {
    /// A leader's heartbeat is due.
    case heartbeat
    /// A leader has heard from no quorum for an election timeout.
    case quorumLost
    /// Nothing was heard from the leader for the shortest election timeout: votes are free.
    case leaderForgotten
    /// The election timeout.
    case electionTimeout
  }

  /// False if it can't happen to this member now.
  package mutating func pass(_ passage: Passage) -> Bool {
    switch passage {
    case .heartbeat:
      guard case .leader(var state) = role else { return false }
      for peer in peers { state.progress[peer]?.silentTicks = 0 }
      role = .leader(state)
      heartbeatElapsed = configuration.heartbeatTicks
      step(.tick)
    case .quorumLost:
      guard case .leader(var state) = role, !peers.isEmpty else { return false }
      for peer in peers { state.progress[peer]?.silentTicks = configuration.electionTicks }
      role = .leader(state)
      step(.tick)
      return !isLeader
    case .leaderForgotten:
      guard !isLeader, leader != nil, electionElapsed < configuration.electionTicks else {
        return false
      }
      electionElapsed = configuration.electionTicks
    case .electionTimeout:
      guard !isLeader else { return false }
      electionElapsed = electionTimeout
      step(.tick)
    }
    return true
  }

  /// Everything that decides what the core does next, but for counts of ticks: equal states of two
  /// members behave alike.
  package func describe(into hasher: inout StateHasher) {
    hasher.add(term.rawValue)
    hasher.add(vote?.rawValue ?? 0)
    hasher.add(log.base.index.rawValue)
    for entry in entries(from: .zero) { entry.describe(into: &hasher) }
    for place in [commit, stable, handedOut, written] { hasher.add(place.rawValue) }
    hasher.add(writeEpoch)
    hasher.add(isFit ? 1 : 0)
    hasher.add(UInt64(patience))
    hasher.add(lost?.index.rawValue ?? 0)
    hasher.add(installing?.rawValue ?? 0)
    for membership in memberships.known { hasher.add(membership.index.rawValue) }
    switch role {
    case .follower(let leader):
      hasher.add(1)
      hasher.add(leader?.rawValue ?? 0)
      hasher.add(leader != nil && electionElapsed < configuration.electionTicks ? 1 : 0)
    case .preCandidate(let votes): describe(votes, 2, into: &hasher)
    case .candidate(let votes): describe(votes, 3, into: &hasher)
    case .leader(let state):
      hasher.add(4)
      hasher.add(state.isTermDurable ? 1 : 0)
      hasher.add(state.transfer?.target.rawValue ?? 0)
      for (peer, progress) in state.progress.sorted(by: { $0.key < $1.key }) {
        hasher.add(peer.rawValue)
        hasher.add(progress.match.rawValue)
        hasher.add(progress.next.rawValue)
        switch progress.state {
        case .probe(let paused): hasher.add(paused ? 1 : 2)
        case .replicate: hasher.add(3)
        case .snapshot: hasher.add(4)
        }
        hasher.add(UInt64(progress.flightCount.messages))
        hasher.add(progress.hasAnswered ? 1 : 0)
      }
    }
  }

  private func describe(
    _ votes: [MemberID: Bool], _ tag: UInt64, into hasher: inout StateHasher
  ) {
    hasher.add(tag)
    for (member, isGranted) in votes.sorted(by: { $0.key < $1.key }) {
      hasher.add(member.rawValue)
      hasher.add(isGranted ? 1 : 2)
    }
  }
}

extension Entry {
  package func describe(into hasher: inout StateHasher) {
    hasher.add(term.rawValue)
    hasher.add(index.rawValue)
    hasher.add(UInt64(kind.rawValue))
    for byte in payload { hasher.add(UInt64(byte)) }
  }
}

/// A 128-bit hash of a state: two 64-bit hashes with different mixing.
package struct StateHasher: Sendable {
  package struct Value: Hashable, Sendable {
    var high: UInt64
    var low: UInt64
  }

  private var high: UInt64 = 0xcbf2_9ce4_8422_2325
  private var low: UInt64 = 0x9e37_79b9_7f4a_7c15

  package init() {}

  package mutating func add(_ value: UInt64) {
    high = (high ^ value) &* 0x100_0000_01b3
    high ^= high >> 31
    low = (low &+ value &+ 1) &* 0xbf58_476d_1ce4_e5b9
    low ^= low >> 27
  }

  package var value: Value { Value(high: high, low: low) }
}
