import Foundation
import Raft
import TestSupport
import Testing

@testable import RaftLog

struct SegmentedLogTests {
  private let identity = LogIdentity(cluster: 1, member: MemberID(2))
  /// Nothing is written twice: what that brings has tests of its own (`TailCopyTests`).
  private let small = SegmentLimits(
    segmentBytes: LogFormat.firstRecord + (4 << 10), zeroedAheadBytes: 1 << 10, copiedBytes: 0)

  private func entry(_ index: UInt64, term: UInt64 = 1, bytes: Int = 40) -> Entry {
    Entry(
      term: Term(term), index: LogIndex(index), kind: .command,
      payload: [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: bytes))
  }

  private func open(_ folder: String) throws -> (log: SegmentedLog, recovered: RecoveredLog) {
    try SegmentedLog.open(directory: folder, identity: identity, limits: small)
  }

  @Test func whatWasAppendedIsThereAgain() throws {
    let folder = try TemporaryFolder()
    let state = HardState(term: Term(3), vote: MemberID(7), commit: LogIndex(1))
    let entries = (1...5).map { entry(UInt64($0)) }
    do {
      let (log, recovered) = try open(folder.path)
      #expect(recovered.entries.isEmpty)
      try log.append(hardState: state, entries: Array(entries[..<2]))
      try log.append(hardState: nil, entries: Array(entries[2...]))
    }
    let recovered = try open(folder.path).recovered
    #expect(recovered.hardState == state)
    #expect(recovered.entries == entries)
    #expect(recovered.tornBytes == 0)
  }

  @Test func anEntryReplacesItselfAndEverythingAfterIt() throws {
    let folder = try TemporaryFolder()
    do {
      let log = try open(folder.path).log
      try log.append(hardState: nil, entries: (1...5).map { entry(UInt64($0)) })
      try log.append(hardState: nil, entries: [entry(3, term: 2)])
    }
    let recovered = try open(folder.path).recovered
    #expect(recovered.entries.map(\.term.rawValue) == [1, 1, 2])
  }

  @Test func segmentsRollAndAreRemovedByCompaction() throws {
    let folder = try TemporaryFolder()
    let mark = SnapshotMark(index: LogIndex(900), term: Term(1))
    do {
      let log = try open(folder.path).log
      for index in 1...1000 { try log.append(hardState: nil, entries: [entry(UInt64(index))]) }
      #expect(log.segments.count > 4)
      try log.compact(to: mark)
      #expect(log.segments.count < 4)
    }
    let recovered = try open(folder.path).recovered
    #expect(recovered.base == mark)
    #expect(recovered.entries.map(\.index.rawValue) == Array(901...1000))
  }

  @Test func aResetVoidsEveryEntry() throws {
    let folder = try TemporaryFolder()
    let mark = SnapshotMark(index: LogIndex(50), term: Term(4))
    do {
      let log = try open(folder.path).log
      try log.append(hardState: nil, entries: (1...5).map { entry(UInt64($0)) })
      try log.reset(to: mark)
      try log.append(hardState: nil, entries: [entry(51, term: 4)])
    }
    let recovered = try open(folder.path).recovered
    #expect(recovered.base == mark)
    #expect(recovered.entries.map(\.index.rawValue) == [51])
  }

  @Test func aBatchLargerThanASegmentFits() throws {
    let folder = try TemporaryFolder()
    do {
      let log = try open(folder.path).log
      try log.append(hardState: nil, entries: [entry(1)])
      try log.append(hardState: nil, entries: [entry(2, bytes: 100 << 10)])
      try log.append(hardState: nil, entries: [entry(3)])
    }
    #expect(try open(folder.path).recovered.entries.map(\.payload.count) == [40, 100 << 10, 40])
  }

  /// Batches of one, two and three entries in one file, and where each batch ends.
  private func writeBatches(
    _ folder: String, sealingLast: Bool
  ) throws -> (file: URL, ends: [Int]) {
    let log = try open(folder).log
    var ends: [Int] = []
    var index: UInt64 = 1
    for count in [1, 2, 3] {
      try log.append(
        hardState: HardState(term: Term(1), vote: MemberID(2)),
        entries: (0..<count).map { entry(index + UInt64($0)) })
      index += UInt64(count)
      ends.append(log.end)
    }
    if sealingLast { try log.seal() }
    return (URL(fileURLWithPath: log.path(of: 1)), ends)
  }

  private func copy(_ bytes: Data, of file: URL) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try bytes.write(
      to: URL(fileURLWithPath: folder.path).appendingPathComponent(file.lastPathComponent))
    return folder
  }

  @Test func whatNoMarkerCoversIsTornAtAnyByteAndWhatOneCoversIsDamage() throws {
    for sealingLast in [false, true] {
      let original = try TemporaryFolder()
      let (file, ends) = try writeBatches(original.path, sealingLast: sealingLast)
      let bytes = try Data(contentsOf: file)
      for length in LogFormat.firstRecord...ends[2] {
        let folder = try copy(bytes[..<length], of: file)
        let whole = ends.lastIndex { $0 <= length }.map { $0 + 1 } ?? 0
        let covered = sealingLast ? 3 : 2
        let (log, recovered) = try open(folder.path)
        #expect(recovered.entries.count == [0, 1, 3, 6][whole], "cut at \(length)")
        #expect((recovered.damage != nil) == (whole < covered), "cut at \(length)")
        guard whole >= covered else {
          #expect(recovered.lost == mark(sealingLast ? 6 : 3), "cut at \(length)")
          #expect(recovered.hardState.vote == MemberID(2))
          continue
        }
        // What was cut does not come back, and the log goes on from there.
        #expect(try open(folder.path).recovered.tornBytes == 0)
        let next = UInt64([0, 1, 3, 6][whole]) + 1
        try log.append(hardState: nil, entries: [entry(next, term: 9)])
        #expect(try open(folder.path).recovered.entries.last?.term == Term(9))
      }
    }
  }

  @Test func aFlippedByteLosesNothingInSilence() throws {
    let original = try TemporaryFolder()
    let (file, ends) = try writeBatches(original.path, sealingLast: true)
    let bytes = try Data(contentsOf: file)
    let records = LogFormat.firstRecord..<ends[2]
    let headers = ([0] + LogFormat.markerOffsets).flatMap { $0..<$0 + 100 }
    for offset in headers + Array(records) {
      var changed = bytes
      changed[offset] ^= 0x40
      let folder = try copy(changed, of: file)
      do {
        let recovered = try open(folder.path).recovered
        let isWhole = recovered.entries.count == 6
        #expect(isWhole == (recovered.damage == nil), "at \(offset)")
        if !isWhole { #expect(recovered.lost == mark(6), "at \(offset)") }
      } catch let error as LogError {
        // Another version, or the log of another member, by what its header says now.
        #expect(offset < 100, "at \(offset): \(error)")
      }
      let kept = URL(fileURLWithPath: folder.path).appendingPathComponent(file.lastPathComponent)
      if try open(folder.path).recovered.damage != nil {
        #expect(try Data(contentsOf: kept) == changed, "a damaged log is not changed")
      }
    }
  }

  @Test func aDamagedLogIsRebuiltAndKnowsWhatItLacks() throws {
    let original = try TemporaryFolder()
    let (file, ends) = try writeBatches(original.path, sealingLast: true)
    var bytes = try Data(contentsOf: file)
    bytes[ends[0] + 60] ^= 1
    let folder = try copy(bytes, of: file)
    do {
      let (log, found) = try open(folder.path)
      #expect(found.entries.count == 1)
      try log.rebuild(
        hardState: found.hardState, base: found.base, entries: found.entries, lost: found.lost)
      try log.append(hardState: nil, entries: [entry(2)])
      try log.seal()
    }
    do {
      let (log, recovered) = try open(folder.path)
      #expect(recovered.damage == nil)
      #expect(recovered.entries.count == 2)
      #expect(recovered.hardState.vote == MemberID(2))
      #expect(recovered.lost == mark(6), "it is still older than it once was")
      try log.append(hardState: nil, entries: (3...6).map { entry(UInt64($0)) })
    }
    do {
      // That it is as long again proves nothing: what was replaced may have come back.
      let (log, recovered) = try open(folder.path)
      #expect(recovered.lost == mark(6))
      try log.append(hardState: nil, entries: [], isWhole: true)
    }
    #expect(try open(folder.path).recovered.lost == nil)
  }

  /// A rebuilding that a crash interrupts at any of its steps leaves the damaged log or the new one.
  @Test func rebuildingSurvivesACrashAtEveryStep() throws {
    let original = try TemporaryFolder()
    let (file, ends) = try writeBatches(original.path, sealingLast: true)
    var bytes = try Data(contentsOf: file)
    bytes[ends[0] + 60] ^= 1
    var finished = 0
    for step in 0..<40 {
      let folder = try copy(bytes, of: file)
      if rebuild(folder.path, on: FailingDisk(failsAt: step)) { finished += 1 }
      _ = rebuild(folder.path, on: FileDisk())
      let again = try open(folder.path).recovered
      #expect(again.damage == nil, "after a crash at step \(step)")
      #expect(again.lost == mark(6), "after a crash at step \(step)")
      #expect(again.entries.count == 1, "after a crash at step \(step)")
    }
    #expect((1...30).contains(finished), "some crashes come before the end, and some do not")
  }

  /// Opens a log, and rebuilds it if it is damaged; false if the disk has failed.
  private func rebuild(_ folder: String, on disk: any Disk) -> Bool {
    do {
      let (log, found) = try SegmentedLog.open(
        directory: folder, identity: identity, limits: small, disk: disk)
      guard found.damage != nil else { return true }
      try log.rebuild(
        hardState: found.hardState, base: found.base, entries: found.entries, lost: found.lost)
      return true
    } catch {
      return false
    }
  }

  private func mark(_ index: UInt64) -> SnapshotMark {
    SnapshotMark(index: LogIndex(index), term: Term(1))
  }

  @Test func aLogOfAnotherMemberIsRefused() throws {
    let folder = try TemporaryFolder()
    do { try open(folder.path).log.append(hardState: nil, entries: [entry(1)]) }
    let other = LogIdentity(cluster: 1, member: MemberID(3))
    #expect(
      throws: LogError.foreign(path: folder.path, found: identity, expected: other)
    ) {
      _ = try SegmentedLog.open(directory: folder.path, identity: other, limits: small)
    }
  }

  @Test func aMissingSegmentIsDamage() throws {
    let folder = try TemporaryFolder()
    let paths: [String]
    do {
      let log = try open(folder.path).log
      for index in 1...600 { try log.append(hardState: nil, entries: [entry(UInt64(index))]) }
      paths = log.segments.map { log.path(of: $0.sequence) }
    }
    try FileManager.default.removeItem(atPath: paths[1])
    let recovered = try open(folder.path).recovered
    #expect(recovered.damage?.reason.contains("does not follow") == true)
    #expect(recovered.lost?.index ?? .zero >= LogIndex(599))
    #expect(recovered.entries.last?.index ?? .max < LogIndex(300))
  }

  @Test func aDirectoryHasOneOwner() throws {
    let folder = try TemporaryFolder()
    let held = try FileDisk().lock(directory: folder.path)
    #expect(throws: LogError.locked(path: folder.path)) {
      _ = try FileDisk().lock(directory: folder.path)
    }
    withExtendedLifetime(held) {}
  }

  /// As a program has them that is about to be started when the owner goes.
  @Test func aCopyOfADescriptorKeepsNoDirectory() throws {
    let folder = try TemporaryFolder()
    let copies: [Int32]
    do {
      let held = try FileDisk().lock(directory: folder.path)
      copies = try copiesOfDescriptors(of: folder.path + "/LOCK")
      withExtendedLifetime(held) {}
    }
    defer { for copy in copies { close(copy) } }
    #expect(copies.count == 1)
    _ = try FileDisk().lock(directory: folder.path)
  }
}
