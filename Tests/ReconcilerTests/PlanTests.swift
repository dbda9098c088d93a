import ConfigModel
import Foundation
import Testing

@testable import Reconciler

/// What a run would do, and doing just that.
struct PlanTests {
  private func change(_ key: String, _ old: String?, _ new: String?) -> ReconcilePlan.Change {
    ReconcilePlan.Change(key: key, old: old.map { Array($0.utf8) }, new: new.map { Array($0.utf8) })
  }

  private func started() async throws -> (ScriptedSource, ModelTarget) {
    var source = ScriptedSource()
    let target = ModelTarget()
    _ = source.commit(["a.yaml": "x: 1\ny: 2\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    target.put("/by/hand", "1")
    return (source, target)
  }

  @Test func aPlanShowsTheNetChangeAndDoesNothing() async throws {
    var (source, target) = try await started()
    _ = source.commit(["a.yaml": "x: 5\nz: 1\n"])
    let bad = source.commit(["a.yaml": "x: [\n"])
    let tip = source.commit(["a.yaml": "x: 3\nz: 1\n"])
    target.put("/a/y", "changed by hand")
    let before = target.revision
    let plan = try await reconciler(source, target).plan(ReconcileOptions())
    #expect(target.revision == before)
    #expect(
      plan.changes == [
        change("/a/x", "1", "3"), change("/a/y", "changed by hand", nil), change("/a/z", nil, "1"),
      ])
    #expect(plan.tip == tip && plan.headRevision == 2 && plan.commits.count == 3)
    #expect(plan.commits.filter { !$0.findings.isEmpty }.map(\.facts.commit) == [bad])
    let file = try JSONDecoder().decode(
      ReconcilePlan.self, from: try JSONEncoder().encode(plan))
    #expect(file == plan)
    let report = try await reconciler(source, target).apply(file, ReconcileOptions())
    #expect(report.applied == 2 && target.content == ["/a/x": "3", "/a/z": "1", "/by/hand": "1"])
    #expect(try await reconciler(source, target).plan(ReconcileOptions()).isEmpty)
    target = ModelTarget()
  }

  /// One record tells of a commit that was applied twice, and the keys of the first time are the source's still.
  @Test func whatACommitWroteIsItsOwnAfterItIsAppliedAgain() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    let first = source.commit(["a.yaml": "x: 1\ny: 1\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    _ = source.commit(["a.yaml": "x: 2\ny: 1\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    source.head = first
    _ = try await reconciler(source, target).run(ReconcileOptions(acceptsRewrite: true))
    // A third time: y is made anew at the second.
    let other = source.commit(["a.yaml": "x: 1\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    for head in [first, other, first] {
      source.head = head
      _ = try await reconciler(source, target).run(ReconcileOptions(acceptsRewrite: true))
    }
    target.put("/a/x", "by hand")
    target.put("/a/y", "by hand")
    _ = source.commit(["a.yaml": "z: 1\n"])
    let plan = try await reconciler(source, target).plan(ReconcileOptions())
    #expect(
      plan.changes == [
        change("/a/x", "by hand", nil), change("/a/y", "by hand", nil), change("/a/z", nil, "1"),
      ])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    #expect(target.content == ["/a/z": "1"])
  }

  /// The newest commit is refused, though a later one was applied between.
  @Test func aRefusalIsRecordedAgainAfterSomethingWasApplied() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    _ = source.commit(["a.yaml": "x: 1\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    let bad = source.commit(["a.yaml": "x: [\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    _ = source.commit(["a.yaml": "x: 3\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    let key = Array((ReservedKeys.refusals(of: "default") + bad.text).utf8)
    let head = Array(ReservedKeys.head(of: "default").utf8)
    func revision(_ key: [UInt8]) throws -> Int64 { try target.item(key)?.modRevision ?? 0 }
    #expect(try revision(key) < revision(head))
    source.head = bad
    for _ in 0..<2 {
      _ = try await reconciler(source, target).run(ReconcileOptions(acceptsRewrite: true))
      #expect(try revision(key) == revision(head) + 1, "once")
    }
  }

  @Test func aStalePlanChangesNothing() async throws {
    let (first, target) = try await started()
    var source = first
    _ = source.commit(["a.yaml": "x: 2\n"])
    let plan = try await reconciler(source, target).plan(ReconcileOptions())
    // The branch goes on.
    var later = source
    _ = later.commit(["a.yaml": "x: 3\n"])
    await #expect(throws: ReconcileError.self) {
      _ = try await reconciler(later, target).apply(plan, ReconcileOptions())
    }
    // Somebody changes a key that it would change.
    target.put("/a/x", "9")
    await #expect(throws: ReconcileError.self) {
      _ = try await reconciler(source, target).apply(plan, ReconcileOptions())
    }
    #expect(target.content["/a/x"] == "9")
    // Another reconciler applies it.
    let second = try await reconciler(source, target).plan(ReconcileOptions())
    _ = try await reconciler(source, target).run(ReconcileOptions())
    let revision = target.revision
    await #expect(throws: ReconcileError.self) {
      _ = try await reconciler(source, target).apply(second, ReconcileOptions())
    }
    #expect(target.revision == revision)
  }

  /// A store that has keys already is what a first plan meets.
  @Test func aFirstPlanIsAppliedBesideKeysOfOthers() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    target.put("/legacy", "1")
    target.put("/a/y", "1")
    _ = source.commit(["a.yaml": "x: 1\n"])
    let plan = try await reconciler(source, target).plan(ReconcileOptions())
    target.put("/a/z", "2")
    _ = try await reconciler(source, target).apply(plan, ReconcileOptions())
    #expect(target.content == ["/legacy": "1", "/a/y": "1", "/a/z": "2", "/a/x": "1"])
  }

  @Test func aPlanAgainstACommitAsksNoStore() async throws {
    var source = ScriptedSource()
    let base = source.commit([
      "a.yaml": "x: 1\ny: 2\n", "configsync.yaml": "apiVersion: configsync/v1\nprotect: [/a/y]\n",
    ])
    _ = source.commit(["a.yaml": "x: 2\ny: 2\n"])
    let tip = source.commit(["a.yaml": "x: 2\ny: 2\nz: 3\n"])
    let plan = try await reconciler(source, ModelTarget()).plan(ReconcileOptions(), after: base)
    #expect(plan.changes == [change("/a/x", "1", "2"), change("/a/z", nil, "3")])
    #expect(plan.head == base && plan.tip == tip && plan.commits.count == 2)
    source.head = base
    _ = source.commit(["a.yaml": "x: 1\n"])
    let refused = try await reconciler(source, ModelTarget()).plan(ReconcileOptions(), after: base)
    #expect(
      refused.changes.isEmpty && refused.commits[0].findings.map(\.code) == ["prune.protected"])
  }

  @Test func aPlanTellsWhatWaits() async throws {
    var (source, target) = try await started()
    try await SourceOperator(target, calendar: calendar()).setSuspended(
      true, of: "default", by: "Ada", reason: "an incident")
    _ = source.commit(["a.yaml": "x: 2\n"])
    let plan = try await reconciler(source, target).plan(ReconcileOptions())
    #expect(plan.waiting == "suspended by Ada: an incident")
    #expect(
      plan.changes == [change("/a/x", "1", "2"), change("/a/y", "2", nil)],
      "what waits is shown all the same")
    let report = try await reconciler(source, target).apply(plan, ReconcileOptions())
    #expect(report.suspension != nil && target.content["/a/x"] == "1")
    try await SourceOperator(target, calendar: calendar()).setSuspended(
      false, of: "default", by: "Ada", reason: "over")
    _ = try await reconciler(source, target).apply(plan, ReconcileOptions())
    #expect(target.content["/a/x"] == "2", "what has waited may go on")
    target = ModelTarget()
  }
}
