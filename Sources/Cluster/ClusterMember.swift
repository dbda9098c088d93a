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
  /// Who votes, by the newest entry about it, committed or not.
  package var membership = Membership.unknown
  /// Everyone of whom this member has read that they belong to the cluster.
  package var roster: [Peer] = []
  /// Its state differs from that of the others: it serves nobody and leads nobody.
  package var isFenced = false
}

/// One member of the cluster: the loop that drives `RaftNode`, and what clients ask of it.
///
/// The loop never waits for a disk: the log and the state machine have a thread each, or whoever ran the loop
/// does an `Errand` for them after it, and they report back through the inbox (which also says who runs the
/// loop). `run()` returns when its task is cancelled.
package final class ClusterMember: Sendable, TransportDelegate {
  package let configuration: ClusterConfiguration
  package let store: KeyValueStore
  package let hub: WatchHub
  let logger: Logger
  let inbox: Inbox
  let waiters: Mutex<Waiters>
  let published: Mutex<MemberStatus>
  let environment: ClusterEnvironment
  private let lock: any DirectoryHold
  private let recovery: Mutex<(log: SegmentedLog, recovered: RaftRecovery)?>
  private let random: Mutex<UInt64>
  let leaseClock: Mutex<LeaseClock>
  let tokens: Mutex<TokenTable>
  let counting = Mutex(MemberCounts())
  /// Who belongs to the cluster, and who did, by what is applied.
  let roll: Mutex<(members: [StoredMember], removed: Set<UInt64>)>
  /// The log's end when this member started: what was admitted before that may be long over.
  let lastIndexAtStart: LogIndex
  /// How many questions of other members are being answered.
  let leaseQuestions = Mutex(0)
  /// How many read the whole database.
  let wholeReads = Mutex(0)
  private let nextNumber: Atomic<UInt64>
  let failStop: @Sendable (any Error) -> Void
  let removed: @Sendable () -> Void

  /// Opens the data directory; nothing is sent or written before `run`.
  ///
  /// - Parameters:
  ///   - failStop: called when the log or the state database fails. It must end the process: nothing
  ///     more may be promised.
  ///   - removed: called, maybe more than once, when this member has applied that it belongs to the
  ///     cluster no more.
  package init(
    _ configuration: ClusterConfiguration, environment: ClusterEnvironment = .machine(),
    logger: Logger, failStop: @escaping @Sendable (any Error) -> Void,
    removed: @escaping @Sendable () -> Void = {}
  ) throws {
    self.configuration = configuration
    self.environment = environment
    self.logger = logger
    self.failStop = failStop
    self.removed = removed
    let directory = configuration.dataDirectory
    lock = try environment.disk.lock(directory: directory)
    let identity = LogIdentity(cluster: configuration.clusterID, member: configuration.id)
    let opened = try SegmentedLog.open(
      directory: directory + "/log", identity: identity,
      limits: configuration.limits.segments, disk: environment.disk,
      salt: environment.logSalt)
    // Before the directory is made anybody's: a restored state knows its cluster already.
    store = try KeyValueStore(directory: directory + "/state", cluster: configuration.clusterID)
    try ClusterMember.identify(configuration, log: opened, on: environment.disk)
    let found = try ClusterMember.follow(store, opened)
    try store.recoverInstallation(logBase: found.base.index.rawValue)
    if !configuration.founders.isEmpty { try ClusterMember.found(configuration, in: store) }
    let recovered = try MemberRecovery(log: opened.log, found: found, store: store)
      .run()
    try store.removeLeftovers()
    recovery = Mutex((opened.log, recovered))
    roll = Mutex((try store.members(), try store.removedMembers()))
    hub = WatchHub(store: store)
    inbox = Inbox(
      limit: configuration.limits.inboxEvents, queue: environment.makeQueue("configsync.loop"),
      soon: environment.runSoon)
    var names = SeededNames(state: environment.seed)
    waiters = Mutex(
      Waiters(firstRead: names.next(), proposalBytes: configuration.limits.proposalBytes))
    nextNumber = Atomic(names.next() >> 1)
    random = Mutex(names.state)
    leaseClock = Mutex(
      LeaseClock(
        checkpointInterval: configuration.leaseCheckpointInterval,
        electionTimeout: configuration.electionTimeout))
    tokens = Mutex(TokenTable(lifetime: configuration.tokenTicks))
    lastIndexAtStart = recovered.entries.last?.index ?? recovered.base.index
    var status = MemberStatus()
    status.appliedIndex = recovered.applied
    status.lastIndex = lastIndexAtStart
    status.leadership.term = recovered.hardState.term
    status.isFenced = try store.isFenced(configuration.id.rawValue)
    published = Mutex(status)
    report(opened.recovered)
  }

  /// Of a sequence that the environment's seed fixes.
  func nextRandom() -> UInt64 {
    random.withLock { state in
      var names = SeededNames(state: state)
      defer { state = names.state }
      return names.next()
    }
  }

  func nextRequest() -> RequestID {
    let number = nextNumber.add(1, ordering: .relaxed).newValue
    return RequestID(member: configuration.id.rawValue, number: number)
  }

  package var status: MemberStatus { published.withLock { $0 } }

  // MARK: - What clients ask

  /// Proposes a change and waits until this member has applied it.
  ///
  /// - Parameter caller: whose permissions decide, as they are when it is applied.
  /// - Throws: `.timedOut` when no majority took it in time: it may still take effect later.
  package func propose(
    _ action: Command.Action, for caller: Caller = .cluster,
    changing change: MembershipChange? = nil
  ) async throws(ClusterError) -> Outcome {
    let request = nextRequest()
    let number = request.number
    let payload = Command(request: request, caller: caller, action: action).encoded()
    let limit = configuration.limits.commandBytes
    guard payload.count <= limit else { throw .tooLarge(bytes: payload.count, limit: limit) }
    let status = status
    let backlog = configuration.limits.applyBacklog
    guard status.commitIndex.rawValue <= status.appliedIndex.rawValue + backlog else {
      throw .overloaded
    }
    let result = await withCheckedContinuation { continuation in
      let joined = waiters.withLock {
        $0.add(
          continuation, number: number, bytes: payload.count, ticks: configuration.requestTicks)
      }
      switch joined {
      case .closed: continuation.resume(returning: .failure(.stopped))
      case .full: continuation.resume(returning: .failure(.overloaded))
      case .waits:
        let proposal = Proposal(id: number, payload: payload, change: change)
        if !inbox.offer(.raft(.proposed([proposal]))) { fail(number, with: .overloaded) }
      }
    }
    if case .failure = result { counting.withLock { $0.failedProposals += 1 } }
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
    _ = inbox.offer(
      messages.map { .raft(.received($0)) }, mayWait: environment.runsErrands())
  }

  package func unreachable(_ member: MemberID) { _ = inbox.offer(.raft(.unreachable(member))) }

  package func incomingSnapshotPath(from member: MemberID) -> String {
    store.incomingPath(from: member.rawValue)
  }

  package func receivedSnapshot(
    from member: MemberID, term: Term, mark: SnapshotMark, path: String,
    accepted: @escaping @Sendable (Bool) -> Void
  ) {
    let own = configuration.id
    let job = ApplyJob.prepare(path: path, mark: mark) { [inbox] membership in
      if let membership {
        let body = Message.Body.installSnapshot(mark: mark, membership: membership)
        inbox.post(
          .raft(.received(Message(from: member, to: own, term: term, body: body))))
      }
      accepted(membership != nil)
    }
    guard let submit = applyJobs.withLock({ $0 }) else { return accepted(false) }
    submit(job)
  }

  /// The way to the state machine's thread while this member runs.
  let applyJobs = Mutex<(@Sendable (ApplyJob) -> Void)?>(nil)
  /// The way to the other members while this one runs.
  let leaseMessages = Mutex<(@Sendable (LeaseMessage) -> Void)?>(nil)

  // MARK: - Running

  /// Runs the member until the task is cancelled; may be called once.
  package func run(transport: some Transport) async {
    guard let (log, recovered) = recovery.withLock({ $0.take() }) else {
      preconditionFailure("a member runs once")
    }
    let applier = makeApplier()
    let writer = makeWriter(log, applier: applier, transport: transport)
    applyJobs.withLock { $0 = { applier.submit($0) } }
    leaseMessages.withLock { $0 = { transport.send($0) } }
    let loop = MemberLoop(
      member: self, recovered: recovered, transport: transport, writer: writer, applier: applier)
    let executor = environment.executor
    await withTaskGroup(of: Void.self) { group in
      group.addTask(executorPreference: executor) { await self.tick() }
      group.addTask(executorPreference: executor) { await self.publishAttributes() }
      if let mode = configuration.autoCompaction {
        group.addTask(executorPreference: executor) { await self.compactByItself(mode) }
      }
      await withTaskCancellationHandler {
        await inbox.run(loop)
      } onCancel: {
        inbox.post(.stop)
      }
      // Whoever waits is told now: the tasks of this group are among them.
      let abandoned = waiters.withLock { $0.close() }
      for proposal in abandoned.proposals { proposal.resume(returning: .failure(.stopped)) }
      for read in abandoned.reads { read.resume(returning: .failure(.stopped)) }
      for question in abandoned.questions { question.resume(returning: .undecided) }
      group.cancelAll()
    }
    applyJobs.withLock { $0 = nil }
    leaseMessages.withLock { $0 = nil }
    writer.finish()
    applier.finish()
  }

  private func makeApplier() -> Applier {
    Applier(
      store: store, hub: hub, queue: environment.makeQueue("configsync.apply"),
      hashing: environment.makeQueue("configsync.integrity"),
      reports: Applier.Reports(
        observe: environment.observeApplied, observeInstalled: environment.observeInstalled,
        applied: { [self] index, commands in
          applied(index, commands, changesMembers: commands.contains(where: \.changesMembers))
        },
        installed: { [self] index in
          applied(index, [], changesMembers: true)
          refreshFence()
          inbox.post(.raft(.snapshotInstalled(index)))
        },
        elapsed: stopwatch(environment.clock),
        committed: { [self] time in counting.withLock { $0.commits.observe(time) } },
        durable: { [inbox] index in inbox.post(.durable(index)) },
        leases: { [self] term, leases in
          leaseClock.withLock { $0.begin(in: term, with: leases) }
        },
        hashed: { [inbox] index, hash in inbox.post(.hashed(index, hash)) },
        removedCompacted: { [inbox] in inbox.post(.removedCompacted) },
        sized: { [inbox] bytes in inbox.post(.sized(bytes)) },
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
      persisted: { jobs in
        inbox.post(
          jobs.map { job in
            .raft(.persisted(term: job.last.term, index: job.last.index, epoch: job.epoch))
          })
      },
      elapsed: stopwatch(environment.clock),
      wrote: { [self] time in counting.withLock { $0.logWrites.observe(time) } },
      wasReset: { mark in applier.submit(.install(mark)) },
      failed: failStop)
    return LogWriter(
      log, queue: environment.makeQueue("configsync.log"), reports: reports)
  }

  private func applied(
    _ index: LogIndex, _ commands: [AppliedCommand], changesMembers: Bool
  ) {
    count(commands)
    let effects = commands.compactMap(\.lease)
    if !effects.isEmpty {
      leaseClock.withLock { clock in for effect in effects { clock.apply(effect) } }
    }
    let admitted = commands.compactMap(\.admitted).filter { $0.index > lastIndexAtStart.rawValue }
    if !admitted.isEmpty { admit(admitted) }
    if commands.contains(where: \.isDisagreement) {
      logger.error("the states of members differ, and too few have reported to tell whose is right")
    }
    if changesMembers { refreshRoll() }
    if changesMembers || commands.contains(where: \.changesAlarms) { refreshFence() }
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
    let event = LoopEvent.applied(index, changesMembers: changesMembers)
    // What clients have written concerns the loop only when it is time to cut the log: a turn for it would take the
    // processor from those who were just answered.
    if changesMembers || commands.isEmpty { inbox.post(event) } else { inbox.leave(event) }
  }

  private func tick() async {
    while !Task.isCancelled {
      // A cancelled sleep ends the loop at its next turn.
      try? await environment.clock.sleep(for: configuration.heartbeatInterval)
      let late = waiters.withLock { $0.advance() }
      let isLed = status.leadership.leader != nil
      for proposal in late.proposals {
        proposal.resume(returning: .failure(.timedOut(leaderKnown: isLed)))
      }
      for read in late.reads { read.resume(returning: .failure(.timedOut(leaderKnown: isLed))) }
      for question in late.questions { question.resume(returning: .undecided) }
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
        let known = try store.members().first { $0.id == own.id }
        if let known, known.name == own.name, known.clientURLs == own.clientURLs { return }
        // A member that is no longer part of the cluster has nothing to tell it.
        guard known != nil else {
          try await environment.clock.sleep(for: configuration.electionTimeout)
          continue
        }
        _ = try await propose(.memberAttributes(own))
      } catch ClusterError.stopped {
        return
      } catch {
        logger.debug("can't publish the member's name yet", metadata: ["error": "\(error)"])
      }
    }
  }
}
