import ConfigModel
import Gateway
public import Reconciler
import Synchronization

/// What a reconciler has done for one source, in numbers.
public final class SourceFigures: Sendable {
  /// What is known of a source.
  struct State: Sendable {
    /// Seconds since 1970; 0 before there was one.
    var lastFetch: Int64 = 0
    var lastRun: Int64 = 0
    var isActive = false
    var kind: SourceEvent.Kind?
    var revision: Int64 = 0
    var applied = 0
    var refused = 0
    var corrected = 0
    var drifted = 0
    var failures = 0
    var failedFetches = 0
    var timings = ReconcileTimings()
  }

  let name: String
  private let now: @Sendable () -> Int64
  private let state = Mutex(State())

  /// - Parameter now: seconds since 1970.
  public init(_ name: String, now: @escaping @Sendable () -> Int64) {
    self.name = name
    self.now = now
  }

  var current: State { state.withLock { $0 } }

  public func note(_ outcome: ReconcileLoop.Outcome) {
    let now = now()
    state.withLock { state in
      switch outcome {
      case .finished(let report):
        (state.isActive, state.lastRun) = (true, now)
        if report.lookedForDrift {
          state.drifted = report.drift.reported.count + report.drift.contested.count
        }
        state.timings.compile += report.timings.compile
        state.timings.commit += report.timings.commit
      case .fetched(let time):
        state.lastFetch = now
        state.timings.fetch += time
      case .resting: (state.isActive, state.kind) = (false, nil)
      case .alone: break
      case .stale: state.failedFetches += 1
      case .failed, .stalled: state.failures += 1
      }
    }
  }

  public func note(_ event: SourceEvent) {
    state.withLock { state in
      switch event.kind {
      case .applied:
        state.applied += 1
        state.revision = event.revision ?? state.revision
      case .refused: state.refused += 1
      case .corrected: state.corrected += event.keys.count
      case .superseded: break
      default: state.kind = event.kind
      }
    }
  }
}

/// The figures of all sources of a process, as Prometheus reads them.
public struct ReconcilerMetrics: Sendable {
  private let sources: [SourceFigures]
  private let feedback: Feedback

  public init(_ sources: [SourceFigures], _ feedback: Feedback) {
    self.sources = sources
    self.feedback = feedback
  }

  /// With those of the process.
  public var wholeText: String { MetricFamily.process.map(\.text).joined() + text }

  public var text: String {
    guard !sources.isEmpty else { return "" }
    let states = sources.map { ($0.name, $0.current) }
    return (health(states) + work(states) + announcements).map(\.text).joined()
  }

  private typealias States = [(name: String, state: SourceFigures.State)]

  private func family(
    _ name: String, _ kind: MetricFamily.Kind, _ help: String, _ states: States,
    _ value: (SourceFigures.State) -> some BinaryInteger
  ) -> MetricFamily {
    MetricFamily(
      "configsync_source_" + name, kind, help,
      states.map { .init(labels: [("source", $0.name)], value: "\(value($0.state))") })
  }

  private func health(_ states: States) -> [MetricFamily] {
    let kinds: [SourceEvent.Kind] = [
      .running, .suspended, .frozen, .stale, .drifted, .stopped, .failing,
    ]
    return [
      family("active", .gauge, "1 if this process reconciles the source, 0 if it rests.", states) {
        $0.isActive ? 1 : 0
      },
      MetricFamily(
        "configsync_source_state", .gauge, "1 for what the source is now.",
        states.flatMap { name, state in
          kinds.map { kind in
            .init(
              labels: [("source", name), ("state", kind.rawValue)],
              value: state.kind == kind ? "1" : "0")
          }
        }),
      family(
        "last_fetch_timestamp_seconds", .gauge,
        "When the repository was last read: what is served is as old as that.", states
      ) { $0.lastFetch },
      family(
        "last_reconcile_timestamp_seconds", .gauge,
        "When the store was last found, or brought, in step.", states
      ) { $0.lastRun },
      family(
        "revision", .gauge, "The store's revision of the last commit that was applied here.", states
      ) { $0.revision },
      family(
        "drifted_keys", .gauge, "Keys that somebody else has changed, and that are left so.", states
      ) { $0.drifted },
    ]
  }

  private func work(_ states: States) -> [MetricFamily] {
    [
      MetricFamily(
        "configsync_source_commits_total", .counter, "Commits that were judged.",
        states.flatMap { name, state in
          [("applied", state.applied), ("refused", state.refused)].map { result, count in
            .init(labels: [("source", name), ("result", result)], value: "\(count)")
          }
        }),
      MetricFamily(
        "configsync_source_seconds_total", .counter, "Time that was spent on a source.",
        states.flatMap { name, state in
          [
            ("fetch", state.timings.fetch), ("compile", state.timings.compile),
            ("commit", state.timings.commit),
          ].map { part, time in
            .init(labels: [("source", name), ("part", part)], value: seconds(time))
          }
        }),
      family("corrected_keys_total", .counter, "Keys that were put back.", states) { $0.corrected },
      family("failures_total", .counter, "Runs that came to no end.", states) { $0.failures },
      family(
        "failed_fetches_total", .counter, "Times that the repository could not be read.", states
      ) { $0.failedFetches },
    ]
  }

  private var announcements: [MetricFamily] {
    let counts = feedback.counts
    guard !counts.isEmpty else { return [] }
    return [
      MetricFamily(
        "configsync_announcements_waiting", .gauge, "What is yet to be told.",
        counts.map { .init(labels: [("destination", $0.name)], value: "\($0.waiting)") }),
      MetricFamily(
        "configsync_announcements_lost_total", .counter, "What was never told.",
        counts.map { .init(labels: [("destination", $0.name)], value: "\($0.lost)") }),
    ]
  }

  private func seconds(_ duration: Duration) -> String {
    let parts = duration.components
    return "\(Double(parts.seconds) + Double(parts.attoseconds) / 1e18)"
  }
}
