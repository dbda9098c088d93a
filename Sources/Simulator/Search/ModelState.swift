import Raft

/// One state of a small cluster: the cores, what is durable, and the messages under way.
///
/// A value: a search copies it and lets one thing happen to the copy.
struct ModelState {
  struct Disk {
    var hardState = HardState()
    var entries: [Entry] = []
    /// The state machine: what is applied survives, as it is durable in the log before.
    var applied = LogIndex.zero
    var membership: PlacedMembership
  }

  private(set) var nodes: [RaftNode]
  private(set) var disks: [Disk]
  /// Written, not yet synced: lost by a crash.
  private(set) var unsynced: [[Ready]]
  private(set) var network: [Message] = []
  /// Entries that some member has applied, and its term then.
  private(set) var committed: [(entry: Entry, by: Term)] = []
  private(set) var leaders: [Term: MemberID] = [:]
  private(set) var violation: String?
  var left: SearchBounds
  private var proposals: UInt64 = 0

  init(_ bounds: SearchBounds) {
    left = bounds
    let founders = (1...UInt64(bounds.members)).map(MemberID.init)
    let membership = PlacedMembership(index: .zero, membership: Membership(voters: founders))
    nodes = founders.map { ModelState.node($0, RaftRecovery(membership: membership)) }
    disks = founders.map { _ in Disk(membership: membership) }
    unsynced = founders.map { _ in [] }
    for place in nodes.indices { drain(place) }
  }

  private static func node(_ id: MemberID, _ recovery: RaftRecovery) -> RaftNode {
    var limits = RaftLimits()
    limits.flightMessages = 2
    return RaftNode(
      RaftConfiguration(id: id, electionTicks: 2, timeoutSeed: 1, limits: limits),
      recovering: recovery)
  }

  // MARK: - What may happen

  enum Step {
    case deliver(Int)
    case sync(Int)
    case pass(Int, RaftNode.Passage)
    case propose(Int)
    case crash(Int)
    case change(Int, MembershipChange)
  }

  /// Everything that may happen next, within the bounds.
  var steps: [Step] {
    var steps = network.indices.map { Step.deliver($0) }
    for place in nodes.indices {
      let node = nodes[place]
      if !unsynced[place].isEmpty { steps.append(.sync(place)) }
      for passage in RaftNode.Passage.allCases {
        if passage == .electionTimeout, node.term.rawValue >= left.terms { continue }
        steps.append(.pass(place, passage))
      }
      if left.proposals > 0, node.isLeader { steps.append(.propose(place)) }
      if left.crashes > 0 { steps.append(.crash(place)) }
      if left.changes > 0, node.isLeader {
        steps.append(.change(place, .remove(node.id)))
        if let other = nodes.first(where: { $0.id != node.id }) {
          steps.append(.change(place, .remove(other.id)))
        }
      }
    }
    return steps
  }

  /// Nil if the step changes nothing.
  func after(_ step: Step) -> ModelState? {
    var next = self
    switch step {
    case .deliver(let place):
      let message = next.network.remove(at: place)
      guard let receiver = nodes.firstIndex(where: { $0.id == message.to }) else { return nil }
      next.nodes[receiver].step(.received(message))
      next.drain(receiver)
    case .sync(let place):
      next.sync(place)
      next.drain(place)
    case .pass(let place, let passage):
      guard next.nodes[place].pass(passage) else { return nil }
      next.drain(place)
    case .propose(let place):
      next.left.proposals -= 1
      next.proposals += 1
      let proposal = Proposal(id: next.proposals, payload: [UInt8(next.proposals)])
      next.nodes[place].step(.proposed([proposal]))
      next.drain(place)
    case .crash(let place):
      next.left.crashes -= 1
      next.restart(place)
    case .change(let place, let change):
      next.left.changes -= 1
      next.nodes[place].step(.proposed([Proposal(id: 99, payload: [], change: change)]))
      next.drain(place)
    }
    return next
  }

  // MARK: - The owner's work

  private mutating func drain(_ place: Int) {
    while let ready = nodes[place].takeReady() {
      send(ready.messages)
      apply(ready.committed, on: place)
      let writes = ready.hardState != nil || !ready.entries.isEmpty || !ready.promises.isEmpty
      if writes { unsynced[place].append(ready) }
      if left.disks == .immediate { sync(place) }
    }
    check(nodes[place])
  }

  private mutating func sync(_ place: Int) {
    for ready in unsynced[place] {
      if let state = ready.hardState { disks[place].hardState = state }
      for entry in ready.entries {
        disks[place].entries.removeAll { $0.index >= entry.index }
        disks[place].entries.append(entry)
      }
      send(ready.promises)
      if let last = ready.entries.last {
        nodes[place].step(
          .persisted(term: last.term, index: last.index, epoch: ready.epoch))
      }
    }
    unsynced[place] = []
  }

  private mutating func restart(_ place: Int) {
    unsynced[place] = []
    let disk = disks[place]
    nodes[place] = ModelState.node(
      nodes[place].id,
      RaftRecovery(
        hardState: disk.hardState, entries: disk.entries, applied: disk.applied,
        membership: disk.membership))
    drain(place)
  }

  private mutating func send(_ messages: [Message]) {
    for message in messages where nodes.contains(where: { $0.id == message.to }) {
      // A network may lose what is too much for it, and carry one of two copies.
      guard network.count < left.messages, !network.contains(message) else { continue }
      network.append(message)
    }
  }

  private mutating func apply(_ entries: [Entry], on place: Int) {
    for entry in entries {
      disks[place].applied = entry.index
      if entry.kind == .membership, let found = Membership.decode(entry.payload) {
        disks[place].membership = PlacedMembership(
          index: entry.index, membership: found.membership)
      }
      let known = Int(entry.index.rawValue) - 1
      if known < committed.count {
        if committed[known].entry != entry {
          violation = "two entries are applied at \(entry.index)"
        }
      } else if known == committed.count {
        committed.append((entry, nodes[place].term))
      } else {
        violation = "entry \(entry.index) is applied before the one before it"
      }
    }
  }

  private mutating func check(_ node: RaftNode) {
    if let found = node.violation { violation = "\(node.id): \(found)" }
    guard node.isLeader else { return }
    let other = leaders[node.term] ?? node.id
    if other != node.id { violation = "\(other) and \(node.id) lead in term \(node.term)" }
    leaders[node.term] = node.id
    // Leader Completeness: a leader of an earlier term, which does not know yet that it is one, may
    // lack what was committed since.
    for (entry, term) in committed where entry.index > node.logBase && node.term > term {
      if node.term(at: entry.index) != entry.term {
        violation = "leader \(node.id) of term \(node.term) lacks committed entry \(entry.index)"
      }
    }
  }

  // MARK: - Comparing

  /// Equal for equal states within one process: the hashes of messages differ between processes.
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
    for (entry, term) in committed {
      entry.describe(into: &hasher)
      hasher.add(term.rawValue)
    }
    for (term, leader) in leaders.sorted(by: { $0.key < $1.key }) {
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

/// How far a search goes.
package struct SearchBounds: Hashable, Sendable {
  package var members = 3
  package var terms: UInt64 = 2
  package var proposals = 1
  package var crashes = 1
  package var changes = 0
  /// Messages under way; more are lost.
  package var messages = 3
  package var disks = Disks.slow

  /// Whether a member goes on while its disk writes: then a crash forgets more, and there are many
  /// more states.
  package enum Disks: String, CaseIterable, Sendable { case immediate, slow }

  package init() {}
}
