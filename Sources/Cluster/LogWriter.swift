import Raft
import RaftLog
import Synchronization

/// What the log thread does for one `Ready`.
struct LogJob: Sendable {
  var reset: SnapshotMark?
  var hardState: HardState?
  var entries: [Entry] = []
  /// What the report of these entries goes with.
  var epoch: UInt64 = 0
  /// Messages that may leave only once the above is durable.
  var promises: [Message] = []
  var compact: SnapshotMark?
  /// The log has again what it had lost.
  var isWhole = false

  /// One entry with few bytes: the log writes it with one sync, but where a new segment begins.
  var isSmall: Bool {
    guard reset == nil, compact == nil, !isWhole, entries.count == 1 else { return false }
    return entries[0].payload.count <= LogJob.smallBytes
  }
  private static let smallBytes = 8 << 10

  var writesNothing: Bool {
    reset == nil && hardState == nil && entries.isEmpty && compact == nil && !isWhole
  }
}

/// Writes the log on a thread of its own: jobs that wait are written with one sync.
///
/// What a job promises is released once the log is sealed over it: a small write seals itself. Else, while
/// more jobs wait, the marker shares the sync of the next write, so that a busy log syncs once a write.
final class LogWriter: Sendable {
  struct Reports: Sendable {
    var send: @Sendable ([Message]) -> Void
    /// Of each job that is durable, its last entry, and its epoch.
    var persisted: @Sendable ([(last: Entry, epoch: UInt64)]) -> Void
    /// The clock by which writes are timed.
    var elapsed: @Sendable () -> Duration
    /// A write, with its sync, took so long.
    var wrote: @Sendable (Duration) -> Void
    var wasReset: @Sendable (SnapshotMark) -> Void
    var failed: @Sendable (any Error) -> Void
  }

  private let worker: SerialWorker<LogJob>
  private let send: @Sendable ([Message]) -> Void
  private let health: Health

  /// Above this a disk is too slow for a thread that has other work.
  private static let shortWrite = Duration.milliseconds(2)

  init(_ log: SegmentedLog, queue: any WorkQueue, reports: Reports) {
    let health = Health()
    let writing = Mutex(Writing(log: log, reports: reports, health: health))
    (send, self.health) = (reports.send, health)
    worker = SerialWorker(queue: queue) { jobs, worker in
      writing.withLock { $0.run(jobs, { worker.areMoreWaiting }) }
    }
  }

  /// Called by one thread at a time. What waits for no write leaves at once, where none is under way: the
  /// answer to a heartbeat takes no detour.
  func submit(_ job: LogJob) {
    if job.writesNothing, worker.isIdle, !health.hasFailed {
      send(job.promises)
    } else {
      worker.submit(job)
    }
  }

  /// As `submit`, for one who may do it, or knows when it is best done: nil if somebody else is writing, who then
  /// writes this, too.
  func submitAsErrand(_ job: LogJob) -> Errand? { worker.submitAsErrand(job) }

  /// The disk has taken so little time lately that a thread with other work may wait for the next write.
  var isQuick: Bool { health.writeTime <= LogWriter.shortWrite }

  func finish() { worker.finish() }

  private final class Health: Sendable {
    private let failure = Atomic(false)
    private let nanoseconds = Atomic<Int64>(0)

    /// The log can't be written: nothing more is promised.
    var hasFailed: Bool { failure.load(ordering: .acquiring) }
    func fail() { failure.store(true, ordering: .releasing) }

    /// Writes after which a slow one counts half.
    private static let memory: Int64 = 256

    /// How long a write takes, with its sync: the longest one, of which every later one takes a little away.
    var writeTime: Duration { .nanoseconds(nanoseconds.load(ordering: .relaxed)) }
    func wrote(in time: Duration) {
      let longest = nanoseconds.load(ordering: .relaxed)
      let faded = longest - longest * 7 / (10 * Health.memory)
      nanoseconds.store(max(faded, Int64(time / .nanoseconds(1))), ordering: .relaxed)
    }
  }

  /// The log itself: touched by one thread at a time, which the worker's queue sees to.
  private struct Writing {
    let log: SegmentedLog
    let reports: Reports
    let health: Health
    /// Written and synced, but not sealed: nothing of them is reported yet.
    var unsealed: [LogJob] = []
    /// Sealed, and to be reported at the end: whoever hears of it may have much to do.
    var persisted: [(last: Entry, epoch: UInt64)] = []

    mutating func run(_ jobs: [LogJob], _ areMoreWaiting: () -> Bool) {
      guard !health.hasFailed else { return }
      do {
        var batch: [LogJob] = []
        for job in jobs {
          if job.reset != nil || job.compact != nil {
            try write(&batch)
            try seal()
            if let mark = job.reset {
              report()
              try log.reset(to: mark)
              reports.wasReset(mark)
            }
            if let mark = job.compact { try log.compact(to: mark) }
          }
          batch.append(job)
        }
        try write(&batch)
        if !areMoreWaiting() { try seal() }
        report()
      } catch {
        // After a failed write or sync nothing more may be promised.
        health.fail()
        reports.failed(error)
      }
    }

    private mutating func write(_ jobs: inout [LogJob]) throws {
      defer { jobs = [] }
      let hardState = jobs.last { $0.hardState != nil }?.hardState
      let entries = jobs.flatMap(\.entries)
      let isWhole = jobs.contains(where: \.isWhole)
      if hardState != nil || !entries.isEmpty || isWhole {
        let start = reports.elapsed()
        try log.append(hardState: hardState, entries: entries, isWhole: isWhole)
        let time = reports.elapsed() - start
        health.wrote(in: time)
        reports.wrote(time)
        release()
      }
      unsealed += jobs
      if log.isSealed { release() }
    }

    private mutating func seal() throws {
      try log.seal()
      release()
    }

    private mutating func report() {
      let done = persisted
      persisted = []
      if !done.isEmpty { reports.persisted(done) }
    }

    /// Everything that was written before the last sync is sealed.
    private mutating func release() {
      let jobs = unsealed
      unsealed = []
      for job in jobs {
        if let last = job.entries.last { persisted.append((last: last, epoch: job.epoch)) }
      }
      let promises = jobs.flatMap(\.promises)
      if !promises.isEmpty { reports.send(promises) }
    }
  }
}
