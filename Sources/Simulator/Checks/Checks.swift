import Cluster
import Raft
import RaftLog
import Store

/// What must hold after every event, whatever happens (Raft thesis figure 3.2, and what follows from
/// it for stores): the world tells what it sees, and the first thing that does not fit fails the seed.
// Unchecked: the world is one thread.
final class Checks: @unchecked Sendable {
  /// What a member showed when its core last turned.
  private struct Seen {
    var owner: Incarnation
    var term: Term
    var commit: LogIndex
    var last: SnapshotMark
    var stable: SnapshotMark
    var isLeader: Bool
  }

  private unowned let world: World
  let truth: Truth
  private var promises = RaftPromises()
  private var seen: [MemberID: Seen] = [:]
  private var applied: [MemberID: LogIndex] = [:]
  private(set) var nodes: [MemberID: RaftNode] = [:]
  /// Changes of the membership that were seen before they were committed.
  private var pending: Set<LogIndex> = []
  /// When the clock of any member has leapt.
  var leaps: [VirtualTime] = []
  /// How often what is worth a test has happened, so that a simulation that tests nothing is seen.
  private(set) var coverage: [String: Int] = [:]

  init(_ world: World) {
    self.world = world
    truth = Truth(world)
  }

  func count(_ event: String, times: Int = 1) { coverage[event, default: 0] += times }

  /// The leader of the newest term, if it still leads.
  var leader: MemberID? {
    seen.values.filter(\.isLeader).max { $0.term < $1.term }.map { MemberID($0.owner.member) }
  }

  private func require(_ condition: Bool, _ reason: @autoclosure () -> String) {
    if !condition { world.fail(reason()) }
  }

  private func keep(_ broken: String?) {
    if let broken { world.fail(broken) }
  }

  // MARK: - Raft

  func turned(_ owner: Incarnation, _ node: RaftNode) {
    let id = node.id
    if let violation = node.violation { world.fail("\(id): \(violation)") }
    let before = seen[id].flatMap { $0.owner == owner ? $0 : nil }
    if let before {
      require(node.term >= before.term, "the term of \(id) fell")
      require(node.commitIndex >= before.commit, "the commit index of \(id) fell")
      if before.isLeader, node.isLeader, before.term == node.term {
        require(
          node.last.isUpToDate(with: before.last), "leader \(id) has cut its own log")
      }
    }
    checkLog(of: node, knownThrough: before?.stable)
    if node.leadsDurably { lead(node) }
    if node.isLeader, node.membership.index > node.commitIndex,
      pending.insert(node.membership.index).inserted
    {
      world.changePending?(id)
    }
    for entry in node.entries(from: LogIndex(max(1, node.logBase.rawValue)))
    where entry.index <= node.commitIndex && entry.index > (before?.commit ?? .zero) {
      truth.committed(entry, by: id, in: node.term)
    }
    seen[id] = Seen(
      owner: owner, term: node.term, commit: node.commitIndex, last: node.last,
      stable: SnapshotMark(
        index: node.stableIndex, term: node.term(at: node.stableIndex) ?? .zero),
      isLeader: node.isLeader)
    nodes[id] = node
    world.mix(node.term.rawValue)
    world.mix(node.commitIndex.rawValue)
    world.mix(node.last.index.rawValue)
  }

  /// Log Matching: the same index and term means the same entry, and the same before it.
  private func checkLog(of node: RaftNode, knownThrough known: SnapshotMark?) {
    var from = node.logBase.next
    if let known, node.term(at: known.index) == known.term { from = max(from, known.index.next) }
    // What is in memory alone may still be forgotten, and its place be given to another entry.
    for entry in node.entries(from: from) where entry.index <= node.stableIndex {
      keep(promises.durable(entry, after: node.term(at: entry.index.previous)))
    }
  }

  /// Election Safety and Leader Completeness.
  private func lead(_ node: RaftNode) {
    let id = node.id
    let isKnown = promises.leaders[node.term] == id
    keep(promises.leads(id, in: node.term))
    if isKnown { return }
    count("leaders")
    // One of an earlier term, elected late, may lack what was committed since.
    for (index, entry) in truth.committedEntries
    where index > node.logBase && truth.committedTerms[index] ?? .zero < node.term {
      require(
        node.term(at: index) == entry.term,
        "leader \(id) of term \(node.term) lacks committed entry \(index)/\(entry.term)")
    }
  }

  /// What a message promises.
  func sent(_ message: Message) {
    keep(promises.sent(message))
    if case .appendRejected(_, _, hasLost: true) = message.body { count("repairs") }
  }

  // MARK: - The state machine

  func applied(
    _ owner: Incarnation, _ entries: [Entry], _ commands: [AppliedCommand],
    position: StorePosition
  ) {
    let id = MemberID(owner.member)
    if let first = entries.first, let before = applied[id] {
      require(first.index == before.next, "\(id) applies \(first.index) after \(before)")
    }
    for entry in entries {
      truth.applied(entry, by: id)
      if entry.kind == .command, Command.isIntegrityCheck(entry.payload) { count("state checks") }
    }
    for command in commands {
      truth.applied(command, by: id)
      // Nothing damages a state database here, and nobody raises an alarm: whatever does is a difference
      // between members that the digest has missed, or a hash that depends on more than the state.
      require(!command.changesAlarms, "members are said to differ, as of what \(id) applies")
    }
    if let last = entries.last {
      applied[id] = last.index
      truth.reached(last.index, digest: position.digest, by: id)
    }
    world.mix(position.digest)
  }

  /// A snapshot replaced the state, or a restart took it back: what comes next is not known.
  func crashed(_ id: MemberID) {
    applied[id] = nil
    seen[id]?.isLeader = false
    nodes[id] = nil
    count("crashes")
  }

  func installed(_ mark: SnapshotMark, on owner: Incarnation) {
    applied[MemberID(owner.member)] = mark.index
    count("snapshots")
  }

  // MARK: - Starting

  /// A disk that works says so too: the program has looked for what it had never made, or made anew
  /// what is there.
  static func isMistaken(_ error: any Error) -> Bool {
    guard case LogError.io(_, _, let code) = error else { return false }
    return code == 2 || code == 17
  }

  func refusedToStart(_ id: MemberID, _ error: any Error) {
    world.members[id]?.crash(losingPower: false)
    switch error {
    case LogError.io where !Checks.isMistaken(error):
      world.after(500_000, owner: nil, "restart") { [world] in world.start(id) }
    case LogError.damaged where world.members[id]?.disk.injected ?? 0 > 1,
      is StartError where world.members[id]?.disk.injected ?? 0 > 1:
      // Several faults in one log: it can't tell what it has lost, and the member is replaced.
      count("unreadable logs")
      world.members[id]?.isRetired = true
    default:
      let faults = world.members[id]?.disk.injected ?? 0
      world.fail("\(id) refuses to start after \(faults) faults of its disk: \(error)")
    }
  }
}
