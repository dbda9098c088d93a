/// Who belongs to the cluster and who decides in it: one configuration of thesis chapter 4.
///
/// While it is joint (§4.3), a decision needs a majority of `voters` and one of `outgoing`. Every list
/// is ascending and holds a member once; a learner (§4.2.1) receives entries and has no vote.
package struct Membership: Hashable, Sendable {
  package private(set) var voters: [MemberID]
  /// The voters of before, while the configuration is joint; else empty.
  package private(set) var outgoing: [MemberID]
  package private(set) var learners: [MemberID]
  /// Outgoing voters that are learners once the joint configuration is left.
  package private(set) var learnersNext: [MemberID]

  package init(
    voters: some Sequence<MemberID>, outgoing: some Sequence<MemberID> = [],
    learners: some Sequence<MemberID> = [], learnersNext: some Sequence<MemberID> = []
  ) {
    self.voters = Set(voters).sorted()
    self.outgoing = Set(outgoing).sorted()
    self.learners = Set(learners).sorted()
    self.learnersNext = Set(learnersNext).sorted()
  }

  /// Of a member that has yet to learn from a leader who the members are.
  package static let unknown = Membership(voters: [])

  package var isJoint: Bool { !outgoing.isEmpty }
  /// Everyone who receives entries, ascending.
  package var all: [MemberID] { Set(voters + outgoing + learners + learnersNext).sorted() }
  package func contains(_ id: MemberID) -> Bool { isVoter(id) || isLearner(id) }
  /// Whether the vote of `id` counts.
  package func isVoter(_ id: MemberID) -> Bool { voters.contains(id) || outgoing.contains(id) }
  package func isLearner(_ id: MemberID) -> Bool { learners.contains(id) && !isVoter(id) }
}

/// A wish to change the membership, as it is proposed.
package enum MembershipChange: Hashable, Sendable {
  case addVoter(MemberID)
  case addLearner(MemberID)
  /// A learner becomes a voter.
  case promote(MemberID)
  case remove(MemberID)
  /// Any number of changes at once among the members, through a joint configuration that is left by
  /// itself (§4.3); a member that is named in neither list is removed.
  case replace(voters: [MemberID], learners: [MemberID])
}

/// Why a change of the membership was not taken; nothing has changed.
package enum MembershipRefusal: Error, Hashable, Sendable {
  /// A change is still under way, or the leader is so new that it can't know (§4.1 and the
  /// correction of 2015: an entry of the leader's own term must be committed first).
  case pending
  case exists(MemberID)
  case unknown(MemberID)
  case notLearner(MemberID)
  /// The learner lacks too much of the log to vote yet.
  case learnerBehind(MemberID)
  /// No voter would be left.
  case noVoters
  /// Too few of the voters that there would be are heard from.
  case wouldLoseQuorum
  case tooMany(limit: Int)
}

extension Membership {
  /// The most members, learners included: what the core's work a message is bounded by.
  package static let memberLimit = 64

  /// The configuration that `change` leads to; a joint one for `.replace` with other voters.
  func applying(_ change: MembershipChange) throws(MembershipRefusal) -> Membership {
    guard !isJoint else { throw .pending }
    var next = self
    switch change {
    case .addVoter(let id):
      guard !contains(id) else { throw .exists(id) }
      next = Membership(voters: voters + [id], learners: learners)
    case .addLearner(let id):
      guard !contains(id) else { throw .exists(id) }
      next = Membership(voters: voters, learners: learners + [id])
    case .promote(let id):
      guard contains(id) else { throw .unknown(id) }
      guard isLearner(id) else { throw .notLearner(id) }
      next = Membership(voters: voters + [id], learners: learners.filter { $0 != id })
    case .remove(let id):
      guard contains(id) else { throw .unknown(id) }
      next = Membership(
        voters: voters.filter { $0 != id }, learners: learners.filter { $0 != id })
    case .replace(let wanted, let learning):
      // Who is new is added as a learner first: then an id that was removed can't come back here.
      if let stranger = (wanted + learning).first(where: { !contains($0) }) {
        throw .unknown(stranger)
      }
      next = replacing(voters: wanted, learners: learning)
    }
    guard !next.voters.isEmpty else { throw .noVoters }
    guard next.all.count <= Membership.memberLimit else {
      throw .tooMany(limit: Membership.memberLimit)
    }
    return next
  }

  private func replacing(voters wanted: [MemberID], learners learning: [MemberID]) -> Membership {
    let learning = learning.filter { !wanted.contains($0) }
    if Set(wanted) == Set(voters) { return Membership(voters: wanted, learners: learning) }
    // An outgoing voter still votes, so it is a learner only afterwards.
    return Membership(
      voters: wanted, outgoing: voters, learners: learning.filter { !voters.contains($0) },
      learnersNext: learning.filter { voters.contains($0) })
  }

  /// The configuration after a joint one.
  func leavingJoint() -> Membership {
    Membership(voters: voters, learners: learners + learnersNext)
  }
}
