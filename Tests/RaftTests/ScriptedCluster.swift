@testable import Raft

/// Members, their disks and the messages between them, moved by commands of a transcript.
///
/// Nothing happens by itself: messages wait until they are delivered or dropped, and a disk that was
/// made slow keeps what is written until it is told to sync.
struct ScriptedCluster {
  struct Member {
    var node: RaftNode
    var hardState = HardState()
    var base = SnapshotMark.origin
    var entries: [Entry] = []
    var applied: LogIndex = .zero
    /// The membership that the state machine has applied.
    var membership: PlacedMembership
    var lost: SnapshotMark?
    /// Written, not yet durable.
    var unsynced: [Ready] = []
    var isSlow = false
  }

  var members: [MemberID: Member] = [:]
  var network: [Message] = []
  var output: [String] = []
  private var nextProposal: UInt64 = 1

  var ids: [MemberID] { members.keys.sorted() }

  mutating func run(_ commands: [String]) -> [String] {
    output = []
    for command in commands {
      do {
        try run(Words(command))
      } catch {
        output.append("\(error)")
      }
    }
    return output.isEmpty ? ["ok"] : output
  }

  private mutating func run(_ words: Words) throws {
    switch words.verb {
    case "members", "join": try create(words)
    case "campaign": try campaign(try words.member(0))
    case "tick":
      for _ in 0..<(try words.number("count") ?? 1) { try step(try words.member(0), .tick) }
    case "propose":
      nextProposal += 1
      try step(
        try words.member(0),
        .proposed([Proposal(id: nextProposal, payload: Array(words.text(1).utf8))]))
    case "change":
      nextProposal += 1
      let proposal = Proposal(id: nextProposal, payload: [], change: try words.change())
      try step(try words.member(0), .proposed([proposal]))
    case "read":
      try step(try words.member(0), .readRequested(ReadID(try words.number("id") ?? 1)))
    case "transfer":
      try step(try words.member(0), .transferRequested(to: try words.member("to")))
    case "unfit": try step(try words.member(0), .isFit(false))
    case "unreachable":
      try step(try words.member(0), .unreachable(try words.member("peer")))
    default: try runOnNetworkAndDisk(words)
    }
  }

  private mutating func runOnNetworkAndDisk(_ words: Words) throws {
    switch words.verb {
    case "deliver": try deliver(words)
    case "drop":
      for message in take(words) { output.append("dropped " + message.text) }
    case "duplicate": network += network.filter { words.matches($0) }
    case "stabilize": try stabilize(words)
    case "slow-disk": members[try words.member(0)]?.isSlow = true
    case "sync": try sync(try words.member(0))
    case "crash": try restart(try words.member(0))
    case "lose":
      try lose(try words.member(0), from: LogIndex(UInt64(try words.number("from") ?? 1)))
    case "compact":
      try compact(
        try words.member(0), through: LogIndex(UInt64(try words.number("through") ?? 0)))
    case "snapshot": try sendSnapshot(words)
    case "state": for id in try words.members(orAll: ids) { output.append(stateText(id)) }
    case "log": output += logText(try words.member(0))
    case "progress": output += progressText(try words.member(0))
    case "messages": output += network.map(\.text)
    default: throw ScriptError("no such command: \(words.verb)")
    }
  }

  // MARK: - Members

  private mutating func create(_ words: Words) throws {
    let voters = try words.list("voters")
    let learners = try words.list("learners")
    let founders =
      words.verb == "join"
      ? Membership.unknown : Membership(voters: voters, learners: learners)
    let created = words.verb == "join" ? [try words.member(0)] : voters + learners
    for id in created {
      let membership = PlacedMembership(index: .zero, membership: founders)
      members[id] = Member(node: node(id, membership: membership), membership: membership)
      try drain(id)
    }
  }

  private func node(_ id: MemberID, membership: PlacedMembership) -> RaftNode {
    RaftNode(configuration(id), recovering: RaftRecovery(membership: membership))
  }

  private func configuration(_ id: MemberID) -> RaftConfiguration {
    var limits = RaftLimits()
    limits.flightMessages = 3
    limits.uncommittedBytes = 64
    return RaftConfiguration(id: id, timeoutSeed: id.rawValue, limits: limits)
  }

  /// Lets the member's election timeout pass.
  private mutating func campaign(_ id: MemberID) throws {
    guard let member = members[id] else { throw ScriptError("no member \(id)") }
    for _ in 0..<(member.node.electionTimeout - member.node.electionElapsed) {
      try step(id, .tick)
    }
  }

  private mutating func restart(_ id: MemberID) throws {
    guard var member = members[id] else { throw ScriptError("no member \(id)") }
    member.unsynced = []
    member.node = RaftNode(
      configuration(id),
      recovering: RaftRecovery(
        hardState: member.hardState, base: member.base, entries: member.entries,
        applied: member.applied, membership: member.membership, lost: member.lost))
    members[id] = member
    try drain(id)
  }

  /// The member restarts with a log that has lost its end, and knows it.
  private mutating func lose(_ id: MemberID, from index: LogIndex) throws {
    guard var member = members[id] else { throw ScriptError("no member \(id)") }
    guard index > member.applied else {
      throw ScriptError("what is applied is never lost: it is in the state machine")
    }
    let last = member.entries.last.map { SnapshotMark(index: $0.index, term: $0.term) }
    if let last, member.lost.map(last.isUpToDate(with:)) ?? true { member.lost = last }
    member.entries.removeAll { $0.index >= index }
    members[id] = member
    try restart(id)
  }

  // MARK: - Work

  mutating func step(_ id: MemberID, _ event: Event) throws {
    guard members[id] != nil else { throw ScriptError("no member \(id)") }
    members[id]?.node.step(event)
    try drain(id)
  }

  private mutating func drain(_ id: MemberID) throws {
    while let ready = members[id]?.node.takeReady() {
      output += ready.lines(of: id)
      network += ready.messages
      for entry in ready.committed { apply(entry, on: id) }
      members[id]?.unsynced.append(ready)
      if members[id]?.isSlow == false { write(id) }
    }
    if let found = members[id]?.node.violation { throw ScriptError("\(id): \(found)") }
  }

  private mutating func apply(_ entry: Entry, on id: MemberID) {
    members[id]?.applied = entry.index
    guard entry.kind == .membership, let found = Membership.decode(entry.payload) else { return }
    members[id]?.membership = PlacedMembership(index: entry.index, membership: found.membership)
  }

  private mutating func sync(_ id: MemberID) throws {
    write(id)
    try drain(id)
  }

  private mutating func write(_ id: MemberID) {
    guard var member = members[id] else { return }
    for ready in member.unsynced {
      if let mark = ready.snapshot {
        member.base = mark
        member.entries = []
        member.applied = mark.index
        member.membership = ready.membership ?? member.membership
        member.node.step(.snapshotInstalled(mark.index))
      }
      if let state = ready.hardState { member.hardState = state }
      for entry in ready.entries {
        member.entries.removeAll { $0.index >= entry.index }
        member.entries.append(entry)
      }
      if ready.isWholeAgain { member.lost = nil }
      network += ready.promises
      if let last = ready.entries.last {
        member.node.step(.persisted(term: last.term, index: last.index, epoch: ready.epoch))
      }
    }
    member.unsynced = []
    members[id] = member
  }

  private mutating func compact(_ id: MemberID, through index: LogIndex) throws {
    guard let term = members[id]?.node.term(at: index), index <= members[id]!.applied else {
      throw ScriptError("only what is applied and still in the log can be cut")
    }
    members[id]?.base = SnapshotMark(index: index, term: term)
    members[id]?.entries.removeAll { $0.index <= index }
    try step(id, .compacted(through: index))
  }

  /// The state machine of one member, as it is now, is streamed to another.
  private mutating func sendSnapshot(_ words: Words) throws {
    let id = try words.member(0)
    let peer = try words.member("to")
    guard let member = members[id], let term = member.node.term(at: member.applied) else {
      throw ScriptError("no member \(id)")
    }
    let mark = SnapshotMark(index: member.applied, term: term)
    if words.text(1) == "fails" { return try step(id, .snapshotSent(to: peer, mark: nil)) }
    let message = Message(
      from: id, to: peer, term: member.node.term,
      body: .installSnapshot(mark: mark, membership: member.membership))
    output.append(message.text)
    try step(peer, .received(message))
    try step(id, .snapshotSent(to: peer, mark: mark))
  }

  // MARK: - Messages

  private mutating func take(_ words: Words) -> [Message] {
    let taken = network.filter { words.matches($0) }
    network.removeAll { words.matches($0) }
    return taken
  }

  private mutating func deliver(_ words: Words) throws {
    for message in take(words) where members[message.to] != nil {
      try step(message.to, .received(message))
    }
  }

  /// Delivers everything, between the members named, until nothing is left.
  private mutating func stabilize(_ words: Words) throws {
    let among = Set(try words.members(orAll: ids))
    for _ in 0..<10_000 {
      let place = network.firstIndex { among.contains($0.from) && among.contains($0.to) }
      guard let place else { return }
      let message = network.remove(at: place)
      try step(message.to, .received(message))
    }
    throw ScriptError("still not quiet after 10,000 messages")
  }
}
