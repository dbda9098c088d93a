import Dispatch
import Logging
import Raft
import Store
import Synchronization

/// The one owner of a `RaftNode`: takes events, hands out the work of each `Ready`.
struct MemberLoop {
  private let member: ClusterMember
  private let transport: any Transport
  private let writer: LogWriter
  private let applier: Applier
  private let snapshots: SnapshotSender
  private var node: RaftNode
  private var applied: LogIndex
  private var isMakingDurable = false
  /// Proposals that wait for a leader that can be reached, oldest first.
  private var held: [[UInt8]] = []
  /// Members to which the connection broke, until they are heard from again.
  private var unreachable: Set<MemberID> = []

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
    self.node = RaftNode(
      RaftConfiguration(
        id: configuration.id, voters: configuration.peers.map(\.id),
        electionTicks: configuration.electionTicks, timeoutSeed: .random(in: 0...(.max))),
      recovering: recovered)
  }

  mutating func run() async {
    while true {
      let events = await member.inbox.next()
      for event in events {
        if case .stop = event { return }
        take(event)
      }
      releaseHeld()
      while let ready = node.takeReady() { handle(ready) }
      publishStatus()
    }
  }

  private mutating func take(_ event: LoopEvent) {
    switch event {
    // What is passed on to a leader that just died would be lost without a word.
    case .raft(.proposed(let payloads)) where !canPropose: hold(payloads)
    case .raft(.unreachable(let peer)):
      unreachable.insert(peer)
      node.step(.unreachable(peer))
    case .raft(.received(let message)):
      unreachable.remove(message.from)
      if isSound(message) { node.step(.received(message)) }
    case .raft(.tick):
      node.step(.tick)
      askReads()
    case .raft(let event): node.step(event)
    case .applied(let index):
      applied = max(applied, index)
      considerCompaction()
    case .durable(let index): compact(throughDurable: index)
    case .readsWaiting: askReads()
    case .stop: break
    }
  }

  /// What another member passes on is decoded before it enters the log: afterwards it would stop
  /// every member.
  private func isSound(_ message: Message) -> Bool {
    guard case .forward(let payloads) = message.body else { return true }
    let limit = member.configuration.limits.commandBytes
    return payloads.allSatisfy { $0.count <= limit && Command.isValid($0) }
  }

  private var canPropose: Bool {
    guard let leader = node.leader else { return false }
    return !unreachable.contains(leader)
  }

  private mutating func releaseHeld() {
    guard canPropose, !held.isEmpty else { return }
    // Nobody waits any more for what has timed out meanwhile: it must not take effect late.
    let waiting = member.waiters.withLock { waiters in
      held.filter { Command.request(of: $0).map { waiters.isWaiting($0.number) } ?? false }
    }
    held = []
    if !waiting.isEmpty { node.step(.proposed(waiting)) }
  }

  private mutating func askReads() {
    guard let id = member.waiters.withLock({ $0.takeUnasked() }) else { return }
    node.step(.readRequested(id))
  }

  private mutating func hold(_ payloads: [[UInt8]]) {
    for payload in payloads {
      if held.count < member.configuration.limits.heldProposals {
        held.append(payload)
      } else {
        fail(payload)
      }
    }
  }

  private func fail(_ payload: [UInt8]) {
    if let request = Command.request(of: payload) {
      member.fail(request.number, with: .overloaded)
    }
  }

  // MARK: - Work

  private mutating func handle(_ ready: Ready) {
    if !ready.messages.isEmpty { transport.send(ready.messages) }
    let job = LogJob(
      reset: ready.snapshot, hardState: ready.hardState, entries: ready.entries,
      epoch: ready.epoch, promises: ready.promises)
    if !job.writesNothing || !job.promises.isEmpty { writer.submit(job) }
    if !ready.committed.isEmpty { applier.submit(.apply(ready.committed)) }
    for payload in ready.dropped { fail(payload) }
    answerReads(ready)
    for member in ready.snapshotsNeeded { snapshots.send(to: member, term: node.term) }
    if let leadership = ready.leadership { logChange(of: leadership) }
  }

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

  private func logChange(of leadership: Leadership) {
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

  // MARK: - Compaction

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

/// Copies the state and streams it to members that the log can no longer serve.
struct SnapshotSender: Sendable {
  let member: ClusterMember
  let transport: any Transport
  private let queue = DispatchQueue(label: "configsync.snapshot")

  init(member: ClusterMember, transport: any Transport) {
    self.member = member
    self.transport = transport
  }

  func send(to peer: MemberID, term: Term) {
    let member = member
    let transport = transport
    queue.async {
      let path = member.store.outgoingPath(to: peer.rawValue)
      do {
        let state = try member.store.writeSnapshot(to: path)
        let mark = SnapshotMark(
          index: LogIndex(state.appliedIndex), term: Term(state.appliedTerm))
        member.logger.info(
          "sending a snapshot", metadata: ["to": "\(peer)", "index": "\(mark.index)"])
        let snapshot = OutgoingSnapshot(to: peer, term: term, mark: mark, path: path)
        transport.sendSnapshot(snapshot) { arrived in
          member.store.removeSnapshot(at: path)
          member.inbox.post(.raft(.snapshotSent(to: peer, mark: arrived ? mark : nil)))
        }
      } catch {
        member.logger.error("can't write a snapshot", metadata: ["error": "\(error)"])
        member.store.removeSnapshot(at: path)
        member.inbox.post(.raft(.snapshotSent(to: peer, mark: nil)))
      }
    }
  }
}
