import Raft
import Store
import Synchronization

/// Who waits for what, each until a tick at which it gives up.
///
/// A value: the caller resumes the continuations that it hands back, outside any lock.
struct Waiters: Sendable {
  typealias Proposal = CheckedContinuation<Result<Outcome, ClusterError>, Never>
  typealias Question = CheckedContinuation<LeaseAnswer, Never>
  typealias Read = CheckedContinuation<Result<Void, ClusterError>, Never>

  private struct WaitingProposal: Sendable {
    var continuation: Proposal
    var deadline: Int
    var bytes: Int
  }

  struct ReadWaiter: Sendable {
    var continuation: Read
    var deadline: Int
  }

  struct ReadBatch: Sendable {
    var waiters: [ReadWaiter]
    var askedAt: Int
    /// Known once the leader has answered.
    var index: LogIndex?
  }

  /// Ticks after which a read that was asked of the leader is asked again under a new name.
  static let readRetryTicks = 5

  private(set) var tick = 0
  private var isClosed = false
  private var proposals: [UInt64: WaitingProposal] = [:]
  private let proposalBytesLimit: Int
  private var proposalBytes = 0
  /// What was asked of the leader about leases.
  private var questions: [UInt64: (continuation: Question, deadline: Int)] = [:]
  private var unasked: [ReadWaiter] = []
  private var asked: [ReadID: ReadBatch] = [:]
  private var nextRead: UInt64

  /// - Parameter proposalBytes: what the proposals that wait may have together, unless one alone has more.
  init(firstRead: UInt64, proposalBytes: Int) {
    nextRead = firstRead
    proposalBytesLimit = proposalBytes
  }

  // MARK: - Proposals

  enum Joined { case waits, full, closed }

  mutating func add(_ continuation: Proposal, number: UInt64, bytes: Int, ticks: Int) -> Joined {
    guard !isClosed else { return .closed }
    guard proposals.isEmpty || proposalBytes + bytes <= proposalBytesLimit else { return .full }
    proposalBytes += bytes
    proposals[number] = WaitingProposal(
      continuation: continuation, deadline: tick + ticks, bytes: bytes)
    return .waits
  }

  var pendingProposals: Int { proposals.count }

  func isWaiting(_ number: UInt64) -> Bool { proposals[number] != nil }

  mutating func takeProposal(_ number: UInt64) -> Proposal? {
    guard let proposal = proposals.removeValue(forKey: number) else { return nil }
    proposalBytes -= proposal.bytes
    return proposal.continuation
  }

  // MARK: - Questions about leases

  /// Adds a question; false if the member has stopped.
  mutating func ask(_ continuation: Question, number: UInt64, ticks: Int) -> Bool {
    guard !isClosed else { return false }
    questions[number] = (continuation, tick + ticks)
    return true
  }

  mutating func takeQuestion(_ number: UInt64) -> Question? {
    questions.removeValue(forKey: number)?.continuation
  }

  // MARK: - Reads

  enum Added { case first, further, closed }

  /// Adds a read; at the first that waits to be asked the loop must be told.
  mutating func add(_ read: Read, ticks: Int) -> Added {
    guard !isClosed else { return .closed }
    unasked.append(ReadWaiter(continuation: read, deadline: tick + ticks))
    return unasked.count == 1 ? .first : .further
  }

  /// One name for all reads that wait to be asked.
  mutating func takeUnasked() -> ReadID? {
    guard !unasked.isEmpty else { return nil }
    let id = ReadID(nextRead)
    nextRead &+= 1
    asked[id] = ReadBatch(waiters: unasked, askedAt: tick, index: nil)
    unasked = []
    return id
  }

  mutating func readFailed(_ id: ReadID) {
    guard let batch = asked.removeValue(forKey: id) else { return }
    unasked += batch.waiters
  }

  mutating func readAnswered(_ id: ReadID, index: LogIndex) { asked[id]?.index = index }

  /// Reads whose index is applied.
  mutating func takeReads(applied: LogIndex) -> [Read] {
    let done = asked.filter { ($0.value.index ?? .max) <= applied }
    return Waiters.ordered(done.keys).flatMap { id in
      asked.removeValue(forKey: id)?.waiters.map(\.continuation) ?? []
    }
  }

  // MARK: - Time

  /// Those who wait for nothing any more, each kind in the order in which they began.
  struct Released: Sendable {
    var proposals: [Proposal]
    var reads: [Read]
    var questions: [Question]
  }

  mutating func advance() -> Released {
    tick += 1
    let late = proposals.filter { $0.value.deadline <= tick }
    for number in late.keys { _ = takeProposal(number) }
    let unanswered = questions.filter { $0.value.deadline <= tick }
    for number in unanswered.keys { questions[number] = nil }
    for id in Waiters.ordered(asked.keys) {
      guard let batch = asked[id], batch.index == nil,
        tick - batch.askedAt >= Waiters.readRetryTicks
      else { continue }
      readFailed(id)
    }
    var reads: [Read] = []
    let now = tick
    func expire(_ waiters: inout [ReadWaiter]) {
      reads += waiters.filter { $0.deadline <= now }.map(\.continuation)
      waiters.removeAll { $0.deadline <= now }
    }
    expire(&unasked)
    for id in Waiters.ordered(asked.keys) { expire(&asked[id]!.waiters) }
    return Released(
      proposals: late.sorted { $0.key < $1.key }.map(\.value.continuation), reads: reads,
      questions: unanswered.sorted { $0.key < $1.key }.map(\.value.continuation))
  }

  /// Whoever waits is woken in one order, whatever the order of a dictionary.
  private static func ordered(_ ids: some Sequence<ReadID>) -> [ReadID] {
    ids.sorted { $0.rawValue < $1.rawValue }
  }

  /// Takes everyone who waits; nobody is added any more.
  mutating func close() -> Released {
    isClosed = true
    defer {
      proposals = [:]
      proposalBytes = 0
      questions = [:]
      unasked = []
      asked = [:]
    }
    let reads = unasked + Waiters.ordered(asked.keys).flatMap { asked[$0]?.waiters ?? [] }
    return Released(
      proposals: proposals.sorted { $0.key < $1.key }.map(\.value.continuation),
      reads: reads.map(\.continuation),
      questions: questions.sorted { $0.key < $1.key }.map(\.value.continuation))
  }
}
