public import ConfigModel
import Synchronization

/// Tells what is news of what a loop says again and again.
public final class EventJournal: Sendable {
  private struct State {
    var refused = ToldRefusals()
    /// What was said last of the whole source; nil before anything was.
    var last: (kind: SourceEvent.Kind, message: String, commit: CommitID?, keys: [ConfigPath])?
    /// Why the source could not be read when that was last tried.
    var staleness: String?
    /// What differed when that was last looked at.
    var drift: (message: String, keys: [ConfigPath])?
    /// The commits that were said to wait, or to be what the source is stopped at, and of which nothing was said since.
    var held: [CommitID] = []
    /// Whether another one works, and tells what happens.
    var isResting = false
  }

  /// Those that are remembered.
  private static let mostHeld = 1000

  private let state = Mutex(State())
  private let tell: @Sendable (SourceEvent) -> Void

  /// - Parameter tell: is called for each event, in order; it must not wait.
  public init(_ tell: @escaping @Sendable (SourceEvent) -> Void) { self.tell = tell }

  /// What became of a commit. One that is refused is looked at again each time; it is news once.
  public func note(_ facts: CommitFacts, _ result: CommitResult) {
    var event: SourceEvent
    switch result {
    case .applied(let revision, let plan):
      let (puts, deletes) = (plan.puts.count, plan.deletes.count)
      event = SourceEvent(
        .applied, "applied as revision \(revision): \(puts) put, \(deletes) deleted")
      (event.revision, event.puts, event.deletes) = (revision, puts, deletes)
      state.withLock { $0.refused.remove(facts.commit) }
    case .refused(let findings):
      let errors = findings.filter { $0.severity == .error }
      event = SourceEvent(.refused, errors.first.map(EventJournal.line) ?? "refused")
      if errors.count > 1 { event.message += " (and \(errors.count - 1) more)" }
      event.findings = findings
      let message = event.message
      guard state.withLock({ $0.refused.add(facts.commit, message) }) else { return }
    }
    (event.commit, event.facts) = (facts.commit, facts)
    state.withLock { $0.held.removeAll { $0 == facts.commit } }
    tell(event)
  }

  /// What a run came to.
  public func note(_ outcome: ReconcileLoop.Outcome) {
    switch outcome {
    case .finished(let report): note(report)
    case .fetched: break
    case .alone: state.withLock { $0.isResting = false }
    case .resting(let holder):
      // Whoever works tells what happens. Where nobody does for a moment, what was said is still so.
      state.withLock { state in
        guard holder != nil else { return }
        (state.last, state.isResting) = (nil, true)
      }
    case .stale(let error):
      // The run after it says whether that is what matters.
      state.withLock { $0.staleness = "\(error)" }
    case .failed, .stalled: noteTrouble(outcome)
    }
  }

  private func noteTrouble(_ outcome: ReconcileLoop.Outcome) {
    guard !state.withLock({ $0.isResting }) else { return }
    switch outcome {
    case .failed(let error, _):
      let staleness = state.withLock { $0.staleness }
      note(.failing, staleness.map { "\(error); \($0)" } ?? "\(error)", commit: nil)
    case .stalled(let error, let tip): note(.stopped, "\(error)", commit: tip)
    default: break
    }
  }

  private func note(_ report: ReconcileReport) {
    state.withLock { $0.isResting = false }
    if let revision = report.drift.revisions.last {
      let keys = report.drift.corrected.map(\.path)
      let what = keys.count == 1 ? "a key" : "\(keys.count) keys"
      var event = SourceEvent(.corrected, "put back \(what) that somebody else had changed")
      (event.revision, event.keys) = (revision, keys)
      tell(event)
    }
    let now = report.state
    // What drifted has not become right by not being looked at.
    let drift = state.withLock { state in
      state.staleness = report.staleness
      if report.lookedForDrift {
        state.drift = report.drift.openMessage.map { message in
          (message, (report.drift.reported + report.drift.contested).map(\.path))
        }
      }
      return state.drift
    }
    switch now.kind {
    case .running, .drifted:
      releaseHeld(report.head)
      if let drift { return note(.drifted, drift.message, commit: nil, keys: drift.keys) }
      // What was applied has been told.
      let isTold = report.applied > 0 || report.head == nil
      note(.running, isTold ? "in step" : "in the store", commit: isTold ? nil : report.head)
    default:
      note(
        SourceEvent.Kind(now.kind), now.message,
        commit: report.tip == report.head ? nil : report.tip)
    }
  }

  /// Commits that were said to wait, and that the store went past.
  private func releaseHeld(_ head: CommitID?) {
    let held = state.withLock { state in
      defer { state.held = [] }
      return state.held
    }
    for commit in held where commit != head {
      tell(
        SourceEvent(
          .superseded, "passed over: the store has \(head?.short ?? "nothing")", commit: commit))
    }
  }

  private func note(
    _ kind: SourceEvent.Kind, _ message: String, commit: CommitID?, keys: [ConfigPath] = []
  ) {
    let news = state.withLock { state -> (isNews: Bool, commit: CommitID?) in
      // Why a commit was refused matters more than what else holds the source up.
      let commit = kind == .running ? commit : commit.flatMap { state.refused.has($0) ? nil : $0 }
      defer { state.last = (kind, message, commit, keys) }
      if let last = state.last, last.kind == kind {
        switch kind {
        // Why something does not answer is told in other words each time.
        case .running, .stale, .failing: return (false, nil)
        // Each change of a key has another revision.
        case .drifted: if last.keys == keys { return (false, nil) }
        default: if last.message == message, last.commit == commit { return (false, nil) }
        }
      }
      if kind != .running, let commit, !state.held.contains(commit) {
        state.held = state.held.suffix(EventJournal.mostHeld - 1) + [commit]
      }
      return (true, commit)
    }
    guard news.isNews else { return }
    var event = SourceEvent(kind, oneLine(message), commit: news.commit)
    event.keys = keys
    tell(event)
  }

  private static func line(_ finding: Diagnostic) -> String {
    let (file, start) = (finding.span.file, finding.span.start)
    return oneLine("\(file):\(start.line):\(start.column): \(finding.message)")
  }
}

/// The refused commits that were told, and why; the oldest are forgotten, and would be told again.
private struct ToldRefusals {
  /// Of each of two generations.
  private static let limit = 50_000

  private var young: [CommitID: String] = [:]
  private var old: [CommitID: String] = [:]

  func has(_ commit: CommitID) -> Bool { young[commit] != nil || old[commit] != nil }

  mutating func remove(_ commit: CommitID) {
    young[commit] = nil
    old[commit] = nil
  }

  /// - Returns: whether that is news.
  mutating func add(_ commit: CommitID, _ reason: String) -> Bool {
    let known = young[commit] ?? old[commit]
    if young[commit] == nil, young.count >= ToldRefusals.limit { (old, young) = (young, [:]) }
    young[commit] = reason
    return known != reason
  }
}
