/// What members say to each other.
package struct Message: Hashable, Sendable {
  package var from: MemberID
  package var to: MemberID
  /// The sender's term; in a pre-vote request and its grant, the term it would campaign in.
  package var term: Term
  package var body: Body

  package init(from: MemberID, to: MemberID, term: Term, body: Body) {
    self.from = from
    self.to = to
    self.term = term
    self.body = body
  }

  package enum Body: Hashable, Sendable {
    /// "Would you vote for me?", asked before the term grows (thesis §9.6).
    case preVoteRequest(last: SnapshotMark)
    case preVoteReply(granted: Bool)
    /// `isTransfer` if the leader itself has asked for the election: then voters don't protect it.
    case voteRequest(last: SnapshotMark, isTransfer: Bool)
    case voteReply(granted: Bool)
    /// Entries that follow `previous`; `commit` is the leader's commit index.
    case append(previous: SnapshotMark, entries: [Entry], commit: LogIndex)
    /// The sender's durable log agrees with the leader's through this index.
    case appendAccepted(through: LogIndex)
    /// The sender has no entry like `previous`; `hint` is the last place that may agree. `hasLost`
    /// if its disk has lost entries that it once acknowledged: what is known of it counts no more.
    case appendRejected(previous: LogIndex, hint: SnapshotMark, hasLost: Bool)
    /// Entries through this one, which is of the sender's term, are committed. It is not answered.
    case committed(through: LogIndex)
    /// `token` names the newest read that an answer to this heartbeat confirms.
    case heartbeat(commit: LogIndex, token: UInt64)
    case heartbeatReply(token: UInt64)
    /// A snapshot of the leader's state machine, which holds this membership, has arrived whole
    /// beside this message.
    case installSnapshot(mark: SnapshotMark, membership: PlacedMembership)
    /// Proposals that a follower passes on to the leader.
    case forward([Proposal])
    /// The leader has not appended these, and never will.
    case forwardRefused([UInt64], reason: DropReason)
    /// The leader hands over: campaign at once (thesis §3.10).
    case timeoutNow
    case readRequest(ReadID)
    case readReply(ReadID, index: LogIndex)
  }
}
