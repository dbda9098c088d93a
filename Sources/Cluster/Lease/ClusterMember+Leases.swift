import Raft
package import Store
import Synchronization

/// Leases, as etcd's Lease service asks for them.
extension ClusterMember {
  /// Grants a lease, under an id of its own if `id` is 0.
  ///
  /// - Parameter ttl: seconds; raised to what an election may take.
  /// - Returns: the id, and the seconds that it lives without a renewal.
  /// - Throws: `ClusterError`; `StoreError.leaseExists` or `.leaseTooLong`.
  package func grantLease(
    _ id: Int64, ttl: Int64, for caller: Caller = .cluster
  ) async throws -> (id: Int64, ttl: Int64) {
    let ttl = max(ttl, configuration.shortestLease)
    while true {
      let chosen = id != 0 ? id : freshLeaseID()
      let outcome = try await propose(.lease(.grant(id: chosen, ttl: ttl)), for: caller)
      // An id that was drawn and is taken all the same is drawn again.
      if id == 0, case .failure(.leaseExists) = outcome.result { continue }
      _ = try outcome.result.get()
      return (chosen, ttl)
    }
  }

  /// Ends a lease, and deletes its keys at one revision, which is returned.
  package func revokeLease(
    _ id: Int64, for caller: Caller = .cluster
  ) async throws -> Revision {
    let outcome = try await propose(.lease(.revoke(id: id)), for: caller)
    _ = try outcome.result.get()
    return outcome.revision
  }

  /// Begins the time of a lease anew.
  ///
  /// - Returns: the seconds that it lives from now on; nil if there is no such lease.
  package func renewLease(_ id: Int64) async throws(ClusterError) -> Int64? {
    try await askLeader(.renew(id: id))?.ttl
  }

  /// Seconds that a lease has left and was granted for, and its keys; nil if there is no such lease.
  package func leaseTimeLeft(
    _ id: Int64
  ) async throws -> (left: Int64, ttl: Int64, keys: [Key])? {
    guard let time = try await askLeader(.timeLeft(id: id)) else { return nil }
    // The leader may know of an end that this member has not applied.
    try await readBarrier()
    guard let keys = try store.lease(id)?.keys else { return nil }
    return (time.left, time.ttl, keys)
  }

  /// The ids of all leases, ascending.
  package func leases() async throws -> [Int64] {
    try await readBarrier()
    return try store.leases().map(\.id)
  }

  /// Positive, and drawn before it is proposed, so that applying draws nothing.
  private func freshLeaseID() -> Int64 {
    while true {
      let id = Int64(nextRandom() >> 1)
      if id != 0 { return id }
    }
  }

  // MARK: - Asking the leader

  private func askLeader(
    _ question: LeaseQuestion
  ) async throws(ClusterError) -> (left: Int64, ttl: Int64)? {
    let start = waiters.withLock { $0.tick }
    while true {
      switch try await answerOfLeader(question) {
      case .alive(let left, let ttl): return (left, ttl)
      case .unknown: return nil
      case .undecided: break
      }
      guard waiters.withLock({ $0.tick }) - start < configuration.requestTicks else {
        throw .timedOut(leaderKnown: status.leadership.leader != nil)
      }
      do {
        try await environment.clock.sleep(for: configuration.heartbeatInterval)
      } catch {
        throw .stopped
      }
    }
  }

  private func answerOfLeader(_ question: LeaseQuestion) async throws(ClusterError) -> LeaseAnswer {
    guard let leader = status.leadership.leader else { return .undecided }
    if leader == configuration.id { return await answer(question) }
    guard let send = leaseMessages.withLock({ $0 }) else { throw .stopped }
    let number = nextRandom()
    let own = configuration.id
    let ticks = configuration.electionTicks
    return await withCheckedContinuation { continuation in
      let isOpen = waiters.withLock { $0.ask(continuation, number: number, ticks: ticks) }
      guard isOpen else { return continuation.resume(returning: .undecided) }
      send(LeaseMessage(from: own, to: leader, number: number, body: .question(question)))
    }
  }

  // MARK: - Being asked

  package func received(_ message: LeaseMessage) {
    switch message.body {
    case .answer(let answer):
      waiters.withLock { $0.takeQuestion(message.number) }?.resume(returning: answer)
    case .question(let question):
      let isTaken = leaseQuestions.withLock { count in
        guard count < configuration.limits.leaseQuestions else { return false }
        count += 1
        return true
      }
      // One too many is not answered, and asked again.
      guard isTaken, let send = leaseMessages.withLock({ $0 }) else { return }
      Task(executorPreference: environment.executor) { [self] in
        let answer = await answer(question)
        leaseQuestions.withLock { $0 -= 1 }
        send(
          LeaseMessage(
            from: configuration.id, to: message.from, number: message.number,
            body: .answer(answer)))
      }
    }
  }

  /// What this member says as the leader.
  ///
  /// Whatever its clock says counts only once a majority has confirmed, after the question, that this
  /// member still leads: another may lead since, and have ended the lease (etcd issue 15247).
  private func answer(_ question: LeaseQuestion) async -> LeaseAnswer {
    switch question {
    case .renew(let id): await renew(id)
    case .timeLeft(let id): await timeLeft(id)
    }
  }

  private func renew(_ id: Int64) async -> LeaseAnswer {
    switch leaseClock.withLock({ $0.renew(id) }) {
    case .notLeading, .ending: return .undecided
    case .unknown: return await confirmUnknown(id)
    case .renewed(let lease, let term, let undo):
      guard await confirm(in: term, undoing: undo),
        leaseClock.withLock({ $0.holds(lease, in: term) })
      else { return .undecided }
      return .alive(left: lease.ttl, ttl: lease.ttl)
    }
  }

  /// True once it is certain that this member led in `term` after the call, and that the next leader
  /// will know of no checkpoint from before it.
  private func confirm(in term: Term, undoing undo: LeaseClock.Undo?) async -> Bool {
    do {
      guard let undo else {
        try await readBarrier()
        return true
      }
      // Its own commitment in this term says both.
      let outcome = try await propose(
        .lease(.checkpoint([undo.command], term: term.rawValue)))
      guard case .success = outcome.result else { return false }
      leaseClock.withLock { $0.finish(undo) }
      return true
    } catch {
      return false
    }
  }

  private func confirmUnknown(_ id: Int64) async -> LeaseAnswer {
    let term = leaseClock.withLock { $0.term }
    guard let term, await confirm(in: term, undoing: nil) else { return .undecided }
    return leaseClock.withLock { clock in
      clock.term == term && clock.lease(id) == nil ? .unknown : .undecided
    }
  }

  private func timeLeft(_ id: Int64) async -> LeaseAnswer {
    guard let term = leaseClock.withLock({ $0.term }),
      await confirm(in: term, undoing: nil)
    else { return .undecided }
    return leaseClock.withLock { clock in
      guard clock.term == term else { return .undecided }
      guard let found = clock.lease(id) else { return .unknown }
      return .alive(left: found.left, ttl: found.ttl)
    }
  }
}
