import ConfigModel
import Logging
import Reconciler
import Server
import Synchronization

extension ReconcileLoop {
  /// Runs until it is cancelled; logs, announces and counts what happens.
  func run(
    logger: Logger, announcer: Announcer? = nil, figures: SourceFigures? = nil
  ) async {
    let log = ReconcileLog(logger, announcer, figures)
    await cancelWhenShutDown {
      await run(on: ContinuousClock(), finished: log.tell, ended: log.tell)
    }
  }
}

/// Says what a loop does: what lasts, once.
private final class ReconcileLog: Sendable {
  /// Keys that a line names.
  private static let namedKeys = 10

  private let logger: Logger
  private let journal: EventJournal
  private let figures: SourceFigures?
  /// Who was said to work instead.
  private let rests = Mutex<String?>(nil)
  /// Whether that was said of the source while it rests.
  private let isBlind = Mutex(false)

  init(_ logger: Logger, _ announcer: Announcer?, _ figures: SourceFigures?) {
    self.logger = logger
    self.figures = figures
    journal = EventJournal { event in
      logger.log(event)
      announcer?.announce(event)
      figures?.note(event)
    }
  }

  @Sendable func tell(_ facts: CommitFacts, _ result: CommitResult) { journal.note(facts, result) }

  @Sendable func tell(_ outcome: ReconcileLoop.Outcome) {
    if case .finished = outcome { rests.withLock { $0 = nil } }
    switch outcome {
    case .finished(let report) where report.applied > 0:
      let timings = report.timings
      logger.info(
        "took new commits",
        metadata: [
          "applied": "\(report.applied)", "refused": "\(report.refused)",
          "fetch-ms": "\(Self.milliseconds(timings.fetch))",
          "compile-ms": "\(Self.milliseconds(timings.compile))",
          "commit-ms": "\(Self.milliseconds(timings.commit))",
        ])
    case .failed(let error, let pause):
      logger.warning("reconciling failed", metadata: ["error": "\(error)", "retry": "\(pause)"])
    case .finished(let report):
      logger.debug("in step", metadata: ["head": "\(report.head?.short ?? "none")"])
    case .resting(let holder):
      let isNews = rests.withLock { last in
        defer { last = holder ?? "" }
        return last != holder ?? ""
      }
      if isNews, let holder {
        logger.notice("another reconciler works", metadata: ["holder": "\(holder)"])
      } else if holder == nil {
        logger.debug("this one can't work: another reconciler may take over")
      }
    case .stale(let error):
      // Who works tells it as an event.
      guard rests.withLock({ $0 != nil }), isBlind.withLock({ !$0 }) else { break }
      isBlind.withLock { $0 = true }
      logger.warning("the source can't be read here", metadata: ["error": "\(error)"])
    case .fetched: isBlind.withLock { $0 = false }
    case .alone, .stalled: break
    }
    figures?.note(outcome)
    journal.note(outcome)
  }

  private static func milliseconds(_ duration: Duration) -> String {
    let parts = duration.components
    let tenths = parts.seconds * 10_000 + parts.attoseconds / 100_000_000_000_000
    return "\(tenths / 10).\(tenths % 10)"
  }

  fileprivate static func list(_ keys: [ConfigPath]) -> Logger.MetadataValue {
    "\(keys.map(\.text).prefix(namedKeys).joined(separator: ","))"
  }
}

extension Logger {
  /// A line for an event, with its kind beside it, for those that read lines as JSON.
  fileprivate func log(_ event: SourceEvent) {
    var facts: Logger.Metadata = ["event": "\(event.kind.rawValue)"]
    facts["commit"] = event.commit.map { "\($0.short)" }
    facts["revision"] = event.revision.map { "\($0)" }
    switch event.kind {
    case .applied:
      facts["puts"] = "\(event.puts)"
      facts["deletes"] = "\(event.deletes)"
      facts["author"] = event.facts.map { "\($0.author.name)" }
      notice("applied a commit", metadata: facts)
    case .refused:
      facts["finding"] = "\(event.message)"
      facts["author"] = event.facts.map { "\($0.author.name)" }
      error("refused a commit", metadata: facts)
    case .superseded: notice("a commit is passed over", metadata: facts)
    case .corrected:
      facts["keys"] = ReconcileLog.list(event.keys)
      facts["count"] = "\(event.keys.count)"
      notice("put back keys that somebody else had changed", metadata: facts)
    case .running: info("in step", metadata: facts)
    case .suspended: notice("suspended", metadata: facts.merging(event))
    case .frozen: notice("changes are frozen", metadata: facts.merging(event))
    case .stale:
      warning(
        "the source can't be read; what was read before is served", metadata: facts.merging(event))
    case .drifted:
      facts["keys"] = ReconcileLog.list(event.keys)
      facts["count"] = "\(event.keys.count)"
      warning("somebody else has changed keys", metadata: facts.merging(event))
    case .stopped:
      error("reconciling stopped until someone decides", metadata: facts.merging(event))
    // Each failure has a line of its own.
    case .failing: break
    }
  }
}

extension Logger.Metadata {
  fileprivate func merging(_ event: SourceEvent) -> Logger.Metadata {
    merging(["reason": "\(event.message)"]) { $1 }
  }
}
