import Compiler
import ConfigModel
import Foundation
import Testing

@testable import Reconciler

struct FreezeTests {
  private static let zones = FreezeCalendar(
    now: { 0 },
    offset: { zone, seconds in
      TimeZone(identifier: zone).map {
        Int64($0.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(seconds))))
      }
    })

  private func seconds(_ text: String) throws -> Int64 {
    Int64(try Date(text, strategy: .iso8601).timeIntervalSince1970)
  }

  private func windows(_ entry: String) throws -> [FreezeWindow] {
    let text = "apiVersion: configsync/v1\nfreeze:\n  - \(entry)\n"
    let tree = SourceTree(contents: ["configsync.yaml": Array(text.utf8)])
    return try #require(readSettings(tree)).freezes
  }

  @Test(
    arguments: [
      // 2026-11-27 is a Friday; Berlin is an hour ahead.
      ("2026-11-27T16:59:59Z", nil), ("2026-11-27T17:00:00Z", "2026-11-30T05:00:00Z"),
      ("2026-11-30T04:59:59Z", "2026-11-30T05:00:00Z"), ("2026-11-30T05:00:00Z", nil),
    ] as [(String, String?)])
  func aWindowLastsItsLength(now: String, end: String?) throws {
    let now = try seconds(now)
    let calendar = FreezeCalendar(now: { now }, offset: Self.zones.offset)
    let windows = try windows("{cron: '0 18 * * FRI', duration: 60h, timezone: Europe/Berlin}")
    #expect(try calendar.freeze(by: windows)?.endText == end)
  }

  /// Minute by minute over days in which clocks change, against a plain look at each minute before.
  @Test(arguments: [
    ("America/New_York", "2026-03-07T12:00:00Z"), ("America/New_York", "2026-10-31T12:00:00Z"),
    ("Europe/Berlin", "2026-03-28T12:00:00Z"), ("Europe/Berlin", "2026-10-24T12:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T06:00:00Z"), ("Asia/Kolkata", "2026-12-31T00:00:00Z"),
  ])
  func clocksThatChangeAreFollowed(zone: String, start: String) throws {
    let windows = try windows("{cron: '30 1,5 * * *', duration: 45m, timezone: \(zone)}")
    let first = try seconds(start)
    let shown = { (time: Int64) -> Int in
      Int((time + (Self.zones.offset(zone, time) ?? 0)) % 86_400) / 60
    }
    for minute in stride(from: 0, to: 2 * 1440, by: 5) {
      let now = first + Int64(minute) * 60
      let calendar = FreezeCalendar(now: { now }, offset: Self.zones.offset)
      // A time that clocks show twice begins a window once, the first time.
      let begins = (0..<45).filter { [90, 330].contains(shown(now - Int64($0) * 60)) }.contains {
        ago in
        let time = now - Int64(ago) * 60
        return shown(time - 3600) != shown(time) && shown(time - 1800) != shown(time)
      }
      #expect((try calendar.freeze(by: windows) != nil) == begins, "\(zone) \(minute)")
    }
  }

  @Test func anUnknownZoneIsNoAnswer() throws {
    let windows = try windows("{cron: '0 0 * * *', duration: 2h, timezone: Europe/Berlin}")
    let calendar = FreezeCalendar(now: { 0 }, offset: { _, _ in nil })
    #expect(throws: ReconcileError.self) { try calendar.freeze(by: windows) }
  }

  @Test func nothingIsAppliedWhileTheStoresSettingsFreeze() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    let frozen = "apiVersion: configsync/v1\nfreeze: [{cron: '0 0 * * *', duration: 1h}]\n"
    let first = source.commit(["a.yaml": "x: 1\n"])
    _ = try await reconciler(source, target, at: 60).run(ReconcileOptions())
    // What a commit says of freezing counts from the next one on.
    let second = source.commit(["configsync.yaml": frozen, "a.yaml": "x: 2\n"])
    let third = source.commit(["a.yaml": "x: 3\n"])
    let report = try await reconciler(source, target, at: 60).run(ReconcileOptions())
    #expect(report.applied == 1 && report.head == second && report.freeze?.end == 3600)
    #expect(target.content == ["/a/x": "2"])
    let later = try await reconciler(source, target, at: 3600).run(ReconcileOptions())
    #expect(later.head == third && later.freeze == nil && target.content == ["/a/x": "3"])
    #expect(first != second)
  }

  @Test func theFirstCommitIsFrozenByItsOwnSettings() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    _ = source.commit([
      "configsync.yaml": "apiVersion: configsync/v1\nfreeze: [{cron: '0 0 * * *', duration: 1h}]\n",
      "a.yaml": "x: 1\n",
    ])
    let report = try await reconciler(source, target, at: 60).run(ReconcileOptions())
    #expect(report.applied == 0 && report.freeze != nil && target.content.isEmpty)
  }

  @Test func somebodyMayApplyDuringAFreezeAndIsRecorded() async throws {
    var source = ScriptedSource()
    let target = ModelTarget()
    let frozen = "apiVersion: configsync/v1\nfreeze: [{cron: '0 0 * * *', duration: 1h}]\n"
    _ = source.commit(["configsync.yaml": frozen, "a.yaml": "x: 1\n"])
    _ = try await reconciler(source, target, at: 7200).run(ReconcileOptions())
    let urgent = source.commit(["configsync.yaml": frozen, "a.yaml": "x: 2\n"])
    target.put("/a/x", "by hand")
    var options = ReconcileOptions()
    #expect(try await reconciler(source, target, at: 60).run(options).applied == 0)
    #expect(target.content["/a/x"] == "by hand", "a freeze holds for corrections, too")
    options.freezeOverride = .init(by: "Ada", reason: "incident 42")
    #expect(try await reconciler(source, target, at: 60).run(options).applied == 1)
    let key = Array((ReservedKeys.commits(of: "default") + urgent.text).utf8)
    let record: CommitRecord = try ReservedKeys.decode(
      from: try #require(try target.item(key)).value)
    #expect(record.freezeOverride == .init(by: "Ada", reason: "incident 42"))
    target.put("/a/x", "by hand")
    let rest = try await reconciler(source, target, at: 60).run(ReconcileOptions())
    #expect(rest.freeze != nil && target.content["/a/x"] == "by hand")
  }
}
