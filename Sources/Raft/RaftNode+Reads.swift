/// Linearizable reads by read index (thesis §6.4): the leader proves, after the read was asked for,
/// that it still leads, and only then tells the index that the reader must have applied.
extension RaftNode {
  mutating func requestRead(_ id: ReadID, from origin: MemberID) {
    let limit = configuration.limits.pendingReads
    switch role {
    case .leader:
      guard pendingReads.count < limit else {
        if origin == self.id { ready.failedReads.append(id) }
        return
      }
      pendingReads.append(PendingRead(id: id, origin: origin, issued: nil))
    case .follower(let leader?) where origin == self.id && forwardedReads.count < limit:
      forwardedReads.insert(id)
      send(.readRequest(id), to: leader)
    default:
      if origin == self.id { ready.failedReads.append(id) }
    }
  }

  /// Gives reads that have gathered one token and asks the peers to confirm it.
  ///
  /// Waits until an entry of this term is committed: before, the leader can't know what is.
  mutating func sendPendingReads() {
    guard case .leader(var state) = role, log.term(at: commit) == term,
      let first = pendingReads.firstIndex(where: { $0.issued == nil })
    else { return }
    state.readToken += 1
    for index in pendingReads[first...].indices {
      pendingReads[index].issued = (state.readToken, commit)
    }
    role = .leader(state)
    broadcastHeartbeat()
    heartbeatElapsed = 0
    // A sole voter needs nobody's confirmation, whoever else receives its log.
    answerConfirmedReads()
  }

  mutating func answerConfirmedReads() {
    guard case .leader(let state) = role, !pendingReads.isEmpty else { return }
    let answered = pendingReads.prefix { read in
      guard let token = read.issued?.token else { return false }
      return quorum.isReached { member in
        member == id || (state.progress[member]?.confirmedToken ?? 0) >= token
      }
    }
    pendingReads.removeFirst(answered.count)
    for read in answered {
      guard let index = read.issued?.index else { continue }
      if read.origin == id {
        ready.reads.append((read.id, index))
      } else {
        send(.readReply(read.id, index: index), to: read.origin)
      }
    }
  }

  mutating func readAnswered(_ id: ReadID, index: LogIndex) {
    guard forwardedReads.remove(id) != nil else { return }
    ready.reads.append((id, index))
  }

  /// Reads that a former leader would have answered fail, unless it is still `leader`.
  mutating func failReads(unless leader: MemberID?) {
    ready.failedReads += pendingReads.filter { $0.origin == id }.map(\.id)
    pendingReads = []
    guard leader == nil || leader != self.leader else { return }
    ready.failedReads += forwardedReads.sorted { $0.rawValue < $1.rawValue }
    forwardedReads.removeAll()
  }
}
