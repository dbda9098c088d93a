import ConfigModel
import Synchronization
import Testing

@testable import Reconciler

/// What happens where somebody else has changed a key of a source.
struct DriftTests {
  private func started() async throws -> (ScriptedSource, ModelTarget) {
    var source = ScriptedSource()
    let target = ModelTarget()
    _ = source.commit(["a.yaml": "x: 1\ny: 2\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    return (source, target)
  }

  private func state(_ target: ModelTarget) throws -> StateRecord? {
    try target.item(Array(ReservedKeys.state(of: "default").utf8))
      .map { try ReservedKeys.decode(from: $0.value) }
  }

  @Test func whatWasChangedOrDeletedIsPutBackInOneRevision() async throws {
    let (source, target) = try await started()
    target.put("/a/x", "9")
    target.remove("/a/y")
    target.put("/a/by-hand", "stays")
    let before = target.revision
    let report = try await reconciler(source, target).run(ReconcileOptions())
    #expect(report.drift.corrected.map(\.path.text) == ["/a/x", "/a/y"])
    #expect(report.drift.corrected[1].revision == nil && report.drift.revisions == [before + 1])
    #expect(target.revision == before + 1 && report.revisions == [before + 1])
    #expect(target.content == ["/a/x": "1", "/a/y": "2", "/a/by-hand": "stays"])
    let again = try await reconciler(source, target).run(ReconcileOptions())
    #expect(again.drift == DriftReport() && target.revision == before + 1)
  }

  /// A key that was put back is the source's own still, and goes with its line.
  @Test func whatWasPutBackIsDeletedByALaterCommit() async throws {
    var (source, target) = try await started()
    target.remove("/a/y")
    _ = try await reconciler(source, target).run(ReconcileOptions())
    _ = source.commit(["a.yaml": "x: 1\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    #expect(target.content == ["/a/x": "1"])
    target = ModelTarget()
  }

  /// A value that is right but nobody's would outlive the line that it comes from.
  @Test func whatSomebodyElseHasMadeAnewIsTakenOver() async throws {
    var (source, target) = try await started()
    target.remove("/a/y")
    target.put("/a/y", "2")
    let report = try await reconciler(source, target).run(ReconcileOptions())
    #expect(report.drift.corrected.map(\.path.text) == ["/a/y"])
    _ = source.commit(["a.yaml": "x: 1\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    #expect(target.content == ["/a/x": "1"])
    target = ModelTarget()
  }

  @Test func whatDriftedStaysToldWhileNobodyLooks() async throws {
    let (source, target) = try await started()
    target.put("/a/x", "9")
    _ = try await reconciler(source, target).run(ReconcileOptions(drift: .report))
    var options = ReconcileOptions(drift: .report)
    options.looksForDrift = false
    _ = try await reconciler(source, target).run(options)
    #expect(try state(target)?.kind == .drifted)
  }

  @Test func manyKeysArePutBackInSteps() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    let lines = (0..<2500).map { "k\($0): 1\n" }.joined()
    _ = source.commit(["a.yaml": lines])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    for number in 0..<2500 { target.put("/a/k\(number)", "2") }
    let report = try await reconciler(source, target).run(ReconcileOptions())
    #expect(report.drift.corrected.count == 2500 && report.drift.revisions.count == 3)
    #expect(target.content.values.allSatisfy { $0 == "1" })
  }

  @Test func aDamagedRecordIsNamedAndOnlyThoseThatCountStopTheSource() async throws {
    let (source, target) = try await started()
    target.put(ReservedKeys.state(of: "default"), "{")
    _ = try await reconciler(source, target).run(ReconcileOptions())
    let key = ReservedKeys.suspension(of: "default")
    target.put(key, "{")
    await #expect(throws: ReconcileError.record(key: key)) {
      _ = try await reconciler(source, target).run(ReconcileOptions())
    }
  }

  @Test func driftIsOnlyToldWhereThatIsAskedFor() async throws {
    let (source, target) = try await started()
    target.put("/a/x", "9")
    let report = try await reconciler(source, target).run(ReconcileOptions(drift: .report))
    #expect(report.drift.reported == [DriftedKey(path: ConfigPath(escaped: "/a/x"), revision: 3)])
    #expect(target.content["/a/x"] == "9")
    #expect(try state(target)?.kind == .drifted)
    #expect(try state(target)?.message.contains("/a/x (revision 3)") == true)
    _ = try await reconciler(source, target).run(ReconcileOptions())
    #expect(try state(target)?.kind == .running && target.content["/a/x"] == "1")
  }

  @Test func aFightIsEndedAndTold() async throws {
    let (source, target) = try await started()
    for _ in 0..<5 {
      target.put("/a/x", "9")
      _ = try await reconciler(source, target, at: 100).run(ReconcileOptions())
      #expect(target.content["/a/x"] == "1")
    }
    target.put("/a/x", "9")
    target.put("/a/y", "9")
    let report = try await reconciler(source, target, at: 200).run(ReconcileOptions())
    #expect(report.drift.contested.map(\.path.text) == ["/a/x"])
    #expect(target.content == ["/a/x": "9", "/a/y": "2"], "others are put back all the same")
    #expect(try state(target)?.message.contains("/a/x") == true)
    let later = try await reconciler(source, target, at: 3800).run(ReconcileOptions())
    #expect(later.drift.corrected.map(\.path.text) == ["/a/x"] && target.content["/a/x"] == "1")
  }

  @Test func nothingIsPutBackWhileASourceRestsOrIsFrozen() async throws {
    let (source, target) = try await started()
    try await SourceOperator(target, calendar: calendar()).setSuspended(
      true, of: "default", by: "Ada", reason: "an incident")
    target.put("/a/x", "9")
    _ = try await reconciler(source, target).run(ReconcileOptions())
    #expect(target.content["/a/x"] == "9")
  }
}

/// Who stops a source, and which commits are skipped.
struct SuspensionTests {
  @Test func aSuspendedSourceAppliesNothingUntilItIsResumed() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    _ = source.commit(["a.yaml": "x: 1\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    let ada = SourceOperator(target, calendar: calendar(at: 60))
    try await ada.setSuspended(true, of: "default", by: "Ada", reason: "an incident")
    let tip = source.commit(["a.yaml": "x: 2\n"])
    let report = try await reconciler(source, target).run(ReconcileOptions())
    #expect(report.suspension?.by == "Ada" && report.suspension?.time == "1970-01-01T00:01:00Z")
    #expect(report.applied == 0 && target.content == ["/a/x": "1"])
    try await ada.setSuspended(false, of: "default", by: "Bob", reason: "it is over")
    _ = try await reconciler(source, target).run(ReconcileOptions())
    #expect(target.content == ["/a/x": "2"] && target.head() == tip.text)
  }

  /// Between reading the store and writing it somebody suspends the source.
  @Test func nothingIsAppliedAfterSuspendingReturns() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    _ = source.commit(["a.yaml": "x: 1\n"])
    let record = try ReservedKeys.encode(
      SuspensionRecord(isSuspended: true, by: "Ada", reason: "now", time: "t"))
    await #expect(throws: ReconcileError.fenced(source: "default")) {
      _ = try await reconciler(source, target).run(
        ReconcileOptions(),
        began: { _ in
          target.put(
            ReservedKeys.suspension(of: "default"), String(decoding: record, as: UTF8.self))
        })
    }
    #expect(target.content.isEmpty)
  }

  @Test func aRejectedCommitIsSkippedAndLaterOnesAreNot() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    _ = source.commit(["a.yaml": "x: 1\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    let bad = source.commit(["a.yaml": "x: 2\n"])
    try await SourceOperator(target, calendar: calendar())
      .reject(bad, of: "default", by: "Ada", reason: "it breaks the load balancer")
    let report = try await reconciler(source, target).run(ReconcileOptions())
    #expect(report.tipFindings?.map(\.code) == [.commitRejected] && target.content == ["/a/x": "1"])
    let fixed = source.commit(["a.yaml": "x: 3\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions())
    #expect(target.content == ["/a/x": "3"])
    await #expect(throws: ReconcileError.alreadyApplied(fixed)) {
      try await SourceOperator(target, calendar: calendar()).reject(
        fixed, of: "default", by: "Ada", reason: "late")
    }
  }

  /// The rejection comes between reading the store and writing it.
  @Test func aCommitIsAppliedOrRejectedAndNeverBoth() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    let commit = source.commit(["a.yaml": "x: 1\n"])
    let record = try ReservedKeys.encode(RejectionRecord(by: "Ada", reason: "no", time: "t"))
    await #expect(throws: ReconcileError.fenced(source: "default")) {
      _ = try await reconciler(source, target).run(
        ReconcileOptions(),
        began: { _ in
          target.put(
            ReservedKeys.rejections(of: "default") + commit.text,
            String(decoding: record, as: UTF8.self))
        })
    }
    #expect(target.content.isEmpty)
  }

  @Test func whatStopsASourceIsRecordedOnce() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    let root = source.commit(["a.yaml": "x: 1\n"])
    _ = source.commit(["a.yaml": "x: 2\n"])
    _ = try await reconciler(source, target).run(ReconcileOptions(history: .full))
    source.head = root
    _ = source.commit(["a.yaml": "x: 9\n"])
    let before = target.revision
    for _ in 0..<3 {
      await #expect(throws: ReconcileError.self) {
        _ = try await reconciler(source, target).run(ReconcileOptions(name: "default"))
      }
    }
    #expect(target.revision == before + 1)
    let key = Array(ReservedKeys.state(of: "default").utf8)
    let record: StateRecord = try ReservedKeys.decode(
      from: try #require(try target.item(key)).value)
    #expect(record.kind == .stopped && record.message.contains("rewritten"))
  }
}
