import Foundation
import Raft
import TestSupport
import Testing

@testable import RaftLog

struct SegmentedLogTests {
  private let identity = LogIdentity(cluster: 1, member: MemberID(2))
  private let small = SegmentLimits(segmentBytes: 16 << 10, zeroedAheadBytes: 1 << 10)

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
  private func writeBatches(_ folder: String) throws -> (file: URL, ends: [Int]) {
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
    return (URL(fileURLWithPath: log.path(of: 1)), ends)
  }

  @Test func aTailCutAtAnyByteLeavesWholeBatches() throws {
    let original = try TemporaryFolder()
    let (file, ends) = try writeBatches(original.path)
    let bytes = try Data(contentsOf: file)
    let counts = [1, 3, 6]
    for length in stride(from: LogFormat.headerBytes, through: ends[2], by: 1) {
      let folder = try TemporaryFolder()
      let copy = URL(fileURLWithPath: folder.path).appendingPathComponent(file.lastPathComponent)
      try bytes[..<length].write(to: copy)
      let whole = ends.lastIndex { $0 <= length }
      let expected = whole.map { counts[$0] } ?? 0
      #expect(try open(folder.path).recovered.entries.count == expected, "cut at \(length)")
      // What was cut does not come back, and the log goes on from there.
      let (log, recovered) = try open(folder.path)
      #expect(recovered.tornBytes == 0)
      try log.append(hardState: nil, entries: [entry(UInt64(expected) + 1, term: 9)])
      #expect(try open(folder.path).recovered.entries.last?.term == Term(9))
    }
  }

  @Test func aFlippedByteIsDamageUnlessItIsInTheLastBatch() throws {
    let original = try TemporaryFolder()
    let (file, ends) = try writeBatches(original.path)
    let bytes = try Data(contentsOf: file)
    for offset in LogFormat.headerBytes..<ends[2] {
      let folder = try TemporaryFolder()
      let copy = URL(fileURLWithPath: folder.path).appendingPathComponent(file.lastPathComponent)
      var changed = bytes
      changed[offset] ^= 0x40
      try changed.write(to: copy)
      do {
        let recovered = try open(folder.path).recovered
        // Padding carries nothing; else only the last batch may be taken for torn.
        let isWhole = recovered.entries.count == 6
        #expect(isWhole || (recovered.entries.count == 3 && offset >= ends[1]), "at \(offset)")
      } catch let error as LogError {
        guard case .damaged = error else {
          Issue.record("at \(offset): \(error)")
          continue
        }
        #expect(offset < ends[1])
        #expect(try Data(contentsOf: copy) == changed, "a damaged log is not changed")
      }
    }
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
    #expect(throws: LogError.self) { _ = try open(folder.path) }
  }

  @Test func aDirectoryHasOneOwner() throws {
    let folder = try TemporaryFolder()
    let held = try DirectoryLock(directory: folder.path)
    #expect(throws: LogError.locked(path: folder.path)) {
      _ = try DirectoryLock(directory: folder.path)
    }
    withExtendedLifetime(held) {}
  }
}
