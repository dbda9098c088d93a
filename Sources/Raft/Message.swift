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
    case voteRequest(last: SnapshotMark)
    case voteReply(granted: Bool)
    /// Entries that follow `previous`; `commit` is the leader's commit index.
    case append(previous: SnapshotMark, entries: [Entry], commit: LogIndex)
    /// The sender's durable log agrees with the leader's through this index.
    case appendAccepted(through: LogIndex)
    /// The sender has no entry like `previous`; `hint` is the last place that may agree.
    case appendRejected(previous: LogIndex, hint: SnapshotMark)
    /// `token` names the newest read that an answer to this heartbeat confirms.
    case heartbeat(commit: LogIndex, token: UInt64)
    case heartbeatReply(token: UInt64)
    /// A snapshot of the leader's state machine has arrived whole beside this message.
    case installSnapshot(mark: SnapshotMark)
    /// Proposals that a follower passes on to the leader.
    case forward(payloads: [[UInt8]])
    case readRequest(ReadID)
    case readReply(ReadID, index: LogIndex)
  }
}
