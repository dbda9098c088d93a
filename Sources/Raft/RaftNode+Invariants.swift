/// What holds after every event, for whoever drives the core in tests: the first thing that does not.
extension RaftNode {
  package var violation: String? {
    if commit > log.last.index { return "commit \(commit) is beyond the log" }
    if stable > log.last.index { return "durable \(stable) is beyond the log" }
    if handedOut > min(commit, stable) { return "handed out \(handedOut) before its time" }
    if commit < log.base.index { return "the log was cut beyond commit \(commit)" }
    let current = memberships.current
    if current.index > commit, memberships.committed.index > commit {
      return "no committed membership is known"
    }
    if current.index > log.last.index { return "it goes by a membership that its log lacks" }
    if current.index > log.base.index, current.index > commit,
      entries(from: current.index).first?.kind != .membership
    {
      return "it goes by a membership that its log has replaced"
    }
    guard case .leader(let state) = role else { return nil }
    if current.index <= commit, !current.membership.isVoter(id) {
      return "it leads and is no voter"
    }
    if lost != nil { return "it leads with a log that has lost its end" }
    for (peer, progress) in state.progress.sorted(by: { $0.key < $1.key }) {
      if let found = progress.violation(last: log.last.index, limits: configuration.limits) {
        return "of \(peer): \(found)"
      }
    }
    return nil
  }

  /// It leads, and a crash can't make it forget in which term: a sole voter leads before that, unheard.
  package var leadsDurably: Bool {
    if case .leader(let state) = role { state.isTermDurable } else { false }
  }

  /// How far a leader believes the others to be, for a person who asks why one lags behind.
  package var replication: String {
    guard case .leader(let state) = role else { return "it does not lead" }
    return state.progress.sorted { $0.key < $1.key }.map { peer, progress in
      "\(peer) \(progress.state) match \(progress.match) next \(progress.next) "
        + "flight \(progress.flightCount.messages)"
    }.joined(separator: ", ")
  }

  /// Nothing is under way to anyone, but for members that are gone for good: what must hold once a
  /// cluster has come to rest.
  package func isIdle(without gone: Set<MemberID>) -> Bool {
    guard case .leader(let state) = role else { return true }
    return state.uncommittedBytes == 0 && pendingReads.isEmpty
      && state.progress.allSatisfy { peer, progress in
        gone.contains(peer)
          || (progress.flightCount == (0, 0) && progress.match == log.last.index)
      }
  }
}

extension Progress {
  fileprivate func violation(last: LogIndex, limits: RaftLimits) -> String? {
    let flight = flightCount
    if match >= next { return "match \(match) is not below next \(next)" }
    if match > last { return "match \(match) is beyond the log" }
    if next > last.next { return "next \(next) is beyond the log" }
    if flight.messages > limits.flightMessages { return "\(flight.messages) appends are under way" }
    if flight.messages == 0, flight.bytes != 0 { return "\(flight.bytes) bytes leaked" }
    return nil
  }
}
