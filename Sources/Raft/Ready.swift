/// What happens to a member, in the order in which it happens.
package enum Event: Sendable {
  /// One tick of the owner's clock has passed (`RaftConfiguration` counts in ticks).
  case tick
  case received(Message)
  /// What clients ask for. What is not appended is reported in `Ready.dropped`, but for what is
  /// lost on its way to the leader.
  case proposed([Proposal])
  /// The leader is to hand over to a voter (thesis §3.10); ignored by any other member.
  case transferRequested(to: MemberID)
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
  /// Whether this member is fit to lead; true at first. One that is not leads only where nobody else can be
  /// elected, and hands over as soon as another voter is up to date.
  case isFit(Bool)
  /// Messages to `member` may have been lost.
  case unreachable(MemberID)
}

/// One wish of a client for the log.
package struct Proposal: Hashable, Sendable {
  /// Unique among the proposals of its member, so that a message that comes twice is appended once.
  package var id: UInt64
  /// The state machine's bytes; with a `change` they go along with the new membership.
  package var payload: [UInt8]
  package var change: MembershipChange?

  package init(id: UInt64, payload: [UInt8], change: MembershipChange? = nil) {
    self.id = id
    self.payload = payload
    self.change = change
  }
}

/// Why a proposal was not appended; it can be tried again without fear that it takes effect twice.
package enum DropReason: Hashable, Sendable {
  case noLeader
  /// The leader is handing over to another member.
  case transferring
  /// Too much is uncommitted, see `RaftLimits.uncommittedBytes`.
  case full
  case membership(MembershipRefusal)
}

/// A proposal that was not appended.
package struct DroppedProposal: Hashable, Sendable {
  package var id: UInt64
  package var reason: DropReason
  /// nil if it had left this member.
  package var proposal: Proposal?
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
  package var dropped: [DroppedProposal] = []
  package var failedReads: [ReadID] = []
  package var leadership: Leadership?
  /// What the log had lost is there again: to be written with `entries`, behind them.
  package var isWholeAgain = false
  /// The membership that counts from now on; it may not be committed yet.
  package var membership: PlacedMembership?

  package init() {}

  var isEmpty: Bool {
    messages.isEmpty && snapshot == nil && hardState == nil && entries.isEmpty
      && promises.isEmpty && committed.isEmpty && reads.isEmpty && snapshotsNeeded.isEmpty
      && dropped.isEmpty && failedReads.isEmpty && leadership == nil && membership == nil
      && !isWholeAgain
  }
}
