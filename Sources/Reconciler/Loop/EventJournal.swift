public import ConfigModel
import Synchronization

/// Tells what is news of what a loop says again and again.
public final class EventJournal: Sendable {
  private struct State {
    var commits: Set<CommitID> = []
    /// What was said last of the whole source; nil before anything was.
    var last: (kind: SourceEvent.Kind, message: String, commit: CommitID?)?
    /// Why the source could not be read when that was last tried.
    var staleness: String?
  }

  /// Commits that are remembered; beyond that some are told again.
  private static let limit = 10_000

  private let state = Mutex(State())
  private let tell: @Sendable (SourceEvent) -> Void

  /// - Parameter tell: is called for each event, in order; it must not wait.
  public init(_ tell: @escaping @Sendable (SourceEvent) -> Void) { self.tell = tell }

  /// What became of a commit. One that is refused is looked at again each time; it is news once.
  public func note(_ facts: CommitFacts, _ result: CommitResult) {
    let isNew = state.withLock { state in
      if state.commits.count >= EventJournal.limit { state.commits = [] }
      return state.commits.insert(facts.commit).inserted
    }
    guard isNew else { return }
    var event: SourceEvent
    switch result {
    case .applied(let revision, let plan):
      let (puts, deletes) = (plan.puts.count, plan.deletes.count)
      event = SourceEvent(
        .applied, "applied as revision \(revision): \(puts) put, \(deletes) deleted")
      (event.revision, event.puts, event.deletes) = (revision, puts, deletes)
    case .refused(let findings):
      let errors = findings.filter { $0.severity == .error }
      event = SourceEvent(.refused, errors.first.map(EventJournal.line) ?? "refused")
      if errors.count > 1 { event.message += " (and \(errors.count - 1) more)" }
      event.findings = findings
    }
    (event.commit, event.facts) = (facts.commit, facts)
    tell(event)
  }

  /// What a run came to.
  public func note(_ outcome: ReconcileLoop.Outcome) {
    switch outcome {
    case .finished(let report): note(report)
    // Whoever works tells what happens.
    case .resting: state.withLock { $0.last = nil }
    case .stale(let error):
      // The run after it says whether that is what matters.
      state.withLock { $0.staleness = "\(error)" }
    case .failed(let error, _):
      let staleness = state.withLock { $0.staleness }
      note(.failing, staleness.map { "\(error); \($0)" } ?? "\(error)", commit: nil)
    case .stalled(let error, let tip): note(.stopped, "\(error)", commit: tip)
    }
  }

  private func note(_ report: ReconcileReport) {
    if let revision = report.drift.revisions.last {
      let keys = report.drift.corrected.map(\.path)
      let what = keys.count == 1 ? "a key" : "\(keys.count) keys"
      var event = SourceEvent(.corrected, "put back \(what) that somebody else had changed")
      (event.revision, event.keys) = (revision, keys)
      tell(event)
    }
    let state = report.state
    self.state.withLock { $0.staleness = report.staleness }
    switch state.kind {
    case .running:
      // What drifted has not become right by not being looked at.
      let hasDrifted = self.state.withLock { $0.last?.kind == .drifted }
      if hasDrifted, !report.lookedForDrift { return }
      // What was applied has been told.
      let isTold = report.applied > 0 || report.head == nil
      note(.running, isTold ? "in step" : "in the store", commit: isTold ? nil : report.head)
    case .drifted:
      note(
        .drifted, state.message, commit: nil,
        keys: (report.drift.reported + report.drift.contested).map(\.path))
    default:
      let waits = report.tip == report.head ? nil : report.tip
      note(SourceEvent.Kind(state.kind), state.message, commit: waits)
    }
  }

  private func note(
    _ kind: SourceEvent.Kind, _ message: String, commit: CommitID?, keys: [ConfigPath] = []
  ) {
    let isNew = state.withLock { state in
      defer { state.last = (kind, message, commit) }
      guard let last = state.last, last.kind == kind else { return true }
      switch kind {
      // Why something does not answer is told in other words each time.
      case .running, .stale, .failing: return false
      default: return last.message != message || last.commit != commit
      }
    }
    guard isNew else { return }
    var event = SourceEvent(kind, message, commit: commit)
    event.keys = keys
    tell(event)
  }

  private static func line(_ finding: Diagnostic) -> String {
    let (file, start) = (finding.span.file, finding.span.start)
    return "\(file):\(start.line):\(start.column): \(finding.message)"
  }
}
