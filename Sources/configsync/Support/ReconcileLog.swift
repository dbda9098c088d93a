import ConfigModel
import Logging
import Reconciler
import Synchronization

extension ReconcileLoop {
  /// Runs until it is cancelled, and logs what happens.
  func log(to logger: Logger) async {
    let log = ReconcileLog(logger)
    await cancelWhenShutDown {
      await run(on: ContinuousClock(), finished: log.tell, ended: log.tell)
    }
  }
}

/// Says what a loop does: what lasts, once.
private final class ReconcileLog: Sendable {
  private struct Told {
    var commits: Set<CommitID> = []
    /// What was said last of the whole source.
    var state: String?
  }

  /// Commits that are remembered; beyond that some are told again.
  private static let limit = 10_000

  private let logger: Logger
  private let told = Mutex(Told())

  init(_ logger: Logger) { self.logger = logger }

  /// Whether that is news.
  private func isNews(_ state: String?) -> Bool {
    told.withLock { told in
      defer { told.state = state }
      return told.state != state
    }
  }

  @Sendable func tell(_ outcome: ReconcileLoop.Outcome) {
    switch outcome {
    case .finished(let report): tell(report)
    case .stale(let error):
      guard isNews("stale: \(error)") else { return }
      logger.warning(
        "the source can't be read; what was read before is served", metadata: ["error": "\(error)"])
    case .failed(let error, let pause):
      logger.warning("reconciling failed", metadata: ["error": "\(error)", "retry": "\(pause)"])
    case .stalled(let error):
      guard isNews("stalled: \(error)") else { return }
      logger.error("reconciling stopped until someone decides", metadata: ["error": "\(error)"])
    }
  }

  private static func milliseconds(_ duration: Duration) -> String {
    let parts = duration.components
    let tenths = parts.seconds * 10_000 + parts.attoseconds / 100_000_000_000_000
    return "\(tenths / 10).\(tenths % 10)"
  }

  private func tell(_ report: ReconcileReport) {
    let drift = report.drift
    if report.applied > 0 {
      let timings = report.timings
      logger.info(
        "took new commits",
        metadata: [
          "applied": "\(report.applied)", "refused": "\(report.refused)",
          "fetch-ms": "\(Self.milliseconds(timings.fetch))",
          "compile-ms": "\(Self.milliseconds(timings.compile))",
          "commit-ms": "\(Self.milliseconds(timings.commit))",
        ])
    }
    if let revision = drift.revisions.last {
      logger.notice(
        "put back keys that somebody else had changed",
        metadata: [
          "keys": "\(drift.corrected.map(\.path.text).prefix(10).joined(separator: ","))",
          "count": "\(drift.corrected.count)", "revision": "\(revision)",
        ])
    }
    let open = drift.reported + drift.contested
    if let suspension = report.suspension {
      guard isNews("suspended \(suspension.time)") else { return }
      logger.notice(
        "suspended", metadata: ["by": "\(suspension.by)", "reason": "\(suspension.reason)"])
    } else if let freeze = report.freeze {
      guard isNews("frozen \(freeze)") else { return }
      logger.notice(
        "changes are frozen",
        metadata: ["window": "\(freeze.window)", "until": "\(freeze.endText)"])
    } else if !open.isEmpty {
      guard isNews("drift \(open)") else { return }
      logger.warning(
        drift.contested.isEmpty
          ? "somebody else has changed keys"
          : "somebody fights for keys: they are left as they are",
        metadata: [
          "keys": "\(open.map(\.path.text).prefix(10).joined(separator: ","))",
          "count": "\(open.count)",
        ])
    } else {
      _ = isNews(nil)
      logger.debug("in step", metadata: ["head": "\(report.head?.short ?? "none")"])
    }
  }

  @Sendable func tell(_ facts: CommitFacts, _ result: CommitResult) {
    // A refused commit is looked at again each time; it is news once.
    let isNew = told.withLock { told in
      if told.commits.count >= ReconcileLog.limit { told.commits = [] }
      return told.commits.insert(facts.commit).inserted
    }
    guard isNew else { return }
    switch result {
    case .applied(let revision, let plan):
      logger.notice(
        "applied a commit",
        metadata: [
          "commit": "\(facts.commit.short)", "revision": "\(revision)",
          "puts": "\(plan.puts.count)", "deletes": "\(plan.deletes.count)",
          "author": "\(facts.author.name)",
        ])
    case .refused(let diagnostics):
      let first = diagnostics.first { $0.severity == .error }
      let place = first.map { "\($0.span.file):\($0.span.start.line):\($0.span.start.column)" }
      logger.error(
        "refused a commit",
        metadata: [
          "commit": "\(facts.commit.short)", "at": "\(place ?? "-")",
          "finding": "\(first?.message ?? "-")",
          "errors": "\(diagnostics.count { $0.severity == .error })",
        ])
    }
  }
}
