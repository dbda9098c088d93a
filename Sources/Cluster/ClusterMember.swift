import Dispatch
package import Logging
package import Raft
import RaftLog
package import Store
import Synchronization

/// What a member tells of itself.
package struct MemberStatus: Hashable, Sendable {
  package var leadership = Leadership(term: .zero, leader: nil)
  package var lastIndex: LogIndex = .zero
  package var commitIndex: LogIndex = .zero
  package var appliedIndex: LogIndex = .zero
}

/// One member of the cluster: the loop that drives `RaftNode`, and what clients ask of it.
///
/// The loop never waits for a disk: the log and the state machine have a thread each, and report
/// back through the inbox. `run()` returns when its task is cancelled.
package final class ClusterMember: Sendable, TransportDelegate {
  package let configuration: ClusterConfiguration
  package let store: KeyValueStore
  package let hub: WatchHub
  let logger: Logger
  let inbox: Inbox
  let waiters: Mutex<Waiters>
  let published: Mutex<MemberStatus>
  private let lock: DirectoryLock
  private let recovery: Mutex<(log: SegmentedLog, recovered: RaftRecovery)?>
  private let nextNumber: Atomic<UInt64>
  private let failStop: @Sendable (any Error) -> Void

  /// Opens the data directory; nothing is sent or written before `run`.
  ///
  /// - Parameter failStop: called when the log or the state database fails. It must end the
  ///   process: nothing more may be promised.
  package init(
    _ configuration: ClusterConfiguration, logger: Logger,
    failStop: @escaping @Sendable (any Error) -> Void
  ) throws {
    self.configuration = configuration
    self.logger = logger
    self.failStop = failStop
    let directory = configuration.dataDirectory
    lock = try DirectoryLock(directory: directory)
    let identity = LogIdentity(cluster: configuration.clusterID, member: configuration.id)
    let opened = try SegmentedLog.open(directory: directory + "/log", identity: identity)
    store = try KeyValueStore(directory: directory + "/state", cluster: configuration.clusterID)
    try store.recoverInstallation(logBase: opened.recovered.base.index.rawValue)
    let recovered = try ClusterMember.check(opened.recovered, against: store)
    try store.removeLeftovers()
    if opened.recovered.tornBytes > 0 {
      logger.notice(
        "cut an unfinished write from the end of the log",
        metadata: ["bytes": "\(opened.recovered.tornBytes)"])
    }
    recovery = Mutex((opened.log, recovered))
    hub = WatchHub(store: store)
    inbox = Inbox(limit: configuration.limits.inboxEvents)
    waiters = Mutex(Waiters(firstRead: .random(in: 1...(.max))))
    nextNumber = Atomic(.random(in: 1...(.max / 2)))
    var status = MemberStatus()
    status.appliedIndex = recovered.applied
    status.lastIndex = recovered.entries.last?.index ?? recovered.base.index
    status.leadership.term = recovered.hardState.term
    published = Mutex(status)
  }

  /// The log and the state must belong together: neither may lack what the other has passed.
  private static func check(
    _ log: RecoveredLog, against store: KeyValueStore
  ) throws -> RaftRecovery {
    let applied = LogIndex(store.current.appliedIndex)
    let last = log.entries.last?.index ?? log.base.index
    guard applied <= last else {
      throw StartError(
        "the log ends at entry \(last), but the store has applied \(applied): the log has lost its "
          + "end. Nothing was changed. Keep a copy of the data directory, and replace the member: "
          + "the others hold what it lost")
    }
    guard applied >= log.base.index else {
      throw StartError(
        "the store has applied entry \(applied), but the log begins after \(log.base.index): the "
          + "state is missing or was replaced by an older one. Nothing was changed. Restore the "
          + "state directory that belongs to this log, or replace the member")
    }
    return RaftRecovery(
      hardState: log.hardState, base: log.base, entries: log.entries, applied: applied)
  }

  package var status: MemberStatus { published.withLock { $0 } }

  /// The members and how clients reach them; a member that has never started has no client URLs.
  package func members() throws -> [MemberDescription] {
    let known = try store.members()
    return configuration.peers.sorted { $0.id < $1.id }.map { peer in
      let attributes = known.first { $0.id == peer.id.rawValue }
      return MemberDescription(
        id: peer.id.rawValue, name: attributes?.name ?? "", peerURLs: peer.urls,
        clientURLs: attributes?.clientURLs ?? [])
    }
  }

  // MARK: - What clients ask

  /// Proposes a change and waits until this member has applied it.
  ///
  /// - Throws: `.timedOut` when no majority took it in time: it may still take effect later.
  package func propose(_ action: Command.Action) async throws(ClusterError) -> Outcome {
    let number = nextNumber.add(1, ordering: .relaxed).newValue
    let request = RequestID(member: configuration.id.rawValue, number: number)
    let payload = Command(request: request, action: action).encoded()
    let limit = configuration.limits.commandBytes
    guard payload.count <= limit else { throw .tooLarge(bytes: payload.count, limit: limit) }
    let status = status
    let backlog = configuration.limits.applyBacklog
    guard status.commitIndex.rawValue <= status.appliedIndex.rawValue + backlog else {
      throw .overloaded
    }
    let result = await withCheckedContinuation { continuation in
      let isOpen = waiters.withLock {
        $0.add(continuation, number: number, ticks: configuration.requestTicks)
      }
      if !isOpen {
        continuation.resume(returning: .failure(.stopped))
      } else if !inbox.offer(.raft(.proposed([payload]))) {
        fail(number, with: .overloaded)
      }
    }
    return try result.get()
  }

  /// Waits until this member has applied everything that was committed before the call: a read
  /// of the store is then linearizable.
  package func readBarrier() async throws(ClusterError) {
    let result = await withCheckedContinuation { continuation in
      switch waiters.withLock({ $0.add(continuation, ticks: configuration.requestTicks) }) {
      case .first: inbox.post(.readsWaiting)
      case .further: break
      case .closed: continuation.resume(returning: .failure(.stopped))
      }
    }
    try result.get()
  }

  func fail(_ number: UInt64, with error: ClusterError) {
    waiters.withLock { $0.takeProposal(number) }?.resume(returning: .failure(error))
  }

  // MARK: - What the transport delivers

  package func received(_ messages: [Message]) {
    // A full inbox loses messages as the network may: Raft sends again.
    for message in messages { _ = inbox.offer(.raft(.received(message))) }
  }

  package func unreachable(_ member: MemberID) { _ = inbox.offer(.raft(.unreachable(member))) }

  package func incomingSnapshotPath(from member: MemberID) -> String {
    store.incomingPath(from: member.rawValue)
  }

  package func receivedSnapshot(
    from member: MemberID, term: Term, mark: SnapshotMark, path: String,
    accepted: @escaping @Sendable (Bool) -> Void
  ) {
    let message = Message(
      from: member, to: configuration.id, term: term, body: .installSnapshot(mark: mark))
    let job = ApplyJob.prepare(path: path, mark: mark) { [inbox] isWhole in
      if isWhole { inbox.post(.raft(.received(message))) }
      accepted(isWhole)
    }
    snapshotJobs.withLock { $0 }?(job)
  }

  private let snapshotJobs = Mutex<(@Sendable (ApplyJob) -> Void)?>(nil)

  // MARK: - Running

  /// Runs the member until the task is cancelled; may be called once.
  package func run(transport: some Transport) async {
    guard let (log, recovered) = recovery.withLock({ $0.take() }) else {
      preconditionFailure("a member runs once")
    }
    let applier = makeApplier()
    let writer = makeWriter(log, applier: applier, transport: transport)
    snapshotJobs.withLock { $0 = { applier.submit($0) } }
    var loop = MemberLoop(
      member: self, recovered: recovered, transport: transport, writer: writer, applier: applier)
    let executor = LoopExecutor()
    await withTaskGroup(of: Void.self) { group in
      group.addTask(executorPreference: executor) { await self.tick() }
      group.addTask { await self.publishAttributes() }
      await withTaskCancellationHandler {
        await withTaskExecutorPreference(executor) { await loop.run() }
      } onCancel: {
        inbox.post(.stop)
      }
      // Whoever waits is told now: the tasks of this group are among them.
      let abandoned = waiters.withLock { $0.close() }
      for proposal in abandoned.proposals { proposal.resume(returning: .failure(.stopped)) }
      for read in abandoned.reads { read.resume(returning: .failure(.stopped)) }
      group.cancelAll()
    }
    snapshotJobs.withLock { $0 = nil }
    writer.finish()
    applier.finish()
  }

  private func makeApplier() -> Applier {
    Applier(
      store: store, hub: hub,
      reports: Applier.Reports(
        applied: { [self] index, commands in applied(index, commands) },
        installed: { [self] index in
          applied(index, [])
          inbox.post(.raft(.snapshotInstalled(index)))
        },
        durable: { [inbox] index in inbox.post(.durable(index)) },
        refusedSnapshot: { [logger] error in
          logger.warning("refused a snapshot", metadata: ["error": "\(error)"])
        },
        failed: failStop))
  }

  private func makeWriter(
    _ log: SegmentedLog, applier: Applier, transport: some Transport
  ) -> LogWriter {
    let inbox = inbox
    let reports = LogWriter.Reports(
      send: { messages in transport.send(messages) },
      persisted: { entry, epoch in
        inbox.post(.raft(.persisted(term: entry.term, index: entry.index, epoch: epoch)))
      },
      wasReset: { mark in applier.submit(.install(mark)) },
      failed: failStop)
    return LogWriter(log, reports: reports)
  }

  private func applied(_ index: LogIndex, _ commands: [AppliedCommand]) {
    published.withLock { $0.appliedIndex = index }
    let own = configuration.id.rawValue
    let (proposals, reads) = waiters.withLock { waiters in
      let proposals = commands.compactMap { command in
        command.outcome.request.member == own
          ? waiters.takeProposal(command.outcome.request.number).map { ($0, command.outcome) }
          : nil
      }
      return (proposals, waiters.takeReads(applied: index))
    }
    for (proposal, outcome) in proposals { proposal.resume(returning: .success(outcome)) }
    for read in reads { read.resume(returning: .success(())) }
    inbox.post(.applied(index))
  }

  private func tick() async {
    let clock = ContinuousClock()
    while !Task.isCancelled {
      // A cancelled sleep ends the loop at its next turn.
      try? await clock.sleep(for: configuration.heartbeatInterval)
      let late = waiters.withLock { $0.advance() }
      let isLed = status.leadership.leader != nil
      for proposal in late.proposals {
        proposal.resume(returning: .failure(.timedOut(leaderKnown: isLed)))
      }
      for read in late.reads { read.resume(returning: .failure(.timedOut(leaderKnown: isLed))) }
      inbox.postTick()
    }
  }

  /// Tells the cluster this member's name and client URLs, once it has changed them.
  private func publishAttributes() async {
    let own = MemberAttributes(
      id: configuration.id.rawValue, name: configuration.name,
      clientURLs: configuration.clientURLs)
    while !Task.isCancelled {
      do {
        try await readBarrier()
        if try store.members().contains(own) { return }
        _ = try await propose(.memberAttributes(own))
      } catch ClusterError.stopped {
        return
      } catch {
        logger.debug("can't publish the member's name yet", metadata: ["error": "\(error)"])
      }
    }
  }
}
