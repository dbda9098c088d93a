import Raft

/// What must hold in every state of a model, and what has to be remembered to tell (thesis figure
/// 3.2, §6.4).
struct ModelChecks {
  private(set) var violation: String?
  /// The committed configurations, from that of the founders on.
  private var memberships: [PlacedMembership] = []
  /// Entries that some member has applied, from the first on, and its term then.
  private(set) var committed: [(entry: Entry, by: Term)] = []
  private var promises = RaftPromises()
  /// The highest index that any member knew to be committed, and what it was when a read began.
  private(set) var highestCommit = LogIndex.zero
  private var askedAt: [UInt64: LogIndex] = [:]
  private var dropped: Set<UInt64> = []
  private var taken: [UInt64: LogIndex] = [:]
  private(set) var answeredReads = 0

  init(founders: PlacedMembership) { memberships = [founders] }

  var leaders: [Term: MemberID] { promises.leaders }

  /// Keeps the first reason; nil is none.
  mutating func fail(_ reason: String?) {
    if violation == nil { violation = reason }
  }

  // MARK: - What happens

  mutating func turned(_ node: RaftNode) {
    if let found = node.violation { fail("\(node.id): \(found)") }
    highestCommit = max(highestCommit, node.commitIndex)
    checkMembership(of: node)
    guard node.leadsDurably else { return }
    fail(promises.leads(node.id, in: node.term))
    // Leader Completeness: a leader of an earlier term, which does not know yet that it is one, may
    // lack what was committed since.
    for (entry, term) in committed where entry.index > node.logBase && node.term > term {
      if node.term(at: entry.index) != entry.term {
        fail("leader \(node.id) of term \(node.term) lacks committed entry \(entry.index)")
      }
    }
  }

  /// A member goes by the newest configuration in its log; where that is a committed one, by the same
  /// as everyone else. One that has yet to learn of any goes by none.
  private mutating func checkMembership(of node: RaftNode) {
    let found = node.membership
    guard found.index <= node.commitIndex, Int(node.commitIndex.rawValue) <= committed.count else {
      return
    }
    let right = membership(at: node.commitIndex)
    if found != right, right.index > .zero {
      fail(
        "\(node.id) goes by the configuration of \(found.index), and \(right.index) is committed")
    }
  }

  mutating func sent(_ message: Message) { fail(promises.sent(message)) }

  mutating func note(_ ready: Ready, of id: MemberID) {
    for proposal in ready.dropped {
      dropped.insert(proposal.id)
      if let index = taken[proposal.id] {
        fail("proposal \(proposal.id) is reported as dropped, and was applied at \(index)")
      }
    }
    for (read, index) in ready.reads {
      answeredReads += 1
      let asked = askedAt[read.rawValue] ?? .zero
      if index < asked { fail("a read on \(id) is answered at \(index), asked for at \(asked)") }
    }
  }

  mutating func asked(_ read: UInt64) { askedAt[read] = highestCommit }

  mutating func durable(_ entry: Entry, after previous: Term?) {
    fail(promises.durable(entry, after: previous))
  }

  mutating func applied(_ entry: Entry, after last: LogIndex, by node: RaftNode) {
    if entry.index != last.next { fail("\(node.id) applies \(entry.index) after \(last)") }
    let known = Int(entry.index.rawValue) - 1
    if known < committed.count {
      if committed[known].entry != entry { fail("two entries are applied at \(entry.index)") }
      return
    }
    guard known == committed.count else {
      return fail("entry \(entry.index) is applied before the one before it")
    }
    committed.append((entry, node.term))
    if entry.kind == .membership, let found = Membership.decode(entry.payload) {
      memberships.append(PlacedMembership(index: entry.index, membership: found.membership))
    }
    guard let id = ModelChecks.proposal(of: entry) else { return }
    if let other = taken[id] { fail("proposal \(id) is applied at \(other) and \(entry.index)") }
    if dropped.contains(id) { fail("proposal \(id) is applied, and was reported as dropped") }
    taken[id] = entry.index
  }

  /// The proposal that an entry came from.
  private static func proposal(of entry: Entry) -> UInt64? {
    let bytes: [UInt8]
    switch entry.kind {
    case .command: bytes = entry.payload
    case .membership: bytes = Membership.decode(entry.payload)?.context ?? []
    case .noOperation: return nil
    }
    return bytes.count == 2 ? UInt64(bytes[0]) | UInt64(bytes[1]) << 8 : nil
  }

  /// The configuration that counts for whoever has applied everything through `index`.
  func membership(at index: LogIndex) -> PlacedMembership {
    memberships.last { $0.index <= index } ?? memberships[0]
  }

  var wasApplied: Int { committed.count }
  func isApplied(_ proposal: UInt64) -> Bool { taken[proposal] != nil }
}
