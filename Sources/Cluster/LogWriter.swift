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
  private let hasFailed: Failure

  init(_ log: SegmentedLog, queue: any WorkQueue, reports: Reports) {
    let failure = Failure()
    let writing = Mutex(Writing(log: log, reports: reports, failure: failure))
    (send, hasFailed) = (reports.send, failure)
    worker = SerialWorker(queue: queue) { jobs, areMoreWaiting in
      writing.withLock { $0.run(jobs, areMoreWaiting) }
    }
  }

  /// Called by one thread at a time. What waits for no write leaves at once, where none is under way: the
  /// answer to a heartbeat takes no detour.
  func submit(_ job: LogJob) {
    if job.writesNothing, worker.isIdle, !hasFailed.isSet {
      send(job.promises)
    } else {
      worker.submit(job)
    }
  }
  func finish() { worker.finish() }

  /// The log can't be written: nothing more is promised.
  private final class Failure: Sendable {
    private let flag = Atomic(false)
    var isSet: Bool { flag.load(ordering: .acquiring) }
    func set() { flag.store(true, ordering: .releasing) }
  }

  /// The log itself: touched on the worker's thread alone.
  private struct Writing {
    let log: SegmentedLog
    let reports: Reports
    let failure: Failure
    /// Written and synced, but not sealed: nothing of them is reported yet.
    var unsealed: [LogJob] = []
    /// Sealed, and to be reported at the end: whoever hears of it may have much to do.
    var persisted: [(last: Entry, epoch: UInt64)] = []

    mutating func run(_ jobs: [LogJob], _ areMoreWaiting: () -> Bool) {
      guard !failure.isSet else { return }
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
        failure.set()
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
        reports.wrote(reports.elapsed() - start)
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
