/// The limits of one member's queues and messages.
package struct RaftLimits: Hashable, Sendable {
  /// Payload in one append; a larger entry travels alone.
  package var appendBytes = 1 << 20
  /// Appends under way to one follower.
  package var flightMessages = 256
  /// Payload under way to one follower; one entry may exceed it.
  package var flightBytes = 64 << 20
  /// Payload that a leader holds uncommitted before it drops proposals.
  package var uncommittedBytes = 256 << 20
  /// Payload of committed entries in one `Ready`; a larger entry comes alone.
  package var committedBytes = 16 << 20
  /// Linearizable reads waiting for confirmation; further ones fail at once.
  package var pendingReads = 100_000
  /// Names of forwarded proposals that a leader remembers, so that none is appended twice.
  package var rememberedForwards = 16_384
  /// Of a leader's log, a learner has at least so much in percent before it may vote.
  package var promotionPercent: UInt64 = 90

  package init() {}
}

/// What a member is started with.
package struct RaftConfiguration: Sendable {
  package var id: MemberID
  /// Ticks without a leader before a member campaigns: drawn anew from this up to twice this.
  package var electionTicks: Int
  package var heartbeatTicks: Int
  /// Where the sequence of election timeouts starts: different on each member.
  package var timeoutSeed: UInt64
  package var limits: RaftLimits
  /// What the state machine reads from the first entry of a new cluster; none if it is empty. Whoever
  /// joins later begins with nothing, and learns from there how the cluster began.
  package var founding: [UInt8]

  package init(
    id: MemberID, electionTicks: Int = 10, heartbeatTicks: Int = 1, timeoutSeed: UInt64,
    limits: RaftLimits = RaftLimits(), founding: [UInt8] = []
  ) {
    precondition(heartbeatTicks > 0 && electionTicks > heartbeatTicks)
    self.id = id
    self.electionTicks = electionTicks
    self.heartbeatTicks = heartbeatTicks
    self.timeoutSeed = timeoutSeed
    self.limits = limits
    self.founding = founding
  }
}

/// What a member's disk holds when it starts.
package struct RaftRecovery: Sendable {
  package var hardState: HardState
  /// The last entry that the log no longer holds.
  package var base: SnapshotMark
  package var entries: [Entry]
  /// What the state machine has applied: at least `base`.
  package var applied: LogIndex
  /// The newest membership that the state machine has applied.
  package var membership: PlacedMembership
  /// Where the log once ended, if the disk has lost its end: until the log is as new as that again,
  /// this member neither campaigns nor votes for a candidate whose log is older (RELIABILITY: a
  /// damaged member).
  package var lost: SnapshotMark?

  package init(
    hardState: HardState = HardState(), base: SnapshotMark = .origin, entries: [Entry] = [],
    applied: LogIndex = .zero, membership: PlacedMembership, lost: SnapshotMark? = nil
  ) {
    self.membership = membership
    self.lost = lost
    self.hardState = hardState
    self.base = base
    self.entries = entries
    self.applied = applied
  }
}
