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

  package init() {}
}

/// What a member is started with.
package struct RaftConfiguration: Sendable {
  package var id: MemberID
  /// The voters, this member among them.
  package var voters: [MemberID]
  /// Ticks without a leader before a member campaigns: drawn anew from this up to twice this.
  package var electionTicks: Int
  package var heartbeatTicks: Int
  /// Where the sequence of election timeouts starts: different on each member.
  package var timeoutSeed: UInt64
  package var limits: RaftLimits

  package init(
    id: MemberID, voters: [MemberID], electionTicks: Int = 10, heartbeatTicks: Int = 1,
    timeoutSeed: UInt64, limits: RaftLimits = RaftLimits()
  ) {
    precondition(voters.contains(id), "a member is one of its voters")
    precondition(heartbeatTicks > 0 && electionTicks > heartbeatTicks)
    self.id = id
    self.voters = voters
    self.electionTicks = electionTicks
    self.heartbeatTicks = heartbeatTicks
    self.timeoutSeed = timeoutSeed
    self.limits = limits
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

  package init(
    hardState: HardState = HardState(), base: SnapshotMark = .origin, entries: [Entry] = [],
    applied: LogIndex = .zero
  ) {
    self.hardState = hardState
    self.base = base
    self.entries = entries
    self.applied = applied
  }
}
