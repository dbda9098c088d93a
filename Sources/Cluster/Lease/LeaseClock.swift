import HeapModule
import Raft
import Store

/// What a leader has to propose about leases.
struct LeaseWork: Sendable {
  /// Leases whose time is over.
  var expired: [Lease] = []
  var checkpoints: [LeaseCheckpoint] = []
}

/// Measures the time of leases, at the leader alone.
///
/// A value: time comes in by `advance`, effects of applied entries by `apply`. A leader begins with what
/// the store says that was left of each lease, and an extension within which its clients find it.
///
/// - Complexity: O(log *n*) a lease granted, expired or written down; O(1) a renewal.
struct LeaseClock: Sendable {
  /// Leases that are asked to end in one turn; the rest follow in the next.
  static let expiriesPerTurn = 100
  /// Checkpoints in one command; the rest follow in the next turn.
  static let checkpointsPerTurn = 1000
  /// Alarms that are looked at in one turn.
  static let alarmsPerTurn = 10_000
  /// No alarm is set for later than this: one of a lease that has ended goes when it rings.
  static let longestAlarm = Duration.seconds(300)

  private struct Running {
    var lease: Lease
    var deadline: Duration
    /// Which checkpoint said last that less than its whole time is left; nil if the store says that
    /// all of it is, and no checkpoint is on its way.
    var checkpoint: Int?
    /// Its end was proposed: whether that takes effect is not known yet.
    var isEnding = false
  }

  private struct Alarm: Comparable {
    enum Kind: UInt8 { case deadline, checkpoint }
    var time: Duration
    var id: Int64
    var grantedAt: UInt64
    var kind: Kind

    static func < (left: Alarm, right: Alarm) -> Bool {
      (left.time, left.id, left.grantedAt, left.kind.rawValue)
        < (right.time, right.id, right.grantedAt, right.kind.rawValue)
    }
  }

  /// Leases that live shorter than this are never written down.
  private let checkpointInterval: Duration
  /// What a new leader adds to each lease; and after how long the end of one that was proposed, and has
  /// not come, is proposed again.
  private let electionTimeout: Duration
  /// The longest time that one turn counts.
  private let longestTurn: Duration
  private var now = Duration.zero
  /// The term in which this member leads.
  private var leads: Term?
  private var running: [Int64: Running]?
  private var checkpoints = 0
  private var alarms = Heap<Alarm>()

  init(checkpointInterval: Duration, electionTimeout: Duration) {
    self.checkpointInterval = checkpointInterval
    self.electionTimeout = electionTimeout
    longestTurn = electionTimeout / 2
  }

  // MARK: - Leading

  /// The term in which time is measured; nil while this member does not lead, or has not read the
  /// leases yet.
  var term: Term? { running == nil ? nil : leads }

  /// This member leads in `term` from now on; the leases follow by `begin`.
  mutating func lead(in term: Term) {
    follow()
    leads = term
  }

  mutating func follow() {
    leads = nil
    running = nil
    alarms = Heap()
  }

  /// The leases as they stand once this member leads in `term`; ignored if it does no more.
  mutating func begin(in term: Term, with leases: [Lease]) {
    guard leads == term, running == nil else { return }
    running = [:]
    for lease in leases { add(lease, left: .seconds(lease.remaining) + electionTimeout) }
  }

  private mutating func add(_ lease: Lease, left: Duration) {
    let deadline = self.deadline(in: left)
    running?[lease.id] = Running(
      lease: lease, deadline: deadline, checkpoint: lease.remaining < lease.ttl ? 0 : nil)
    set(.deadline, for: lease, at: min(deadline, now + LeaseClock.longestAlarm))
    if .seconds(lease.ttl) > checkpointInterval {
      set(.checkpoint, for: lease, at: now + checkpointInterval)
    }
  }

  /// The current turn may have begun a while ago, and counts as a whole when it ends.
  private func deadline(in time: Duration) -> Duration { now + time + longestTurn }

  private mutating func set(_ kind: Alarm.Kind, for lease: Lease, at time: Duration) {
    alarms.insert(Alarm(time: time, id: lease.id, grantedAt: lease.grantedAt, kind: kind))
  }

  /// What an applied entry did to a lease, in the order of the entries.
  mutating func apply(_ effect: LeaseEffect) {
    guard running != nil else { return }
    switch effect {
    case .granted(let lease): add(lease, left: .seconds(lease.ttl))
    case .ended(let id): running?[id] = nil
    }
  }

  // MARK: - Time

  /// Lets `elapsed` pass and tells what has to be proposed.
  ///
  /// A member that was stopped for a while did not hear its clients meanwhile: of that time no more
  /// than half an election timeout counts.
  mutating func advance(by elapsed: Duration) -> LeaseWork {
    now += min(max(.zero, elapsed), longestTurn)
    var work = LeaseWork()
    for _ in 0..<LeaseClock.alarmsPerTurn {
      guard let alarm = alarms.min, alarm.time <= now,
        work.expired.count < LeaseClock.expiriesPerTurn,
        work.checkpoints.count < LeaseClock.checkpointsPerTurn
      else { break }
      alarms.removeMin()
      guard let found = running?[alarm.id], found.lease.grantedAt == alarm.grantedAt else {
        continue
      }
      switch alarm.kind {
      case .deadline: ring(found, &work)
      case .checkpoint: writeDown(found, &work)
      }
    }
    return work
  }

  private mutating func ring(_ found: Running, _ work: inout LeaseWork) {
    guard found.deadline <= now else {
      let next = min(found.deadline, now + LeaseClock.longestAlarm)
      return set(.deadline, for: found.lease, at: next)
    }
    running?[found.lease.id]?.isEnding = true
    work.expired.append(found.lease)
    set(.deadline, for: found.lease, at: now + electionTimeout)
  }

  private mutating func writeDown(_ found: Running, _ work: inout LeaseWork) {
    set(.checkpoint, for: found.lease, at: now + checkpointInterval)
    let left = seconds(of: found)
    guard left > 0, left < found.lease.ttl else { return }
    checkpoints += 1
    running?[found.lease.id]?.checkpoint = checkpoints
    work.checkpoints.append(
      LeaseCheckpoint(id: found.lease.id, grantedAt: found.lease.grantedAt, remaining: left))
  }

  /// Rounded up: a lease never ends early.
  private func seconds(of lease: Running) -> Int64 {
    guard lease.deadline > now else { return 0 }
    let (seconds, attoseconds) = (lease.deadline - now).components
    return min(seconds + (attoseconds > 0 ? 1 : 0), lease.lease.ttl)
  }

  // MARK: - What clients ask

  enum Renewal: Hashable, Sendable {
    /// This member does not lead, or does not know the leases yet.
    case notLeading
    case unknown
    /// Its end is under way.
    case ending
    /// It lives its whole time again, in this term: to be told to the client once that leadership is
    /// confirmed, and what has to be undone is.
    case renewed(Lease, term: Term, undoing: Undo?)
  }

  /// A checkpoint that a renewal makes wrong: the next leader would end the lease too early.
  struct Undo: Hashable, Sendable {
    fileprivate var lease: Lease
    fileprivate var checkpoint: Int

    var command: LeaseCheckpoint {
      LeaseCheckpoint(id: lease.id, grantedAt: lease.grantedAt, remaining: lease.ttl)
    }
  }

  mutating func renew(_ id: Int64) -> Renewal {
    guard let term else { return .notLeading }
    guard let found = running?[id] else { return .unknown }
    guard !found.isEnding else { return .ending }
    let deadline = deadline(in: .seconds(found.lease.ttl))
    running?[id]?.deadline = deadline
    let undo = found.checkpoint.map { Undo(lease: found.lease, checkpoint: $0) }
    return .renewed(found.lease, term: term, undoing: undo)
  }

  /// The undoing is applied; a checkpoint since then has yet to be undone.
  mutating func finish(_ undo: Undo) {
    let id = undo.lease.id
    guard let found = running?[id], found.lease.grantedAt == undo.lease.grantedAt,
      found.checkpoint == undo.checkpoint
    else { return }
    running?[id]?.checkpoint = nil
  }

  /// It is the same lease, and still runs in the same term.
  func holds(_ lease: Lease, in term: Term) -> Bool {
    guard self.term == term, let found = running?[lease.id] else { return false }
    return found.lease.grantedAt == lease.grantedAt && !found.isEnding
  }

  /// Seconds left and granted; nil if there is no such lease, or this member does not measure it.
  func lease(_ id: Int64) -> (left: Int64, ttl: Int64)? {
    running?[id].map { (seconds(of: $0), $0.lease.ttl) }
  }
}
