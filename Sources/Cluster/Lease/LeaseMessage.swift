package import Raft

/// What members ask the leader about leases on behalf of their clients: it alone measures their time.
///
/// Like all messages these may be lost; whoever asked asks again.
package struct LeaseMessage: Hashable, Sendable {
  package enum Body: Hashable, Sendable {
    case question(LeaseQuestion)
    case answer(LeaseAnswer)
  }
  package var from: MemberID
  package var to: MemberID
  /// Names the question among those of the member that asked.
  package var number: UInt64
  package var body: Body

  package init(from: MemberID, to: MemberID, number: UInt64, body: Body) {
    self.from = from
    self.to = to
    self.number = number
    self.body = body
  }
}

package enum LeaseQuestion: Hashable, Sendable {
  case renew(id: Int64)
  case timeLeft(id: Int64)
}

package enum LeaseAnswer: Hashable, Sendable {
  /// The lease lives; seconds that it has left, and that it was granted for.
  case alive(left: Int64, ttl: Int64)
  case unknown
  /// Whoever was asked can't say: it does not lead, or the lease is about to end.
  case undecided
}
