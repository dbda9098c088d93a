extension RaftNode {
  /// A follower has received a whole snapshot: takes it if it is ahead of the own commit index.
  mutating func answerSnapshot(
    from leader: MemberID, mark: SnapshotMark, membership: PlacedMembership
  ) {
    guard mark.index > commit else {
      return promise(.appendAccepted(through: commit), to: leader)
    }
    if log.term(at: mark.index) == mark.term {
      // The log has it all; the snapshot only tells that it is committed.
      advanceCommit(to: mark.index)
      return promise(.appendAccepted(through: mark.index), to: leader)
    }
    beginInstalling(mark, membership: membership)
    promise(.appendAccepted(through: mark.index), to: leader)
  }

  private mutating func beginInstalling(_ mark: SnapshotMark, membership: PlacedMembership) {
    log.reset(to: mark)
    memberships = MembershipHistory(committed: membership)
    writeEpoch += 1
    commit = mark.index
    stable = mark.index
    written = mark.index
    handedOut = mark.index
    installing = mark.index
    ready.entries = []
    ready.committed = []
    ready.snapshot = mark
    membershipChanged()
    noteProved(mark)
  }

  /// Whatever came of the stream, ask the follower where it stands: its answer decides.
  mutating func snapshotSent(to member: MemberID, mark: SnapshotMark?) {
    guard case .leader(var state) = role, state.progress[member]?.state == .snapshot else {
      return
    }
    // After a failure the next heartbeat's answer starts a new try: never a tight loop.
    state.progress[member]?.become(.probe(paused: true))
    if let mark { state.progress[member]?.expect(from: mark.index.next) }
    role = .leader(state)
  }
}
