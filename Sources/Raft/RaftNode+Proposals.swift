/// What clients want in the log, on its way there.
extension RaftNode {
  mutating func propose(_ proposals: [Proposal]) {
    switch role {
    case .leader:
      for proposal in proposals {
        if let reason = append(proposal) {
          ready.dropped.append(
            DroppedProposal(id: proposal.id, reason: reason, proposal: proposal))
        }
      }
      sendAppended()
    case .follower(let leader?): send(.forward(proposals), to: leader)
    case .follower, .preCandidate, .candidate:
      ready.dropped += proposals.map {
        DroppedProposal(id: $0.id, reason: .noLeader, proposal: $0)
      }
    }
  }

  /// Takes what a follower has passed on; what is not appended it is told of.
  mutating func takeForwarded(_ proposals: [Proposal], from member: MemberID) {
    let limit = configuration.limits.rememberedForwards
    for proposal in proposals {
      guard isLeader else {
        // In a term that it may have led, the message may be a copy of one that was appended.
        if vote == id { continue }
        send(.forwardRefused([proposal.id], reason: .noLeader), to: member)
        continue
      }
      // The message may be a copy: what was answered once is neither appended nor answered again.
      let isNew = forwards.insert(proposal.id, from: member, limit: limit)
      guard isNew else { continue }
      if let reason = append(proposal) {
        send(.forwardRefused([proposal.id], reason: reason), to: member)
      }
    }
    sendAppended()
  }

  /// Appends one proposal, to be sent with `sendAppended`, or tells why not.
  private mutating func append(_ proposal: Proposal) -> DropReason? {
    guard case .leader(let state) = role else { return .noLeader }
    if state.transfer != nil { return .transferring }
    let limit = configuration.limits.uncommittedBytes
    // As etcd does: one proposal is always taken, else a large one could never be.
    if state.uncommittedBytes > 0, state.uncommittedBytes + proposal.payload.count > limit {
      return .full
    }
    guard let change = proposal.change else {
      addToLog(.command, proposal.payload)
      return nil
    }
    do throws(MembershipRefusal) {
      let next = try membership(after: change)
      addToLog(.membership, next.encoded(context: proposal.payload))
      return nil
    } catch {
      return .membership(error)
    }
  }
}
