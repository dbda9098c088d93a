import Raft

/// One state of a small cluster: the cores, what is durable, and the messages under way.
///
/// A value: a search copies it and lets one thing happen to the copy; a walk lets things happen to it
/// one after the other. Disks, time and the network are as coarse as they can be: what an owner of
/// the core may do in any order can happen in any order.
struct ModelState {
  struct Disk {
    var hardState = HardState()
    var base = SnapshotMark.origin
    var entries: [Entry] = []
    /// The state machine: what is applied survives, as it is durable in the log before.
    var applied = LogIndex.zero
    var membership: PlacedMembership
    /// See `RaftRecovery.lost`.
    var lost: SnapshotMark?
    /// What the entries were before the last writes, the newest last: a disk that loses its newest
    /// writes brings back what they had replaced.
    var earlier: [[Entry]] = []
    static let remembered = 4

    func term(at index: LogIndex) -> Term? {
      index == base.index ? base.term : entries.first { $0.index == index }?.term
    }
  }

  /// A snapshot on its way.
  struct Stream: Hashable {
    var sender: Int
    var message: Message
    var mark: SnapshotMark
  }

  var nodes: [RaftNode]
  var disks: [Disk]
  /// Written, not yet synced: lost by a crash.
  var unsynced: [[Ready]]
  var network: [Message] = []
  var streams: [Stream] = []
  /// Snapshots that the log refers to and the state machine has yet to be replaced by, oldest first.
  var installs: [[SnapshotMark]]
  var checks: ModelChecks
  var left: SearchBounds
  /// What was proposed and asked so far, to name the next.
  var proposals: UInt64 = 0
  var reads: UInt64 = 0

  init(_ bounds: SearchBounds) {
    left = bounds
    let founders = (1...UInt64(bounds.members)).map(MemberID.init)
    let membership = PlacedMembership(index: .zero, membership: Membership(voters: founders))
    let unknown = PlacedMembership(index: .zero, membership: .unknown)
    let all = (1...UInt64(bounds.members + bounds.spares)).map(MemberID.init)
    checks = ModelChecks(founders: membership)
    disks = all.map { Disk(membership: founders.contains($0) ? membership : unknown) }
    nodes = []
    unsynced = all.map { _ in [] }
    installs = all.map { _ in [] }
    for (id, disk) in zip(all, disks) {
      nodes.append(ModelState.node(id, RaftRecovery(membership: disk.membership), bounds))
    }
    for place in nodes.indices { drain(place) }
  }

  private static func node(
    _ id: MemberID, _ recovery: RaftRecovery, _ bounds: SearchBounds
  ) -> RaftNode {
    RaftNode(
      RaftConfiguration(
        id: id, electionTicks: 8, timeoutSeed: id.rawValue, limits: bounds.limits),
      recovering: recovery)
  }

  func place(of id: MemberID) -> Int? { nodes.firstIndex { $0.id == id } }

  // MARK: - The owner's work

  mutating func drain(_ place: Int) {
    while let ready = nodes[place].takeReady() {
      send(ready.messages)
      checks.note(ready, of: nodes[place].id)
      apply(ready.committed, on: place)
      for member in ready.snapshotsNeeded { stream(to: member, from: place) }
      let writes =
        ready.hardState != nil || !ready.entries.isEmpty || !ready.promises.isEmpty
        || ready.snapshot != nil || ready.isWholeAgain
      if writes { unsynced[place].append(ready) }
      if left.disks == .immediate {
        sync(place)
        while !installs[place].isEmpty { install(place) }
      }
    }
    checks.turned(nodes[place])
  }

  /// Makes all writes of a member durable, or its oldest one.
  mutating func sync(_ place: Int, onlyOldest: Bool = false) {
    let count = onlyOldest ? min(1, unsynced[place].count) : unsynced[place].count
    let batch = unsynced[place].prefix(count)
    unsynced[place].removeFirst(count)
    for ready in batch {
      write(ready, on: place)
      send(ready.promises)
      if let last = ready.entries.last {
        nodes[place].step(.persisted(term: last.term, index: last.index, epoch: ready.epoch))
      }
    }
  }

  mutating func write(_ ready: Ready, on place: Int) {
    if let mark = ready.snapshot {
      disks[place].base = mark
      disks[place].entries = []
      disks[place].earlier = []
      installs[place].append(mark)
    }
    if let state = ready.hardState { disks[place].hardState = state }
    if let first = ready.entries.first {
      disks[place].earlier.append(disks[place].entries)
      if disks[place].earlier.count > Disk.remembered { disks[place].earlier.removeFirst() }
      disks[place].entries.removeAll { $0.index >= first.index }
      disks[place].entries += ready.entries
    }
    if ready.isWholeAgain { disks[place].lost = nil }
    for entry in ready.entries {
      checks.durable(entry, after: disks[place].term(at: entry.index.previous))
    }
  }

  /// The state machine is replaced by the oldest snapshot that waits for it.
  mutating func install(_ place: Int) {
    let mark = installs[place].removeFirst()
    disks[place].applied = mark.index
    disks[place].membership = checks.membership(at: mark.index)
    nodes[place].step(.snapshotInstalled(mark.index))
  }

  /// A process ends and starts again: what it has not synced is gone. A snapshot that its log refers
  /// to is installed before anything else.
  mutating func restart(_ place: Int) {
    unsynced[place] = []
    streams.removeAll { $0.sender == place }
    if let mark = installs[place].last {
      disks[place].applied = mark.index
      disks[place].membership = checks.membership(at: mark.index)
      installs[place] = []
    }
    let disk = disks[place]
    nodes[place] = ModelState.node(
      nodes[place].id,
      RaftRecovery(
        hardState: disk.hardState, base: disk.base, entries: disk.entries, applied: disk.applied,
        membership: disk.membership, lost: disk.lost), left)
    drain(place)
  }

  /// A process ends, and finds on its disk that its last entries are gone, or that its last writes
  /// never happened. What the state machine has applied is in the log too, or would be refilled.
  mutating func damage(_ place: Int, losing count: Int, isOldBack: Bool) {
    let disk = disks[place]
    guard installs[place].isEmpty, let last = disk.entries.last, last.index > disk.applied else {
      return restart(place)
    }
    let kept = disk.entries.filter { $0.index <= disk.applied }
    let mark = SnapshotMark(index: last.index, term: last.term)
    if isOldBack, disk.earlier.count >= count {
      let old = disk.earlier[disk.earlier.count - count]
      guard old.starts(with: kept) else { return restart(place) }
      disks[place].entries = old
    } else {
      let loose = disk.entries.count - kept.count
      disks[place].entries.removeLast(min(count, loose))
    }
    disks[place].earlier = []
    if disk.lost.map({ !$0.isUpToDate(with: mark) }) ?? true { disks[place].lost = mark }
    restart(place)
  }

  private mutating func send(_ messages: [Message]) {
    for message in messages {
      checks.sent(message)
      // A network may lose what is too much for it; a walk carries copies, a search need not.
      guard place(of: message.to) != nil, network.count < left.messages,
        left.carriesCopies || !network.contains(message)
      else { continue }
      network.append(message)
    }
  }

  private mutating func apply(_ entries: [Entry], on place: Int) {
    for entry in entries {
      checks.applied(entry, after: disks[place].applied, by: nodes[place])
      if disks[place].term(at: entry.index) != entry.term {
        checks.fail("\(nodes[place].id) applies \(entry.index) before it is durable")
      }
      disks[place].applied = entry.index
      if entry.kind == .membership, let found = Membership.decode(entry.payload) {
        disks[place].membership = PlacedMembership(
          index: entry.index, membership: found.membership)
      }
    }
  }

  private mutating func stream(to member: MemberID, from place: Int) {
    let (disk, node) = (disks[place], nodes[place])
    guard let term = disk.term(at: disk.applied), streams.count < left.messages else {
      nodes[place].step(.snapshotSent(to: member, mark: nil))
      return
    }
    let mark = SnapshotMark(index: disk.applied, term: term)
    let message = Message(
      from: node.id, to: member, term: node.term,
      body: .installSnapshot(mark: mark, membership: disk.membership))
    streams.append(Stream(sender: place, message: message, mark: mark))
  }
}

/// How far a search or a walk goes.
package struct SearchBounds: Hashable, Sendable {
  package var members = 3
  /// Members that are there to be added.
  package var spares = 0
  package var terms: UInt64 = 2
  package var proposals = 1
  package var crashes = 1
  package var changes = 0
  /// Messages under way; more are lost.
  package var messages = 3
  package var disks = Disks.slow
  /// Whether a message that is under way already may be sent once more.
  var carriesCopies = false
  var limits = SearchBounds.smallLimits

  private static var smallLimits: RaftLimits {
    var limits = RaftLimits()
    limits.flightMessages = 2
    return limits
  }

  /// Whether a member goes on while its disk writes: then a crash forgets more, and there are many
  /// more states.
  package enum Disks: String, CaseIterable, Sendable { case immediate, slow }

  package init() {}
}
