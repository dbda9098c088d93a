/// A majority of a set of voters.
struct Majority: Sendable {
  let voters: [MemberID]

  init(_ voters: [MemberID]) { self.voters = voters }

  var size: Int { voters.count / 2 + 1 }

  /// The largest index that a majority of the voters has stored; with no voters `LogIndex.max`,
  /// for the empty half of a joint quorum decides nothing.
  ///
  /// - Complexity: O(*n* log *n*) in the number of voters.
  func committedIndex(stored: (MemberID) -> LogIndex) -> LogIndex {
    guard !voters.isEmpty else { return .max }
    let descending = voters.map(stored).sorted(by: >)
    return descending[size - 1]
  }

  /// The outcome of an election in which the members of `votes` have answered.
  func verdict(on votes: [MemberID: Bool]) -> Quorum.Verdict {
    guard !voters.isEmpty else { return .won }
    let answers = voters.compactMap { votes[$0] }
    let granted = answers.count { $0 }
    if granted >= size { return .won }
    return voters.count - (answers.count - granted) < size ? .lost : .pending
  }

  func isReached(by members: (MemberID) -> Bool) -> Bool {
    voters.isEmpty || voters.count { members($0) } >= size
  }
}

/// What it takes to decide under one configuration: a majority, or two of them (thesis §4.3).
struct Quorum: Sendable {
  let incoming: Majority
  let outgoing: Majority

  init(_ membership: Membership) {
    incoming = Majority(membership.voters)
    outgoing = Majority(membership.outgoing)
  }

  /// The largest index that a quorum has stored; 0 without voters.
  ///
  /// A leader may commit it only if that entry is of its own term (thesis §3.6.2): the caller
  /// checks.
  func committedIndex(stored: (MemberID) -> LogIndex) -> LogIndex {
    guard !incoming.voters.isEmpty else { return .zero }
    return min(incoming.committedIndex(stored: stored), outgoing.committedIndex(stored: stored))
  }

  enum Verdict { case won, lost, pending }

  func verdict(on votes: [MemberID: Bool]) -> Verdict {
    guard !incoming.voters.isEmpty else { return .lost }
    switch (incoming.verdict(on: votes), outgoing.verdict(on: votes)) {
    case (.won, .won): return .won
    case (.lost, _), (_, .lost): return .lost
    default: return .pending
    }
  }

  func isReached(by members: (MemberID) -> Bool) -> Bool {
    !incoming.voters.isEmpty && incoming.isReached(by: members) && outgoing.isReached(by: members)
  }
}
