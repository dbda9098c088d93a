import Store
import Testing

@testable import Cluster

struct CompactionScheduleTests {
  private static func compacted(
    _ mode: AutoCompaction, after revisions: [Int64]
  ) -> [Int64?] {
    var schedule = CompactionSchedule(mode)
    return revisions.map { schedule.next(Revision($0))?.rawValue }
  }

  @Test func whatIsOldEnoughGoes() {
    // Ten turns an hour: what was newest an hour ago is the oldest now.
    let mode = AutoCompaction.periodic(.seconds(3600))
    #expect(CompactionSchedule(mode).interval == .seconds(360))
    let turns = (1...12).map { Int64($0 * 10) }
    let found = CompactionScheduleTests.compacted(mode, after: turns)
    #expect(found == Array(repeating: nil, count: 10) + [10, 20])
  }

  @Test func longPeriodsHaveTurnsOfSixMinutes() {
    let mode = AutoCompaction.periodic(.seconds(7200))
    #expect(CompactionSchedule(mode).interval == .seconds(360))
    let found = CompactionScheduleTests.compacted(mode, after: (1...21).map { Int64($0) })
    #expect(found == Array(repeating: nil, count: 20) + [1])
    #expect(CompactionSchedule(.periodic(.seconds(60))).interval == .seconds(6))
  }

  @Test func soManyRevisionsStay() {
    let found = CompactionScheduleTests.compacted(.revisions(100), after: [50, 101, 102, 250, 250])
    #expect(found == [nil, nil, 2, 150, 150])
  }
}
