import Raft
import RaftLog
import Store

/// Brings a member's log and its state machine together when it starts: neither may lack what the
/// other has passed, and what the log has lost must be known before anything is promised.
struct MemberRecovery {
  let log: SegmentedLog
  let found: RecoveredLog
  let store: KeyValueStore

  func run() throws -> RaftRecovery {
    let membership =
      try store.membership().map { try PlacedMembership($0) }
      ?? PlacedMembership(index: .zero, membership: .unknown)
    let recovered = found.damage == nil ? found : try repair(membership)
    let applied = LogIndex(store.current.appliedIndex)
    guard applied <= recovered.last.index else {
      throw StartError(
        "the log ends at entry \(recovered.last.index), but the store has applied \(applied): the "
          + "log was replaced by an older one. Nothing was changed. Keep a copy of the data "
          + "directory, and replace the member: the others hold what it lost")
    }
    guard applied >= recovered.base.index else {
      throw StartError(
        "the store has applied entry \(applied), but the log begins after "
          + "\(recovered.base.index): the state is missing or was replaced by an older one. Nothing "
          + "was changed. Restore the state directory that belongs to this log, or replace the "
          + "member")
    }
    let term = recovered.term(at: applied)
    guard term == Term(store.current.appliedTerm) else {
      throw StartError(
        "the store has applied entry \(applied) of term \(store.current.appliedTerm), but the log "
          + "has it of term \(term ?? .zero): they don't belong together. Nothing was changed. "
          + "Restore the state directory that belongs to this log, or replace the member")
    }
    return RaftRecovery(
      hardState: recovered.hardState, base: recovered.base, entries: recovered.entries,
      applied: applied, membership: membership, lost: recovered.lost)
  }

  /// Begins the log anew with what is left of it; the others hold the rest. What the state machine
  /// has applied needs no log.
  private func repair(_ placed: PlacedMembership) throws -> RecoveredLog {
    if let damage = found.damage, let problem = whoLacksIt(placed) {
      throw StartError(
        "\(damage.path) is damaged at byte \(damage.offset): \(damage.reason). \(problem), and "
          + "starting would forget writes that were acknowledged. Nothing was changed. Keep a copy of "
          + "the data directory; then restore a backup, or start a new cluster in an empty "
          + "--data-dir and fill it with 'configsync apply'")
    }
    var kept = found
    // A log that lost its newest writes shows again what they had replaced: it goes with the state
    // only if it has the very entry that was applied last.
    if found.term(at: LogIndex(store.current.appliedIndex)) != Term(store.current.appliedTerm) {
      // The log may forget only what is in the state for good.
      let durable = try store.makeDurable()
      kept.base = SnapshotMark(
        index: LogIndex(durable.appliedIndex), term: Term(durable.appliedTerm))
      kept.entries = []
    }
    kept.hardState.commit = min(max(kept.hardState.commit, kept.base.index), kept.last.index)
    try log.rebuild(
      hardState: kept.hardState, base: kept.base, entries: kept.entries, lost: kept.lost)
    return kept
  }

  /// Why nobody else may hold what the log has lost; nil if others do.
  private func whoLacksIt(_ placed: PlacedMembership) -> String? {
    let voters = placed.membership.voters.count
    if voters < 2 { return "This member is the only voter, so nobody else holds what it lost" }
    // A sole voter takes in a second one alone: only what is committed later proves that it came.
    let known = max(LogIndex(store.current.appliedIndex), found.hardState.commit)
    guard voters == 2, known <= placed.index else { return nil }
    return "The second of two voters had only just been added, so it may hold nothing of what this "
      + "one lost"
  }
}
