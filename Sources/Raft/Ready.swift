/// What happens to a member, in the order in which it happens.
package enum Event: Sendable {
  /// One tick of the owner's clock has passed (`RaftConfiguration` counts in ticks).
  case tick
  case received(Message)
  /// Commands that a client asks for. Without a leader they are reported as dropped.
  case proposed([[UInt8]])
  /// A linearizable read: `Ready.reads` answers with the index to wait for.
  case readRequested(ReadID)
  /// The owner has made the log durable through this entry; `epoch` is that of the `Ready` that
  /// held it, so that a late report can't speak for an entry that was replaced meanwhile.
  case persisted(term: Term, index: LogIndex, epoch: UInt64 = 0)
  /// The owner has installed the snapshot of the last `Ready.snapshot`.
  case snapshotInstalled(LogIndex)
  /// The owner no longer needs entries through `index`: they are in its state machine for good.
  case compacted(through: LogIndex)
  /// The stream of a snapshot to `member` has ended; `mark` is nil if it failed.
  case snapshotSent(to: MemberID, mark: SnapshotMark?)
  /// Messages to `member` may have been lost.
  case unreachable(MemberID)
}

/// Who leads, as far as this member knows.
package struct Leadership: Hashable, Sendable {
  package var term: Term
  package var leader: MemberID?
  package init(term: Term, leader: MemberID?) {
    self.term = term
    self.leader = leader
  }
}

/// Work for the owner of a `RaftNode`.
///
/// `messages` may leave at once. `hardState` and `entries` must be durable before any of `promises`
/// leaves, and earlier ones before later ones; then `.persisted` is reported. `committed` is
/// applied in order; it holds only entries that are durable here.
package struct Ready: Sendable {
  package var messages: [Message] = []
  /// Installed before anything else of this `Ready` is written.
  package var snapshot: SnapshotMark?
  package var hardState: HardState?
  package var entries: [Entry] = []
  package var epoch: UInt64 = 0
  package var promises: [Message] = []
  package var committed: [Entry] = []
  /// Reads that may be answered once everything through their index is applied.
  package var reads: [(id: ReadID, index: LogIndex)] = []
  /// Members that need a snapshot, since the log no longer holds what they lack.
  package var snapshotsNeeded: [MemberID] = []
  /// Proposals that were not taken, and reads whose leader is gone: the client may try again.
  package var dropped: [[UInt8]] = []
  package var failedReads: [ReadID] = []
  package var leadership: Leadership?

  package init() {}

  var isEmpty: Bool {
    messages.isEmpty && snapshot == nil && hardState == nil && entries.isEmpty
      && promises.isEmpty && committed.isEmpty && reads.isEmpty && snapshotsNeeded.isEmpty
      && dropped.isEmpty && failedReads.isEmpty && leadership == nil
  }
}
