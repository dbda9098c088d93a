/// Changes of the membership (thesis chapter 4): a configuration counts from the moment its entry is
/// in the log, and one change is committed before the next begins.
extension RaftNode {
  /// Checks a proposed change and gives the configuration that it leads to.
  func membership(after change: MembershipChange) throws(MembershipRefusal) -> Membership {
    guard case .leader(let state) = role else { throw .pending }
    let current = memberships.current
    // Two changes under way, or one begun before the leader knows what is committed, could have
    // majorities that don't overlap (Ongaro's correction of 2015).
    guard current.index <= commit, !current.membership.isJoint, log.term(at: commit) == term else {
      throw .pending
    }
    let next = try current.membership.applying(change)
    let joining = Set(next.voters).subtracting(current.membership.voters)
    switch change {
    case .promote, .replace:
      for voter in joining.sorted() {
        let match = state.progress[voter]?.match.rawValue ?? 0
        guard match > 0, match >= promotionIndex else { throw .learnerBehind(voter) }
      }
    case .addVoter, .addLearner, .remove: break
    }
    // A cluster of one grows by a member that has yet to start.
    if case .addVoter = change, current.membership.voters.count == 1 { return next }
    if next.voters != current.membership.voters { try checkQuorum(of: next, joining: joining) }
    return next
  }

  /// What a learner must have before it may vote.
  private var promotionIndex: UInt64 {
    let last = log.last.index.rawValue
    let lacking = 100 - min(100, configuration.limits.promotionPercent)
    // In two parts, so that no product overflows.
    return last - (last / 100 * lacking + last % 100 * lacking / 100)
  }

  /// A change may not cost the quorum: of the voters that there would be, a majority must be heard
  /// from now. One that joins counts once it has begun to follow.
  private func checkQuorum(
    of next: Membership, joining: Set<MemberID>
  ) throws(MembershipRefusal) {
    guard case .leader(let state) = role else { return }
    let limit = configuration.electionTicks
    let isKept = Majority(next.voters).isReached { member in
      if member == id { return true }
      guard let progress = state.progress[member], progress.hasAnswered,
        progress.silentTicks < limit
      else { return false }
      return !joining.contains(member) || progress.match > .zero
    }
    guard isKept else { throw .wouldLoseQuorum }
  }

  /// The current membership is another one: what is derived from it follows.
  mutating func membershipChanged() {
    let current = memberships.current
    quorum = Quorum(current.membership)
    // A member that leaves is served until that is committed, so that it learns of it.
    let members = memberships.known.suffix(2).flatMap { $0.membership.all }
    peers = Set(members).subtracting([id]).sorted()
    ready.membership = current
    guard case .leader(var state) = role else { return }
    for peer in peers where state.progress[peer] == nil {
      state.progress[peer] = Progress(next: log.last.index.next)
    }
    for peer in state.progress.keys.filter({ !peers.contains($0) }) {
      state.progress[peer] = nil
      ready.snapshotsNeeded.removeAll { $0 == peer }
    }
    if let transfer = state.transfer, !current.membership.isVoter(transfer.target) {
      state.transfer = nil
    }
    role = .leader(state)
    answerConfirmedReads()
  }

  /// The commit index has moved: a change may be through.
  mutating func membershipCommitted() {
    let before = memberships.committed.index
    memberships.commit(through: commit)
    guard memberships.committed.index > before else { return }
    // Before those who leave are forgotten they are told that it is committed.
    for peer in peers where !memberships.current.membership.contains(peer) {
      sendAppend(to: peer, evenIfEmpty: true)
    }
    membershipChanged()
  }

  /// How far a leader may commit that was the sole voter until it took in a second one: through that
  /// change, which would else wait for a member that has yet to start.
  ///
  /// Safe, since each majority of the two includes this member: nobody leads without its vote while it
  /// leads, and so nobody lacks the entry. An entry of an earlier term is not committed by this either:
  /// afterwards a third member may have joined without this one's knowing.
  var decidedAlone: LogIndex {
    let known = memberships.known
    guard known.count == 2, known[0].membership.voters == [id], !known[0].membership.isJoint,
      known[1].membership.voters.count == 2, known[1].membership.voters.contains(id),
      !known[1].membership.isJoint
    else { return .zero }
    return min(stable, known[1].index)
  }

  /// What a leader does once its configuration is committed: leave a joint one, or step down if it
  /// is no longer part of it (thesis §4.2.2).
  mutating func finishMembershipChange() {
    let current = memberships.current
    guard isLeader, current.index <= commit, log.term(at: commit) == term else { return }
    if current.membership.isJoint {
      let next = current.membership.leavingJoint()
      addToLog(.membership, next.encoded(context: []))
      sendAppended()
    } else if !current.membership.isVoter(id) {
      becomeFollower(term: term, leader: nil)
    }
  }
}
