import ConfigModel
import Foundation
import Synchronization
import Testing

@testable import Reconciler

struct ReconcilerTests {
  @Test func everyCommitIsOneTransactionWithItsRecords() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    _ = source.commit(["a.yaml": "x: 1\ny: 2\n"])
    _ = source.commit(["a.yaml": "x: 1\nz: 3\n"])
    let last = source.commit(["a.yaml": "x: 1\nz: 3\n"], "changes nothing")
    let report = try await reconciler(source, target)
      .run(ReconcileOptions(history: .full))
    #expect(report.applied == 3 && report.refused == 0 && report.head == last)
    #expect(target.revision == 4)
    #expect(target.content == ["/a/x": "1", "/a/z": "3"])
    #expect(target.head() == last.text)
    let transactions = target.state.withLock { $0.transactions }
    #expect(
      transactions.map { $0.fences.map(\.modRevision) } == [[0, 0, 0], [2, 0, 0, 2], [3, 0, 0]])
    #expect(transactions[1].deletes == [Array("/a/y".utf8)])
    #expect(transactions[1].puts.count == 3, "the changed key, the head and the record")
    let again = try await reconciler(source, target).run(ReconcileOptions())
    #expect(again.applied == 0 && target.revision == 4)
  }

  @Test func theFirstSyncTakesWhatItIsAskedFor() async throws {
    var source = ScriptedSource()
    let ids = (1...4).map { source.commit(["a.yaml": "x: \($0)\n"]) }
    let head = ModelTarget()
    _ = try await reconciler(source, head).run(ReconcileOptions())
    #expect(head.revision == 2 && head.content == ["/a/x": "4"])
    let since = ModelTarget()
    _ = try await reconciler(source, since)
      .run(ReconcileOptions(history: .since(ids[1].text)))
    #expect(since.revision == 4)
  }

  @Test func aBrokenCommitIsRefusedWholeAndRecordedOnce() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    let good = source.commit(["a.yaml": "x: 1\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    let bad = source.commit(["a.yaml": "x: 2\n", "b.yaml": "y: [\n"])
    let report = try await reconciler(source, target).run(ReconcileOptions())
    #expect(report.refused == 1 && report.tipFindings?.isEmpty == false)
    #expect(target.content == ["/a/x": "1"] && target.head() == good.text)
    let key = Array((ReservedKeys.refusals(of: "default") + bad.text).utf8)
    let record: RefusalRecord = try ReservedKeys.decode(
      from: try #require(try target.item(key)).value)
    #expect(record.findings.map(\.file) == ["b.yaml"])
    let revision = target.revision
    _ = try await reconciler(source, target).run(ReconcileOptions())
    #expect(target.revision == revision, "the same refusal is not recorded again")
    let fixed = source.commit(["a.yaml": "x: 3\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    #expect(target.content == ["/a/x": "3"] && target.head() == fixed.text)
  }

  @Test func aLostAnswerIsFoundOutAndNothingIsAppliedTwice() async throws {
    for faults in [[ModelTarget.Fault.loseAfter], [.loseBefore], [.loseBefore, .loseAfter]] {
      var source = ScriptedSource()
      let target = ModelTarget()
      let first = source.commit(["a.yaml": "x: 1\n"])
      target.state.withLock { $0.faults = faults }
      let report = try await reconciler(source, target).run(
        ReconcileOptions())
      #expect(report.applied == 1 && target.revision == 2 && target.head() == first.text)
    }
  }

  @Test func anotherReconcilerFencesThisOne() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    _ = source.commit(["a.yaml": "x: 1\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    _ = source.commit(["a.yaml": "x: 2\n"])
    _ = source.commit(["a.yaml": "x: 3\n"])
    await #expect(throws: ReconcileError.fenced(source: "default")) {
      _ = try await reconciler(source, target).run(
        ReconcileOptions(),
        began: { _ in
          target.put(ReservedKeys.head(of: "default"), String(repeating: "f", count: 40))
        })
    }
    #expect(target.content == ["/a/x": "1"])
  }

  @Test func aRewrittenBranchStopsUntilSomeoneConfirms() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    let root = source.commit(["a.yaml": "x: 1\n"])
    _ = source.commit(["a.yaml": "x: 2\n", "b.yaml": "y: 1\n"])
    _ = try await reconciler(source, target)
      .run(ReconcileOptions(history: .full))
    let other = source.commit(["a.yaml": "x: 9\n"], parents: [root])
    await #expect(throws: ReconcileError.self) {
      _ = try await reconciler(source, target).run(ReconcileOptions())
    }
    #expect(target.content == ["/a/x": "2", "/b/y": "1"])
    _ = try await reconciler(source, target)
      .run(ReconcileOptions(acceptsRewrite: true))
    #expect(target.content == ["/a/x": "9"] && target.head() == other.text)
  }

  /// Deletions are counted from what the store holds, however the branch came to lack it.
  @Test func aRewriteDeletesNoMoreThanPruneAllows() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    let settings = "apiVersion: configsync/v1\nprune: {maxDeletes: 1}\n"
    let full = ["configsync.yaml": settings, "a.yaml": "x: 1\ny: 1\nz: 1\n"]
    // On a first sync the store has nothing to delete, whatever the parent had.
    let root = source.commit(["configsync.yaml": settings, "b.yaml": "p: 1\nq: 1\nr: 1\n"])
    _ = source.commit(full)
    _ = try await reconciler(source, target).run(ReconcileOptions())
    #expect(target.content == ["/a/x": "1", "/a/y": "1", "/a/z": "1"])
    _ = source.commit(["configsync.yaml": settings, "c.yaml": "v: 1\n"], parents: [root])
    _ = source.commit(["configsync.yaml": settings, "c.yaml": "v: 2\n"])
    let report = try await reconciler(source, target)
      .run(ReconcileOptions(acceptsRewrite: true))
    #expect(report.refused == 1 && report.tipFindings?.map(\.code) == [.pruneLimit])
    #expect(target.content.count == 3)
  }

  @Test func goingBackToAnEarlierCommitKeepsEveryKeyAccountedFor() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    let first = source.commit(["a.yaml": "x: 1\nz: 1\n"])
    _ = source.commit(["a.yaml": "x: 2\nz: 1\n"])
    _ = try await reconciler(source, target)
      .run(ReconcileOptions(history: .full))
    source.head = first
    _ = try await reconciler(source, target)
      .run(ReconcileOptions(acceptsRewrite: true))
    #expect(target.content == ["/a/x": "1", "/a/z": "1"])
    _ = source.commit(["a.yaml": "x: 1\n"], parents: [first])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    #expect(target.content == ["/a/x": "1"], "z is the source's own, and goes")
  }

  @Test func keysOfOthersAreLeftAlone() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    target.put("/by/hand", "1")
    target.put("/a/x", "1")
    _ = source.commit(["a.yaml": "x: 1\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    #expect(target.content == ["/by/hand": "1", "/a/x": "1"])
    let item = try #require(try target.item(Array("/a/x".utf8)))
    #expect(item.modRevision == target.revision, "an equal value is taken over all the same")
    _ = source.commit(["b.yaml": "y: 1\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    #expect(target.content == ["/by/hand": "1", "/b/y": "1"])
  }

  @Test func sourcesMayNotOverlap() async throws {
    let target = ModelTarget()
    var first = ScriptedSource()
    _ = first.commit([
      "configsync.yaml": "apiVersion: configsync/v1\nname: one\nprefix: /teams\n",
      "a.yaml": "x: 1\n",
    ])
    _ = try await reconciler(first, target).run(ReconcileOptions())
    var second = ScriptedSource(salt: "5")
    _ = second.commit([
      "configsync.yaml": "apiVersion: configsync/v1\nname: two\nprefix: /teams/blue\n",
      "a.yaml": "x: 1\n",
    ])
    await #expect(
      throws: ReconcileError.overlaps(prefix: "/teams/blue/", other: "one", otherPrefix: "/teams/")
    ) {
      _ = try await reconciler(second, target).run(ReconcileOptions(name: "two"))
    }
  }

  @Test func noCommitOnTheWayMayTouchAnotherSourcesKeys() async throws {
    let target = ModelTarget()
    func settings(_ name: String, _ prefix: String) -> String {
      "apiVersion: configsync/v1\nname: \(name)\nprefix: \(prefix)\n"
    }
    var first = ScriptedSource()
    _ = first.commit(["configsync.yaml": settings("one", "/one"), "a.yaml": "x: 1\n"])
    _ = try await reconciler(first, target).run(ReconcileOptions())
    var second = ScriptedSource(salt: "5")
    _ = second.commit(["configsync.yaml": settings("two", "/two"), "a.yaml": "x: 2\n"])
    _ = second.commit(["configsync.yaml": settings("two", "/one"), "a.yaml": "x: evil\n"])
    _ = second.commit(["configsync.yaml": settings("two", "/two"), "a.yaml": "x: 3\n"])
    let report = try await reconciler(second, target)
      .run(ReconcileOptions(name: "two", history: .full))
    #expect(report.applied == 2 && report.refused == 1, "the commit that moves there is refused")
    #expect(target.content == ["/one/a/x": "1", "/two/a/x": "3"])
  }

  @Test func aBrokenConfigsyncYAMLDoesNotChangeTheSourcesName() async throws {
    let target = ModelTarget()
    var source = ScriptedSource()
    _ = source.commit([
      "configsync.yaml": "apiVersion: configsync/v1\nname: acme\n", "a.yaml": "x: 1\n",
    ])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    _ = source.commit(["configsync.yaml": "name: [\n", "a.yaml": "x: 2\n"])
    let report = try await reconciler(source, target).run(ReconcileOptions())
    #expect(report.source == "acme" && report.refused == 1)
    #expect(target.head("default") == nil)
  }

  @Test func aMergeThatBroughtTheHeadInIsAppliedAlone() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    let base = source.commit(["a.yaml": "x: 1\n"])
    let main = source.commit(["a.yaml": "x: 2\n"])
    _ = try await reconciler(source, target)
      .run(ReconcileOptions(history: .full))
    let side = source.commit(["a.yaml": "x: 1\n", "b.yaml": "y: 1\n"], parents: [base])
    _ = source.commit(["a.yaml": "x: 2\n", "b.yaml": "y: 1\n"], parents: [side, main])
    let report = try await reconciler(source, target).run(ReconcileOptions())
    #expect(report.applied == 1, "the side's commit would have taken the store back")
    #expect(target.content == ["/a/x": "2", "/b/y": "1"])
  }
}
