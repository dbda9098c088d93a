/// A majority of a set of voters.
struct Quorum: Sendable {
  let voters: [MemberID]

  init(voters: some Sequence<MemberID>) { self.voters = voters.sorted() }

  var size: Int { voters.count / 2 + 1 }

  /// The largest index that a majority of the voters has stored.
  ///
  /// A leader may commit it only if that entry is of its own term (thesis §3.6.2): the caller
  /// checks.
  ///
  /// - Complexity: O(*n* log *n*) in the number of voters.
  func committedIndex(stored: (MemberID) -> LogIndex) -> LogIndex {
    guard !voters.isEmpty else { return .zero }
    let descending = voters.map(stored).sorted(by: >)
    return descending[size - 1]
  }

  enum Verdict { case won, lost, pending }

  /// The outcome of an election in which the members of `votes` have answered.
  func verdict(on votes: [MemberID: Bool]) -> Verdict {
    let answers = voters.compactMap { votes[$0] }
    let granted = answers.count { $0 }
    if granted >= size { return .won }
    return voters.count - (answers.count - granted) < size ? .lost : .pending
  }

  func isReached(by members: (MemberID) -> Bool) -> Bool {
    voters.count { members($0) } >= size
  }
}
