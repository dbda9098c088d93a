package import Raft

/// Carries what members say to each other. Messages may be lost, late, twice, or out of order.
package protocol Transport: Sendable {
  /// Never blocks; drops what a full queue can't take, and what goes to a member it can't reach.
  func send(_ messages: [Message])

  /// As above, for what members ask each other about leases.
  func send(_ message: LeaseMessage)

  /// Runs `work`, which waits for nothing, once what was sent before is on its way.
  func afterSending(_ work: @escaping @Sendable () -> Void)

  /// Tells who belongs to the cluster now, and whose connections are to be refused for good.
  func membersChanged(_ members: [Peer], removed: Set<MemberID>)

  /// Streams the file of a snapshot; `completion` is called once, with whether it arrived whole.
  func sendSnapshot(
    _ snapshot: OutgoingSnapshot, completion: @escaping @Sendable (_ arrived: Bool) -> Void)
}

package struct OutgoingSnapshot: Sendable {
  package var to: MemberID
  package var term: Term
  package var mark: SnapshotMark
  package var path: String

  package init(to: MemberID, term: Term, mark: SnapshotMark, path: String) {
    self.to = to
    self.term = term
    self.mark = mark
    self.path = path
  }
}

/// What a transport delivers to: the member itself.
package protocol TransportDelegate: AnyObject, Sendable {
  /// Called by a thread that serves no client: the delegate may write and sync a small entry on it.
  func received(_ messages: [Message])
  func received(_ message: LeaseMessage)
  func unreachable(_ member: MemberID)
  /// Another member knows that this one was removed for good.
  func wasRemoved()
  /// The members as this one knows them: for one that joins.
  func roster() -> [Peer]
  /// Where to write a snapshot that begins to arrive from `member`.
  func incomingSnapshotPath(from member: MemberID) -> String
  /// A snapshot has arrived whole; `accepted` answers once it is checked and durable, or refused.
  func receivedSnapshot(
    from member: MemberID, term: Term, mark: SnapshotMark, path: String,
    accepted: @escaping @Sendable (Bool) -> Void)
}
