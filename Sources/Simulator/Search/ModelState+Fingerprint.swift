import Raft

extension ModelState {
  /// Equal for equal states within one process: the hashes of messages differ between processes.
  ///
  /// Holds everything that a search's steps can change; not what only a walk does (streams, damage,
  /// reads).
  var fingerprint: StateHasher.Value {
    var hasher = StateHasher()
    for place in nodes.indices {
      nodes[place].describe(into: &hasher)
      hasher.add(disks[place].hardState.term.rawValue)
      hasher.add(disks[place].hardState.vote?.rawValue ?? 0)
      hasher.add(disks[place].hardState.commit.rawValue)
      for entry in disks[place].entries { entry.describe(into: &hasher) }
      for ready in unsynced[place] { describe(ready, into: &hasher) }
    }
    // The order in which messages were sent makes no difference.
    for hash in network.map(\.hashValue).sorted() { hasher.add(UInt64(bitPattern: Int64(hash))) }
    for (entry, term) in checks.committed {
      entry.describe(into: &hasher)
      hasher.add(term.rawValue)
    }
    for (term, leader) in checks.leaders.sorted(by: { $0.key < $1.key }) {
      hasher.add(term.rawValue)
      hasher.add(leader.rawValue)
    }
    for number in [left.proposals, left.crashes, left.changes] { hasher.add(UInt64(number)) }
    return hasher.value
  }

  private func describe(_ ready: Ready, into hasher: inout StateHasher) {
    hasher.add(ready.hardState?.term.rawValue ?? 0)
    hasher.add(ready.hardState?.vote?.rawValue ?? 0)
    hasher.add(ready.epoch)
    for entry in ready.entries { entry.describe(into: &hasher) }
    for promise in ready.promises { hasher.add(UInt64(bitPattern: Int64(promise.hashValue))) }
  }
}
