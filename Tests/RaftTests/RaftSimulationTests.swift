import Testing

@testable import Raft

/// A small random generator with a seed, so that a failure can be played again.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }
  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}

/// Three members, an unreliable network, and disks that lose what was not yet synced.
private struct World {
  struct Disk {
    var hardState = HardState()
    var base = SnapshotMark.origin
    var entries: [Entry] = []
    var applied: LogIndex = .zero

    mutating func write(_ ready: Ready) {
      if let mark = ready.snapshot {
        base = mark
        entries = []
        applied = mark.index
      }
      if let state = ready.hardState { hardState = state }
      for entry in ready.entries {
        entries.removeAll { $0.index >= entry.index }
        entries.append(entry)
      }
    }
  }

  var random: SeededGenerator
  var nodes: [MemberID: RaftNode] = [:]
  var disks: [MemberID: Disk] = [:]
  /// Written but not yet synced, oldest first: a crash loses all of it.
  var unsynced: [MemberID: [Ready]] = [:]
  var network: [Message] = []
  var leaders: [Term: MemberID] = [:]
  /// What was applied at each index, by whoever was first.
  var committed: [LogIndex: Entry] = [:]
  var acknowledged = 0
  var lossPercent: UInt64
  let ids = [MemberID(1), MemberID(2), MemberID(3)]
  var membership: PlacedMembership {
    PlacedMembership(index: .zero, membership: Membership(voters: ids))
  }

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
    lossPercent = random.next() % 40
    for id in ids {
      disks[id] = Disk()
      unsynced[id] = []
      start(id)
    }
  }

  mutating func start(_ id: MemberID) {
    let disk = disks[id]!
    nodes[id] = RaftNode(
      RaftConfiguration(id: id, timeoutSeed: random.next()),
      recovering: RaftRecovery(
        hardState: disk.hardState, base: disk.base, entries: disk.entries,
        applied: disk.applied, membership: membership))
  }

  mutating func step() {
    let id = ids[Int(random.next() % 3)]
    switch random.next() % 100 {
    case 0..<30: nodes[id]!.step(.tick)
    case 30..<70: deliver()
    case 70..<80: sync(id)
    case 80..<90: propose(on: id)
    case 90..<92: compact(id)
    case 92: crash(id)
    default: nodes[id]!.step(.readRequested(ReadID(random.next())))
    }
    drain(id)
  }

  mutating func propose(on id: MemberID) {
    let payload = [UInt8(random.next() % 256)]
    nodes[id]!.step(.proposed([Proposal(id: random.next(), payload: payload)]))
  }

  mutating func deliver() {
    guard !network.isEmpty else { return }
    let message = network.remove(at: Int(random.next() % UInt64(network.count)))
    if random.next() % 100 < lossPercent { return }
    if random.next() % 20 == 0 { network.append(message) }
    nodes[message.to]!.step(.received(message))
    drain(message.to)
  }

  mutating func drain(_ id: MemberID) {
    while let ready = nodes[id]!.takeReady() {
      network += ready.messages
      for entry in ready.committed { apply(entry, on: id) }
      if ready.leadership?.leader == id { elected(id) }
      for peer in ready.snapshotsNeeded { sendSnapshot(from: id, to: peer) }
      unsynced[id]!.append(ready)
    }
  }

  /// Everything written so far becomes durable, and what waited for it leaves.
  mutating func sync(_ id: MemberID) {
    for ready in unsynced[id]! {
      disks[id]!.write(ready)
      network += ready.promises
      if let mark = ready.snapshot { nodes[id]!.step(.snapshotInstalled(mark.index)) }
      if let last = ready.entries.last {
        nodes[id]!.step(.persisted(term: last.term, index: last.index, epoch: ready.epoch))
      }
    }
    unsynced[id] = []
  }

  mutating func apply(_ entry: Entry, on id: MemberID) {
    if let other = committed[entry.index] {
      #expect(other == entry, "state machine safety at \(entry.index)")
    } else {
      committed[entry.index] = entry
      acknowledged += 1
    }
    let applied = disks[id]!.applied
    #expect(entry.index == applied.next, "applied in order on \(id)")
    disks[id]!.applied = entry.index
    #expect(
      disks[id]!.entries.contains { $0.index == entry.index && $0.term == entry.term },
      "only what is durable is applied")
  }

  mutating func elected(_ id: MemberID) {
    let term = nodes[id]!.term
    #expect(leaders[term] == nil || leaders[term] == id, "one leader in term \(term)")
    leaders[term] = id
    for (index, entry) in committed where index > nodes[id]!.log.base.index {
      #expect(nodes[id]!.log.term(at: index) == entry.term, "leader completeness at \(index)")
    }
  }

  mutating func compact(_ id: MemberID) {
    let through = disks[id]!.applied
    guard let term = nodes[id]!.term(at: through), through > disks[id]!.base.index else { return }
    sync(id)
    disks[id]!.base = SnapshotMark(index: through, term: term)
    disks[id]!.entries.removeAll { $0.index <= through }
    nodes[id]!.step(.compacted(through: through))
  }

  mutating func sendSnapshot(from id: MemberID, to peer: MemberID) {
    let index = disks[id]!.applied
    guard let term = nodes[id]!.term(at: index) else { return }
    let mark = SnapshotMark(index: index, term: term)
    if random.next() % 4 > 0 {
      network.append(
        Message(
          from: id, to: peer, term: nodes[id]!.term,
          body: .installSnapshot(mark: mark, membership: membership)))
      nodes[id]!.step(.snapshotSent(to: peer, mark: mark))
    } else {
      nodes[id]!.step(.snapshotSent(to: peer, mark: nil))
    }
  }

  mutating func crash(_ id: MemberID) {
    unsynced[id] = []
    start(id)
  }

  /// Ends the faults: a leader must emerge, and everyone must hold the same.
  mutating func heal() {
    lossPercent = 0
    for _ in 0..<20_000 {
      for id in ids {
        if random.next() % 4 == 0 { nodes[id]!.step(.tick) }
        drain(id)
        sync(id)
        drain(id)
      }
      for _ in 0..<20 { deliver() }
      if isQuiet { return }
    }
  }

  var isQuiet: Bool {
    let leader = nodes.values.first { $0.isLeader }
    guard let leader, leader.commit == leader.lastIndex else { return false }
    return ids.allSatisfy { disks[$0]!.applied == leader.lastIndex }
  }
}

struct RaftSimulationTests {
  @Test(arguments: 0..<40)
  func membersStayEqualUnderFaults(block: UInt64) {
    for seed in block * 5..<block * 5 + 5 {
      var world = World(seed: seed + 1)
      for _ in 0..<3000 { world.step() }
      world.heal()
      #expect(world.isQuiet, "seed \(seed): no progress after the faults ended")
      #expect(world.acknowledged > 0, "seed \(seed): nothing was ever committed")
    }
  }
}
