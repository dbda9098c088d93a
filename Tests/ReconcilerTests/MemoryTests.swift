import ConfigModel
import TestSupport
import Testing

@testable import Reconciler

/// What a reconciler remembers of its last run must make no difference.
struct MemoryTests {
  /// A reconciler that goes on, and one made anew for each run, in two stores to which the same happens.
  @Test func aReconcilerThatRemembersEndsWhereANewOneDoes() async throws {
    for seed in 0..<150 {
      var random = SeededRandomNumbers(seed: UInt64(seed))
      let source = SharedSource()
      let (remembered, fresh) = (ModelTarget(), ModelTarget())
      source.change { _ = $0.commit(["a.yaml": "k0: 1\n"]) }
      let lasting = SourceReconciler(source: source, target: remembered, calendar: calendar())
      for step in 0..<25 {
        let key = Int.random(in: 0..<6, using: &random)
        let kind = Int.random(in: 0..<10, using: &random)
        let lines = (0..<6).filter { _ in Bool.random(using: &random) }
        for (number, target) in [remembered, fresh].enumerated() {
          switch kind {
          case 0: target.put("/a/k\(key)", "by hand \(step)")
          case 1: target.remove("/a/k\(key)")
          case 2...4 where number == 0:
            let content = lines.map { "k\($0): \(step)\n" }.joined()
            source.change { _ = $0.commit(["a.yaml": content.isEmpty ? "k9: 1\n" : content]) }
          case 5:
            // Another reconciler was faster.
            _ = try await SourceReconciler(source: source, target: target, calendar: calendar())
              .run(ReconcileOptions())
          case 6:
            try await SourceOperator(target, calendar: calendar()).setSuspended(
              step % 2 == 0, of: "default", by: "Ada", reason: "\(step)")
          case 7:
            let tip = try source.tip()
            _ = try? await SourceOperator(target, calendar: calendar())
              .reject(tip, of: "default", by: "Ada", reason: "\(step)")
          default: break
          }
        }
        var options = ReconcileOptions()
        options.looksForDrift = kind == 8
        do {
          _ = try await lasting.run(options)
        } catch ReconcileError.fenced {
          // It remembered a key that somebody has made anew: the next run reads all.
          _ = try await lasting.run(options)
        }
        _ = try await SourceReconciler(source: source, target: fresh, calendar: calendar())
          .run(options)
      }
      for target in [remembered, fresh] {
        try await SourceOperator(target, calendar: calendar()).setSuspended(
          false, of: "default", by: "Ada", reason: "the end")
      }
      _ = try await lasting.run(ReconcileOptions())
      _ = try await SourceReconciler(source: source, target: fresh, calendar: calendar())
        .run(ReconcileOptions())
      #expect(remembered.content == fresh.content, "seed \(seed)")
      #expect(remembered.head() == fresh.head(), "seed \(seed)")
    }
  }
}
