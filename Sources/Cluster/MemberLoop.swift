import Logging
import Raft
import Store
import Synchronization

/// The one owner of a `RaftNode`: takes events, hands out the work of each `Ready`.
struct MemberLoop: InboxReader {
  private let member: ClusterMember
  private let transport: any Transport
  private let writer: LogWriter
  private let applier: Applier
  private let snapshots: SnapshotSender
  private var node: RaftNode
  private var applied: LogIndex
  /// What the state machine was last told to commit.
  private var committed: LogIndex
  private let elapsed: @Sendable () -> Duration
  /// What `elapsed` said at the last tick.
  private var ticked = Duration.zero
  private var isMakingDurable = false
  private var isRemovingCompacted = false
  private var lastLeader: MemberID?
  /// It leads, and has not asked for the leases yet.
  private var wantsLeases = false
  /// Since somebody last checked whether the members' states are the same.
  private var ticksSinceCheck = 0
  private var held: HeldProposals
  /// Members to which the connection broke, until they are heard from again.
  private var unreachable: Set<MemberID> = []
  /// Of the turn that is under way.
  private var mayWait = false
  private var errand: Errand?

  init(
    member: ClusterMember, recovered: RaftRecovery, transport: some Transport, writer: LogWriter,
    applier: Applier
  ) {
    let configuration = member.configuration
    self.member = member
    self.transport = transport
    self.writer = writer
    self.applier = applier
    self.snapshots = SnapshotSender(member: member, transport: transport)
    self.applied = recovered.applied
    self.committed = recovered.applied
    self.held = HeldProposals(limit: configuration.limits.heldProposals)
    self.elapsed = stopwatch(member.environment.clock)
    self.node = RaftNode(
      RaftConfiguration(
        id: configuration.id, electionTicks: configuration.electionTicks,
        timeoutSeed: member.nextRandom(), limits: configuration.limits.raft,
        founding: configuration.founding),
      recovering: recovered)
    node.step(.isFit(!member.status.isFenced))
  }

  /// Hands out what follows from all events together.
  mutating func turn(_ events: [LoopEvent], mayWait: Bool) -> Turn {
    self.mayWait = mayWait
    errand = nil
    for event in events {
      if case .stop = event { return Turn(goesOn: false) }
      take(event)
    }
    releaseHeld()
    while let ready = node.takeReady() { handle(ready) }
    publishStatus()
    member.environment.observe?(node)
    return Turn(errand: errand)
  }

  private mutating func take(_ event: LoopEvent) {
    switch event {
    // What is passed on to a leader that just died would be lost without a word.
    case .raft(.proposed(let proposals)) where !canPropose: hold(proposals)
    case .raft(.unreachable(let peer)):
      unreachable.insert(peer)
      node.step(.unreachable(peer))
    case .raft(.received(let message)):
      unreachable.remove(message.from)
      if isSound(message) { node.step(.received(message)) }
    case .raft(.tick):
      node.step(.tick)
      removeAbandoned()
      askReads()
      measureLeases()
      removeCompacted()
      considerCheck()
      commit()
    case .raft(let event): node.step(event)
    case .applied(let index, let changesMembers):
      applied = max(applied, index)
      if changesMembers { refreshPeers() }
      considerCompaction()
      removeCompacted()
      readLeases()
    case .durable(let index): compact(throughDurable: index)
    case .removedCompacted:
      isRemovingCompacted = false
      removeCompacted()
    case .sized(let bytes): considerQuota(bytes)
    case .hashed(let index, let hash): report(hash, at: index)
    case .isFit(let isFit): node.step(.isFit(isFit))
    case .readsWaiting: askReads()
    case .stop: break
    }
  }

  /// What another member passes on is decoded before it enters the log: afterwards it would stop
  /// every member.
  private func isSound(_ message: Message) -> Bool {
    guard case .forward(let proposals) = message.body else { return true }
    let limit = member.configuration.limits.commandBytes
    return proposals.allSatisfy { $0.payload.count <= limit && Command.isValid($0.payload) }
  }

  private var canPropose: Bool {
    guard let leader = node.leader else { return false }
    return !unreachable.contains(leader)
  }

  private mutating func releaseHeld() {
    guard canPropose, !held.isEmpty else { return }
    removeAbandoned()
    let waiting = held.take()
    if !waiting.isEmpty { node.step(.proposed(waiting)) }
  }

  private mutating func removeAbandoned() {
    if !held.isEmpty {
      member.waiters.withLock { waiters in held.removeAbandoned(waiters.isWaiting) }
    }
  }

  private mutating func askReads() {
    guard let id = member.waiters.withLock({ $0.takeUnasked() }) else { return }
    node.step(.readRequested(id))
  }

  private mutating func hold(_ proposals: [Proposal]) {
    for proposal in proposals where !held.add(proposal) {
      member.fail(proposal.id, with: .overloaded)
    }
  }

  /// What the core or the leader has not taken waits for the next leader if it never left this
  /// member; else whoever asked is told, and may ask again.
  private mutating func handle(_ dropped: DroppedProposal) {
    switch (dropped.reason, dropped.proposal) {
    case (.membership(let refusal), _):
      member.fail(dropped.id, with: .membership(MembershipFailure(refusal)))
    case (.full, _): member.fail(dropped.id, with: .overloaded)
    case (.noLeader, let proposal?), (.transferring, let proposal?): hold([proposal])
    case (.noLeader, nil), (.transferring, nil): member.fail(dropped.id, with: .dropped)
    }
  }

  // MARK: - Work

  private mutating func handle(_ ready: Ready) {
    if !ready.messages.isEmpty { transport.send(ready.messages) }
    let job = LogJob(
      reset: ready.snapshot, hardState: ready.hardState, entries: ready.entries,
      epoch: ready.epoch, promises: ready.promises, isWhole: ready.isWholeAgain)
    if !job.writesNothing || !job.promises.isEmpty {
      write(job, whileSending: !ready.messages.isEmpty)
    }
    if !ready.committed.isEmpty { apply(ready.committed) }
    for dropped in ready.dropped { handle(dropped) }
    answerReads(ready)
    for peer in ready.snapshotsNeeded {
      // What differs from the others is not to spread.
      if node.isFit {
        snapshots.send(to: peer, term: node.term)
      } else {
        member.inbox.post(.raft(.snapshotSent(to: peer, mark: nil)))
      }
    }
    if let membership = ready.membership { adopt(membership) }
    if let leadership = ready.leadership { adopt(leadership) }
  }

  /// A follower has one thing to do with an entry: whoever has brought it may as well do that. A leader waits for
  /// the others longer than for its own disk, so that its messages come first; and who reads the answers to
  /// them does not wait for its disk.
  private mutating func write(_ job: LogJob, whileSending: Bool) {
    if node.isLeader {
      guard job.isSmall, whileSending else { return writer.submit(job) }
      if let errand = writer.submitAsErrand(job) { transport.afterSending(errand.handOver) }
    } else {
      guard job.isSmall, mayLeaveAnErrand, writer.isQuick else { return writer.submit(job) }
      errand = writer.submitAsErrand(job)
    }
  }

  private mutating func apply(_ entries: [Entry]) {
    guard mayLeaveAnErrand else { return applier.submit(.apply(entries)) }
    errand = applier.applyAsErrand(entries)
  }

  /// One a turn: what others submit meanwhile waits for it.
  private var mayLeaveAnErrand: Bool { mayWait && errand == nil }

  private func answerReads(_ ready: Ready) {
    guard !ready.reads.isEmpty || !ready.failedReads.isEmpty else { return }
    let done = member.waiters.withLock { waiters in
      for (id, index) in ready.reads { waiters.readAnswered(id, index: index) }
      for id in ready.failedReads { waiters.readFailed(id) }
      // Read inside the lock: an apply that ends later finds these answers.
      return waiters.takeReads(applied: member.status.appliedIndex)
    }
    for read in done { read.resume(returning: .success(())) }
  }

  /// The others are reached as the newest membership says, committed or not: a member that was just
  /// added may be needed to commit that.
  private func adopt(_ membership: PlacedMembership) {
    member.published.withLock { $0.membership = membership.membership }
    member.logger.info(
      "membership changed",
      metadata: [
        "voters": "\(membership.membership.voters)",
        "learners": "\(membership.membership.learners)",
        "index": "\(membership.index)",
      ])
    refreshPeers()
  }

  private func refreshPeers() {
    do {
      let pending = node.entries(from: applied.next)
      let (peers, removed, isHearsay) = try member.peers(pending: pending)
      member.published.withLock { $0.roster = isHearsay ? [] : peers }
      transport.membersChanged(
        peers.filter { $0.id != member.configuration.id }, removed: removed)
      if removed.contains(member.configuration.id) { member.removed() }
    } catch {
      member.logger.error("can't read the members", metadata: ["error": "\(error)"])
    }
  }

  private mutating func adopt(_ leadership: Leadership) {
    let leads = leadership.leader == member.configuration.id
    member.leaseClock.withLock { clock in
      if leads { clock.lead(in: leadership.term) } else { clock.follow() }
    }
    wantsLeases = leads
    if let leader = leadership.leader, leader != lastLeader {
      member.counting.withLock { $0.leaderChanges += 1 }
      lastLeader = leader
    }
    member.logger.info(
      "leadership changed",
      metadata: [
        "term": "\(leadership.term)", "leader": "\(leadership.leader?.description ?? "none")",
      ])
  }

  private func publishStatus() {
    member.published.withLock { status in
      status.leadership = node.leadership
      status.lastIndex = node.lastIndex
      status.commitIndex = node.commitIndex
    }
  }

  // MARK: - Leases

  /// Once an entry of the own term is applied: before that an earlier leader's may still change them.
  /// What is applied afterwards is told to the clock one by one.
  private mutating func readLeases() {
    guard wantsLeases, node.isLeader, node.term(at: applied) == node.term else { return }
    wantsLeases = false
    applier.submit(.readLeases(node.term))
  }

  /// Proposes the end of leases whose time is over, and writes down how much others have left.
  private mutating func measureLeases() {
    let now = elapsed()
    let passed = now - ticked
    ticked = now
    let (term, work) = member.leaseClock.withLock { clock in
      (clock.term, clock.advance(by: passed))
    }
    guard let term, node.isLeader, node.term == term else { return }
    var changes = work.expired.map { lease in
      LeaseChange.expire(id: lease.id, grantedAt: lease.grantedAt, term: term.rawValue)
    }
    if !work.checkpoints.isEmpty {
      changes.append(.checkpoint(work.checkpoints, term: term.rawValue))
    }
    let proposals = changes.map { proposal(.lease($0)) }
    if !proposals.isEmpty { node.step(.proposed(proposals)) }
  }

  /// A proposal of the member's own, for whose outcome nobody waits.
  private func proposal(_ action: Command.Action) -> Proposal {
    let request = member.nextRequest()
    let payload = Command(request: request, action: action).encoded()
    return Proposal(id: request.number, payload: payload, change: nil)
  }

  // MARK: - Quota

  /// Above its quota a member raises the alarm for all; it is proposed again as long as that is so.
  private mutating func considerQuota(_ bytes: Int64) {
    let quota = member.configuration.limits.quotaBytes
    guard bytes > quota, canPropose else { return }
    member.logger.warning(
      "the database has passed its quota", metadata: ["bytes": "\(bytes)", "quota": "\(quota)"])
    let alarm = Alarm(member: member.configuration.id.rawValue, kind: .noSpace)
    node.step(.proposed([proposal(.alarm(.raise(alarm)))]))
  }

  // MARK: - Integrity

  /// Asks all members for their states every now and then.
  private mutating func considerCheck() {
    ticksSinceCheck += 1
    guard let ticks = member.configuration.integrityTicks, ticksSinceCheck >= ticks, node.isLeader
    else { return }
    ticksSinceCheck = 0
    node.step(.proposed([proposal(.integrity(.check))]))
  }

  /// A report that finds no leader is lost, and given on the next check.
  private mutating func report(_ hash: UInt64, at index: LogIndex) {
    ticksSinceCheck = 0
    guard canPropose else { return }
    let own = member.configuration.id.rawValue
    let report = IntegrityReport(member: own, index: index.rawValue, hash: hash)
    node.step(.proposed([proposal(.integrity(.report(report)))]))
  }

  // MARK: - The database

  /// What was applied since the last tick is committed together: the log has it, and a commit for each entry
  /// would cost more than the entry.
  private mutating func commit() {
    guard applied > committed else { return }
    committed = applied
    applier.submit(.commit)
  }

  // MARK: - Compaction

  /// In small pieces between what is applied: neither clients nor the applier wait for all of it.
  private mutating func removeCompacted() {
    guard !isRemovingCompacted, member.store.isCompacting else { return }
    isRemovingCompacted = true
    applier.submit(.removeCompacted)
  }

  private mutating func considerCompaction() {
    let limits = member.configuration.limits
    let entries = applied.rawValue - min(applied, node.logBase).rawValue
    guard !isMakingDurable,
      entries >= limits.entriesBeforeCompaction + limits.entriesKept
        || node.logBytes > limits.bytesBeforeCompaction
    else { return }
    isMakingDurable = true
    applier.submit(.makeDurable)
  }

  private mutating func compact(throughDurable durable: LogIndex) {
    isMakingDurable = false
    let limits = member.configuration.limits
    let kept = node.logBytes > limits.bytesBeforeCompaction ? 0 : limits.entriesKept
    guard durable.rawValue > kept else { return }
    let index = LogIndex(durable.rawValue - kept)
    guard index > node.logBase, let term = node.term(at: index) else { return }
    writer.submit(LogJob(compact: SnapshotMark(index: index, term: term)))
    node.step(.compacted(through: index))
  }
}
