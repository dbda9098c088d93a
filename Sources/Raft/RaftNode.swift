import DequeModule

/// One member's view of its group: no clock, disk, socket, or randomness inside.
///
/// Events go in by `step`; the work to do comes out of `takeReady`. The algorithm is Raft as in
/// Ongaro's thesis, with pre-vote (§9.6), check-quorum (§6.2), read index (§6.4), leadership transfer
/// (§3.10) and joint membership (§4.3). `Documentation/raft.md` lists where it differs.
package struct RaftNode: Sendable {
  enum Role: Sendable {
    case follower(leader: MemberID?)
    case preCandidate(votes: [MemberID: Bool])
    case candidate(votes: [MemberID: Bool])
    case leader(LeaderState)
  }

  /// What only a leader keeps.
  struct LeaderState: Sendable {
    var progress: [MemberID: Progress]
    /// Counts up within the term, so that no answer can confirm a read asked after it left.
    var readToken: UInt64 = 0
    var uncommittedBytes = 0
    var transfer: Transfer?
    /// A sole voter leads at once; what it says waits until its term and vote are durable. Any other
    /// leader has been voted for by members that it asked after that.
    var isTermDurable: Bool
  }

  /// A handing over that is under way.
  struct Transfer: Hashable, Sendable {
    var target: MemberID
    var elapsed = 0
  }

  struct PendingRead: Sendable {
    var id: ReadID
    var origin: MemberID
    /// Both are set when the first heartbeat that carries the token leaves.
    var issued: (token: UInt64, index: LogIndex)?
  }

  let configuration: RaftConfiguration
  var memberships: MembershipHistory
  /// What it takes to decide under the current membership.
  var quorum: Quorum
  /// The others that this member sends to, ascending: the current membership and, until its
  /// successor is committed, the one before.
  var peers: [MemberID]
  var role: Role = .follower(leader: nil)
  package internal(set) var term: Term
  package internal(set) var vote: MemberID?
  var log: LogWindow
  var commit: LogIndex
  /// The last entry known to be durable here.
  var stable: LogIndex
  /// The last entry handed out in `Ready.committed`.
  var handedOut: LogIndex
  /// Entries after this one have not been handed out in `Ready.entries`.
  var written: LogIndex
  /// Grows whenever entries that were handed out are replaced.
  var writeEpoch: UInt64 = 0
  /// Where the log once ended, while it is older than that: see `RaftRecovery.lost`.
  package internal(set) var lost: SnapshotMark?
  /// The owner's word: its state machine may be unfit.
  package private(set) var isFit = true
  /// Elections in a row that it has left to others.
  var patience = 0
  var electionElapsed = 0
  var heartbeatElapsed = 0
  var electionTimeout: Int
  /// A leader's reads that wait for their token to be confirmed by a quorum, oldest first. They and
  /// the forwards stand beside the role, since they are large: who changes a copy pays for it.
  var pendingReads: [PendingRead] = []
  /// What others have passed on to this leader in its term.
  var forwards = RememberedForwards()
  /// Reads asked of the leader by this follower; they fail when the leader changes.
  var forwardedReads: Set<ReadID> = []
  var ready = Ready()
  private var timeoutState: UInt64
  private var handedHardState: HardState
  private var handedLeadership = Leadership(term: .zero, leader: nil)
  /// The snapshot that the state machine has yet to be replaced by.
  var installing: LogIndex?

  package init(_ configuration: RaftConfiguration, recovering disk: RaftRecovery) {
    precondition(disk.applied >= disk.base.index, "the state machine lacks compacted entries")
    self.configuration = configuration
    self.term = disk.hardState.term
    self.vote = disk.hardState.vote
    self.log = LogWindow(base: disk.base, entries: disk.entries)
    precondition(disk.applied <= log.last.index, "the state machine is ahead of the log")
    memberships = MembershipHistory(committed: disk.membership)
    for entry in disk.entries where entry.index > disk.applied { memberships.append(entry) }
    quorum = Quorum(memberships.current.membership)
    peers = []
    self.commit = max(disk.applied, min(disk.hardState.commit, log.last.index))
    self.stable = log.last.index
    self.written = log.last.index
    self.handedOut = disk.applied
    self.handedHardState = disk.hardState
    self.lost = disk.lost
    self.timeoutState = configuration.timeoutSeed
    self.electionTimeout = configuration.electionTicks
    drawElectionTimeout()
    memberships.commit(through: commit)
    membershipChanged()
  }

  package var id: MemberID { configuration.id }
  package var leadership: Leadership { Leadership(term: term, leader: leader) }
  package var leader: MemberID? {
    switch role {
    case .follower(let leader): leader
    case .leader: id
    case .preCandidate, .candidate: nil
    }
  }
  package var isLeader: Bool { if case .leader = role { true } else { false } }
  package var lastIndex: LogIndex { log.last.index }
  package var last: SnapshotMark { log.last }
  package var commitIndex: LogIndex { commit }
  package var stableIndex: LogIndex { stable }
  package var membership: PlacedMembership { memberships.current }
  /// Payload bytes held in memory, and the first index still there: what compaction judges by.
  package var logBytes: Int { log.bytes }
  package var logBase: LogIndex { log.base.index }

  /// The term of an entry that the log still holds.
  package func term(at index: LogIndex) -> Term? { log.term(at: index) }
  /// Entries that the log still holds, from `index` on.
  package func entries(from index: LogIndex) -> [Entry] {
    log.slice(from: max(index, log.first), through: .max, maximumBytes: .max)
  }

  package mutating func step(_ event: Event) {
    switch event {
    case .tick: tick()
    case .received(let message): receive(message)
    case .proposed(let proposals): propose(proposals)
    case .transferRequested(let target): beginTransfer(to: target)
    case .isFit(let isFit): self.isFit = isFit
    case .readRequested(let id): requestRead(id, from: self.id)
    case .persisted(let term, let index, let epoch):
      if epoch == writeEpoch { persisted(term: term, index: index) }
    case .snapshotInstalled(let index): snapshotInstalled(index)
    case .compacted(let index): log.compact(through: min(index, handedOut))
    case .snapshotSent(let member, let mark): snapshotSent(to: member, mark: mark)
    case .unreachable(let member): peerUnreachable(member)
    }
  }

  /// The work that has gathered, if any; the caller does it and reports back.
  package mutating func takeReady() -> Ready? {
    sendPendingReads()
    // The hint must never become durable before the entries that it speaks of.
    let hardState = HardState(term: term, vote: vote, commit: min(commit, stable))
    if hardState.term != handedHardState.term || hardState.vote != handedHardState.vote {
      ready.hardState = hardState
      handedHardState = hardState
    }
    if written < log.last.index {
      ready.entries = log.slice(from: written.next, through: .max, maximumBytes: .max)
      written = log.last.index
    }
    let applicable = min(commit, stable)
    if handedOut < applicable, installing == nil {
      ready.committed = log.slice(
        from: handedOut.next, through: applicable,
        maximumBytes: configuration.limits.committedBytes)
      handedOut = ready.committed.last?.index ?? handedOut
    }
    if leadership != handedLeadership {
      handedLeadership = leadership
      ready.leadership = leadership
    }
    guard !ready.isEmpty else { return nil }
    ready.epoch = writeEpoch
    defer { ready = Ready() }
    return ready
  }

  // MARK: - Shared by the aspects

  /// Sends at once: nothing that it says needs to be durable first, but for the term of a leader
  /// that has asked nobody.
  mutating func send(_ body: Message.Body, to member: MemberID) {
    if case .leader(let state) = role, !state.isTermDurable { return promise(body, to: member) }
    ready.messages.append(Message(from: id, to: member, term: term, body: body))
  }

  /// Sends once everything handed out so far is durable.
  mutating func promise(_ body: Message.Body, to member: MemberID) {
    ready.promises.append(Message(from: id, to: member, term: term, body: body))
  }

  mutating func becomeFollower(term: Term, leader: MemberID?) {
    precondition(term >= self.term, "a term never falls")
    if term > self.term {
      self.term = term
      vote = nil
    }
    failReads(unless: leader)
    // Only a leader sends snapshots, and in its own term.
    ready.snapshotsNeeded = []
    role = .follower(leader: leader)
    if leader != nil { patience = 0 }
    electionElapsed = 0
    drawElectionTimeout()
  }

  mutating func drawElectionTimeout() {
    // SplitMix64 (Steele, Lea, Flood 2014): a sequence fixed by the seed, no source of chance.
    timeoutState &+= 0x9e37_79b9_7f4a_7c15
    var mixed = timeoutState
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    mixed ^= mixed >> 31
    let base = configuration.electionTicks
    electionTimeout = base + Int(mixed % UInt64(base))
  }

  mutating func advanceCommit(to index: LogIndex) {
    guard index > commit else { return }
    precondition(index <= log.last.index, "a commit index beyond the log")
    commit = index
    if memberships.current.index > memberships.committed.index { membershipCommitted() }
  }

  /// A leader has proved that the log agrees with its own through `mark`: if that reaches what was
  /// lost, this member is whole again. Its own last entry proves nothing: a disk that loses the
  /// newest writes brings back what they had replaced.
  mutating func noteProved(_ mark: SnapshotMark) {
    guard let lost, mark.isUpToDate(with: lost) else { return }
    self.lost = nil
    ready.isWholeAgain = true
  }

  private mutating func snapshotInstalled(_ index: LogIndex) {
    // A report of an earlier one says nothing: the entries after the later one must wait for it.
    if index == installing { installing = nil }
  }

  private mutating func persisted(term: Term, index: LogIndex) {
    // An entry that was replaced meanwhile has another term: that write proves nothing now.
    guard index > stable, log.term(at: index) == term else { return }
    stable = index
    guard case .leader(var state) = role else { return }
    if term == self.term { state.isTermDurable = true }
    role = .leader(state)
    tryToCommit()
  }
}

/// The proposals that others have passed on to this leader in its term: a message may come twice.
struct RememberedForwards: Sendable {
  private struct Name: Hashable {
    var member: MemberID
    var id: UInt64
  }

  private var names: Set<Name> = []
  private var order: Deque<Name> = []

  /// Whether it is new; the oldest name is forgotten beyond `limit`.
  mutating func insert(_ id: UInt64, from member: MemberID, limit: Int) -> Bool {
    let name = Name(member: member, id: id)
    guard names.insert(name).inserted else { return false }
    order.append(name)
    if order.count > limit, let oldest = order.popFirst() { names.remove(oldest) }
    return true
  }
}
