import Raft
import Store
import Synchronization

/// What the state machine's thread does, in order.
enum ApplyJob: Sendable {
  case apply([Entry])
  /// Commits what was applied to the database.
  case commit
  case install(SnapshotMark)
  /// Keeps a received snapshot until the log refers to it; answers whether it is whole.
  case prepare(
    path: String, mark: SnapshotMark, completion: @Sendable (PlacedMembership?) -> Void)
  case makeDurable
  /// Removes some of the versions that a compaction has made superfluous.
  case removeCompacted
  /// Reads the leases for the leader of this term.
  case readLeases(Term)
  case defragment(completion: @Sendable (Result<Void, any Error>) -> Void)
}

/// Applies committed entries on a thread of its own, then tells watchers and waiters.
final class Applier: Sendable {
  struct Reports: Sendable {
    /// Is shown what was applied, before anybody else hears of it.
    var observe: (@Sendable ([Entry], [AppliedCommand]) -> Void)?
    var observeInstalled: (@Sendable (SnapshotMark) -> Void)?
    var applied: @Sendable (LogIndex, [AppliedCommand]) -> Void
    var installed: @Sendable (LogIndex) -> Void
    /// The clock by which commits are timed.
    var elapsed: @Sendable () -> Duration
    var committed: @Sendable (Duration) -> Void
    var durable: @Sendable (LogIndex) -> Void
    var leases: @Sendable (Term, [Lease]) -> Void
    /// The hash of the state right after the check at an index.
    var hashed: @Sendable (LogIndex, UInt64) -> Void
    var removedCompacted: @Sendable () -> Void
    /// Bytes of the database that hold data, told every now and then.
    var sized: @Sendable (Int64) -> Void
    var refusedSnapshot: @Sendable (any Error) -> Void
    var failed: @Sendable (any Error) -> Void
  }

  private let worker: SerialWorker<ApplyJob>
  private let store: KeyValueStore
  private let hub: WatchHub

  /// - Parameter hashing: a thread for the hashes of the whole state, which nobody waits for.
  init(
    store: KeyValueStore, hub: WatchHub, queue: any WorkQueue, hashing: any WorkQueue,
    reports: Reports
  ) {
    (self.store, self.hub) = (store, hub)
    let hasFailed = Atomic(false)
    let applying = Applying(store: store, hub: hub, hashing: hashing, reports: reports)
    worker = SerialWorker(queue: queue) { jobs, worker in
      guard !hasFailed.load(ordering: .relaxed) else { return }
      do {
        try applying.run(jobs)
        // Not by whoever has applied the last entry: that may be an errand.
        if applying.mustCommit { worker.submit(.commit) }
      } catch {
        hasFailed.store(true, ordering: .relaxed)
        reports.failed(error)
      }
    }
  }

  func submit(_ job: ApplyJob) { worker.submit(job) }

  /// Watches above which telling them of a put takes a while.
  private static let fewWatches = 1_000

  /// Applies entries, for a thread that has other work: what this returns does it, if it takes little time and
  /// waits for nothing.
  func applyAsErrand(_ entries: [Entry]) -> Errand? {
    guard entries.count == 1, entries[0].isSmallPut, hub.watches <= Applier.fewWatches,
      store.isOpen
    else {
      submit(.apply(entries))
      return nil
    }
    return worker.submitAsErrand(.apply(entries))
  }

  func finish() { worker.finish() }

  /// Entries, and bytes of them, after which the size of the database is looked at again.
  private static let entriesOfASizing = 128
  private static let bytesOfASizing = 16 << 20

  /// Entries, and bytes of them, that are applied and not committed at most. The member's clock has fewer
  /// committed after a while, and readers what they are about to read.
  private static let uncommittedEntries = 2_000
  private static let uncommittedBytes = 4 << 20

  /// How much was applied since something was done last.
  private struct Growth: Sendable {
    var entries = 0
    var bytes = 0

    mutating func add(_ more: [Entry]) {
      entries += more.count
      bytes += more.reduce(0) { $0 + $1.payload.count }
    }
  }

  private final class Applying: Sendable {
    let store: KeyValueStore
    let hub: WatchHub
    let reports: Reports
    private let hashing: any WorkQueue
    private let isHashing = Atomic(false)
    /// Since the size was looked at.
    private let growth = Mutex(Growth())
    private let uncommitted = Mutex(Growth())

    init(
      store: KeyValueStore, hub: WatchHub, hashing: any WorkQueue, reports: Reports
    ) {
      self.store = store
      self.hub = hub
      self.hashing = hashing
      self.reports = reports
    }

    func run(_ jobs: [ApplyJob]) throws {
      var entries: [Entry] = []
      for job in jobs {
        if case .apply(let more) = job {
          entries += more
          continue
        }
        try apply(&entries)
        switch job {
        case .apply: break
        case .commit: try commit()
        case .install(let mark):
          try store.installSnapshot(index: mark.index.rawValue)
          reports.observeInstalled?(mark)
          hub.resynchronize()
          reports.installed(mark.index)
        case .prepare(let path, let mark, let completion):
          prepare(path: path, mark: mark, completion: completion)
        case .makeDurable:
          reports.durable(LogIndex(try store.makeDurable().appliedIndex))
        case .removeCompacted:
          try store.removeCompacted()
          try store.checkpointIfDue()
          reports.removedCompacted()
        case .defragment(let completion):
          completion(Result { try store.defragment() })
        case .readLeases(let term): reports.leases(term, try store.leases())
        }
      }
      try apply(&entries)
    }

    /// A check ends a transaction of the database, so that the state can be taken as it is right after it.
    private func apply(_ entries: inout [Entry]) throws {
      defer { entries = [] }
      var rest = entries[...]
      while !rest.isEmpty {
        let check = rest.firstIndex(where: \.isIntegrityCheck)
        let end = check.map { $0 + 1 } ?? rest.endIndex
        try apply(Array(rest[..<end]))
        if let check { try hash(at: rest[check].index) }
        rest = rest[end...]
      }
    }

    /// One hash at a time: a check that comes too soon is not answered.
    private func hash(at index: LogIndex) throws {
      guard !isHashing.exchange(true, ordering: .acquiringAndReleasing) else { return }
      let snapshot = try store.stateSnapshot()
      hashing.async { [self] in
        do {
          reports.hashed(index, try snapshot.hash())
        } catch {
          reports.failed(error)
        }
        isHashing.store(false, ordering: .releasing)
      }
    }

    private func apply(_ entries: [Entry]) throws {
      guard let last = entries.last else { return }
      let applied = try store.apply(entries.map(LogCommand.init))
      reports.observe?(entries, applied)
      hub.publish(applied)
      reports.applied(last.index, applied)
      uncommitted.withLock { $0.add(entries) }
      if mustSize(after: entries) { reports.sized(try store.openSizes().used) }
    }

    /// So much was applied that it is time to commit it.
    var mustCommit: Bool {
      uncommitted.withLock {
        $0.entries >= uncommittedEntries || $0.bytes >= uncommittedBytes
      }
    }

    /// Everybody was told already what was applied: nobody waits for the database.
    private func commit() throws {
      uncommitted.withLock { $0 = Growth() }
      let start = reports.elapsed()
      if try store.commit() { reports.committed(reports.elapsed() - start) }
      try store.checkpointIfDue()
    }

    private func mustSize(after entries: [Entry]) -> Bool {
      growth.withLock { growth in
        growth.add(entries)
        guard growth.entries >= entriesOfASizing || growth.bytes >= bytesOfASizing else {
          return false
        }
        growth = Growth()
        return true
      }
    }

    private func prepare(
      path: String, mark: SnapshotMark, completion: (PlacedMembership?) -> Void
    ) {
      do {
        let stored = try store.prepareSnapshot(at: path, index: mark.index.rawValue)
        completion(try PlacedMembership(stored))
      } catch {
        reports.refusedSnapshot(error)
        completion(nil)
      }
    }
  }
}

extension Entry {
  /// It costs little to apply.
  fileprivate var isSmallPut: Bool { kind == .command && Command.isSmallPut(payload) }

  fileprivate var isIntegrityCheck: Bool {
    kind == .command && Command.isIntegrityCheck(payload)
  }
}

extension LogCommand {
  /// What an entry is to the store.
  init(_ entry: Entry) {
    var payload: [UInt8]?
    var membership: LogMembership?
    switch entry.kind {
    case .noOperation: break
    case .command: payload = entry.payload
    case .membership:
      guard let found = Membership.decode(entry.payload) else {
        preconditionFailure("a membership entry that can't be read at \(entry.index)")
      }
      membership = LogMembership(found.membership)
      payload = found.context.isEmpty ? nil : found.context
    }
    self.init(
      index: entry.index.rawValue, term: entry.term.rawValue, payload: payload,
      membership: membership)
  }
}

extension LogMembership {
  init(_ membership: Membership) {
    self.init(
      voters: membership.encoded(context: []), members: membership.all.map(\.rawValue),
      voting: membership.all.filter(membership.isVoter).map(\.rawValue))
  }
}

extension PlacedMembership {
  /// - Throws: `StartError` if the store's bytes can't be read.
  init(_ stored: StoredMembership) throws {
    guard let found = Membership.decode(stored.voters) else {
      throw StartError("the store's membership can't be read: replace this member")
    }
    self.init(index: LogIndex(stored.index), membership: found.membership)
  }
}
