import ConfigModel
import Foundation
import Logging
import Reconciler
import TestSupport
import Testing

@testable import Reconciler
@testable import Server

/// What Prometheus reads of a reconciler.
struct SourceFiguresTests {
  private let commit = CommitID(String(repeating: "a", count: 40))!

  private func lines(_ figures: SourceFigures) throws -> Set<String> {
    let metrics = ReconcilerMetrics([figures], try Feedback([], logger: Logger(label: "t")))
    return Set(metrics.text.split(separator: "\n").map(String.init))
  }

  private func report(_ change: (inout ReconcileReport) -> Void = { _ in }) -> ReconcileLoop.Outcome
  {
    var report = ReconcileReport(
      source: "acme", head: commit, tip: commit, prefix: ConfigPath(escaped: "/"))
    change(&report)
    return .finished(report)
  }

  @Test func stalenessIsTheAgeOfTheLastFetch() throws {
    let figures = SourceFigures("acme") { 1000 }
    #expect(
      try lines(figures).contains(
        "configsync_source_last_fetch_timestamp_seconds{source=\"acme\"} 0"))
    figures.note(.fetched(.milliseconds(1500)))
    figures.note(.resting("other"))
    figures.note(.fetched(.seconds(9)))
    figures.note(report())
    figures.note(.stale(CancellationError()))
    figures.note(report { $0.staleness = "nobody answers" })
    let found = try lines(figures)
    for line in [
      "configsync_source_last_fetch_timestamp_seconds{source=\"acme\"} 1000",
      "configsync_source_last_reconcile_timestamp_seconds{source=\"acme\"} 1000",
      "configsync_source_failed_fetches_total{source=\"acme\"} 1",
      "configsync_source_seconds_total{source=\"acme\",part=\"fetch\"} 10.5",
    ] {
      let isThere = found.contains(line)
      #expect(isThere, "\(line)")
    }
  }

  @Test func eventsAreCountedAndStatesShown() throws {
    let figures = SourceFigures("acme") { 1000 }
    let journal = EventJournal { figures.note($0) }
    var drifted = DriftReport()
    drifted.corrected = [DriftedKey(path: ConfigPath(escaped: "/a"), revision: 1)]
    drifted.revisions = [2]
    drifted.contested = [DriftedKey(path: ConfigPath(escaped: "/b"), revision: 1)]
    let outcome = report { report in
      report.lookedForDrift = true
      report.drift = drifted
    }
    figures.note(outcome)
    journal.note(outcome)
    #expect(
      try lines(figures).contains(
        "configsync_source_state{source=\"acme\",state=\"drifted\"} 1"))
    figures.note(.resting("other"))
    figures.note(.failed(CancellationError(), retryAfter: .zero))
    let found = try lines(figures)
    for line in [
      "configsync_source_active{source=\"acme\"} 0",
      "configsync_source_state{source=\"acme\",state=\"drifted\"} 0",
      "configsync_source_state{source=\"acme\",state=\"running\"} 0",
      "configsync_source_drifted_keys{source=\"acme\"} 1",
      "configsync_source_corrected_keys_total{source=\"acme\"} 1",
      "configsync_source_failures_total{source=\"acme\"} 1",
      "configsync_source_commits_total{source=\"acme\",result=\"applied\"} 0",
    ] {
      let isThere = found.contains(line)
      #expect(isThere, "\(line)")
    }
  }

  @Test func theyAreServed() async throws {
    let metrics = ReconcilerMetrics(
      [SourceFigures("acme") { 0 }], try Feedback([], logger: Logger(label: "t")))
    let listener = try await PlainListener(metrics, on: "127.0.0.1:0")
    func get(_ path: String) async throws -> String {
      try await executeOnThread("curl", ["-s", "http://127.0.0.1:\(listener.port)\(path)"]).output
    }
    let text = try await get("/metrics?x=1")
    #expect(text.contains("# TYPE configsync_source_active gauge"))
    #expect(text.contains("process_resident_memory_bytes "))
    #expect(try await get("/livez") == "ok\n")
    #expect(try await get("/x") == "404 page not found\n")
    try await listener.shutDown()
    await #expect(throws: ListenAddressError.self) { try await PlainListener(metrics, on: "x") }
  }
}
