import BinaryCoding
import Foundation
import Raft
import TestSupport
import Testing

@testable import RaftLog

/// What a start finds in segments that something has happened to.
struct LogRecoveryTests {
  private let identity = LogIdentity(cluster: 1, member: MemberID(2))
  /// Nothing is written twice: what that brings has tests of its own (`TailCopyTests`).
  private let small = SegmentLimits(
    segmentBytes: LogFormat.firstRecord + (4 << 10), zeroedAheadBytes: 1 << 10, copiedBytes: 0)

  private func entry(_ index: UInt64, _ byte: UInt8 = 7, bytes: Int = 40) -> Entry {
    Entry(
      term: Term(1), index: LogIndex(index), kind: .command,
      payload: [UInt8](repeating: byte, count: bytes))
  }

  private func open(_ folder: String) throws -> (log: SegmentedLog, recovered: RecoveredLog) {
    try SegmentedLog.open(directory: folder, identity: identity, limits: small, salt: 7)
  }

  /// Writes one entry a batch and seals the last.
  private func write(_ count: UInt64, _ byte: UInt8 = 7, in folder: String) throws {
    let log = try open(folder).log
    for index in 1...count { try log.append(hardState: nil, entries: [entry(index, byte)]) }
    try log.seal()
  }

  private func file(_ sequence: UInt64, in folder: String) throws -> URL {
    let log = try SegmentedLog.open(directory: folder, identity: identity, limits: small).log
    return URL(fileURLWithPath: log.path(of: sequence))
  }

  private func edit(_ file: URL, _ body: (inout [UInt8]) -> Void) throws {
    var bytes = [UInt8](try Data(contentsOf: file))
    body(&bytes)
    try Data(bytes).write(to: file)
  }

  @Test func aNewLogBeginsOnceAndHasAnEmptySegmentThen() throws {
    let folder = try TemporaryFolder()
    let (log, recovered) = try open(folder.path)
    #expect(recovered.isNew && log.segments.isEmpty)
    try log.begin()
    try log.begin()
    #expect(log.segments.count == 1)
    let again = try open(folder.path).recovered
    #expect(!again.isNew && again.entries.isEmpty && again.damage == nil)
    #expect(again.term(at: .zero) == .zero && again.term(at: LogIndex(1)) == nil)
  }

  @Test func aFirstSegmentThatWasNeverFinishedIsNone() throws {
    for length in [0, 20, 5000] {
      let folder = try TemporaryFolder()
      try write(1, in: folder.path)
      let file = try file(1, in: folder.path)
      try edit(file) { bytes in
        bytes.removeLast(bytes.count - length)
        for offset in min(length, LogFormat.headerBytes)..<length { bytes[offset] = 0 }
      }
      let (log, recovered) = try open(folder.path)
      #expect(recovered.isNew && recovered.damage == nil, "cut to \(length)")
      try log.append(hardState: nil, entries: [entry(1)])
      #expect(try open(folder.path).recovered.entries.count == 1)
    }
  }

  /// A process may end anywhere while a segment follows a full one.
  @Test func aCrashAtAnyStepOfWritingLosesNothingThatWasReported() throws {
    for step in 0..<60 {
      let folder = try TemporaryFolder()
      let reported = try append(to: folder.path, failingAt: step)
      let (log, recovered) = try open(folder.path)
      #expect(recovered.damage == nil, "step \(step)")
      #expect(recovered.entries.count >= reported, "step \(step)")
      // Over the next change of segments too.
      var last = UInt64(recovered.entries.count)
      let segments = log.segments.count
      while log.segments.count < segments + 2 {
        last += 1
        try log.append(hardState: nil, entries: [entry(last, bytes: 1500)])
      }
      let again = try open(folder.path).recovered
      #expect(again.damage == nil && again.entries.count == Int(last), "step \(step)")
    }
  }

  /// - Returns: how many entries were durable before the disk failed.
  private func append(to folder: String, failingAt step: Int) throws -> Int {
    let disk = FailingDisk(failsAt: step)
    var reported = 0
    do {
      let log = try SegmentedLog.open(
        directory: folder, identity: identity, limits: small, disk: disk
      ).log
      for index in 1...8 {
        try log.append(hardState: nil, entries: [entry(UInt64(index), bytes: 1500)])
        reported = index - 1
      }
      try log.seal()
      return 8
    } catch LogError.io {
      return reported
    }
  }

  @Test func withoutAnyMarkerNobodyKnowsHowFarALogWasDurable() throws {
    let folder = try TemporaryFolder()
    try write(3, in: folder.path)
    let file = try file(1, in: folder.path)
    try edit(file) { bytes in
      for offset in LogFormat.headerBytes..<LogFormat.firstRecord { bytes[offset] = 0 }
    }
    #expect(
      throws: LogError.damaged(
        path: file.path, offset: 0, reason: "no marker tells how far it was durable")
    ) { try open(folder.path) }
  }

  @Test func theMarkerOfAnotherLogIsDamage() throws {
    let (folder, other) = (try TemporaryFolder(), try TemporaryFolder())
    try write(3, 7, in: folder.path)
    try write(3, 8, in: other.path)
    let foreign = [UInt8](try Data(contentsOf: file(1, in: other.path)))
    try edit(try file(1, in: folder.path)) { bytes in
      let markers = LogFormat.headerBytes..<LogFormat.firstRecord
      bytes.replaceSubrange(markers, with: foreign[markers])
    }
    let damage = try #require(try open(folder.path).recovered.damage)
    #expect(damage.reason == "its marker belongs to another log")
  }

  /// A disk that puts the last tail marker in the wrong place: into every block of records in turn.
  @Test(arguments: 0..<3)
  func aMarkerInTheWrongPlaceForgetsNoPromise(block: Int) throws {
    let folder = try TemporaryFolder()
    let promise = HardState(term: Term(9), vote: MemberID(5))
    let large = SegmentLimits(
      segmentBytes: LogFormat.firstRecord + (52 << 10), zeroedAheadBytes: 4096, copiedBytes: 0)
    do {
      let log = try SegmentedLog.open(directory: folder.path, identity: identity, limits: large).log
      // Enough that records stand in several blocks.
      for index in 1...UInt64(120) { try log.append(hardState: nil, entries: [entry(index)]) }
      try log.seal()
      try log.append(hardState: promise, entries: [entry(121)])
      try log.seal()
    }
    try edit(try file(1, in: folder.path)) { bytes in
      let markers = LogFormat.markerOffsets.compactMap { TailMarker(in: bytes, at: $0) }
      guard let newest = markers.max(by: { $0.generation < $1.generation }) else { return }
      let encoded = newest.encoded()
      bytes.replaceSubrange(
        newest.offset..<newest.offset + encoded.count,
        with: [UInt8](repeating: 0, count: encoded.count))
      let place = LogFormat.firstRecord + 4096 * block
      bytes.replaceSubrange(place..<place + encoded.count, with: encoded)
    }
    let found = try open(folder.path).recovered
    #expect(found.hardState.term == promise.term && found.hardState.vote == promise.vote)
    let end = found.lost?.index ?? found.entries.last?.index
    #expect(end == LogIndex(121))
  }

  /// A disk that puts the last tail marker upon the header of the newest segment, which is no longer one.
  @Test func aMarkerUponAHeaderForgetsNoPromise() throws {
    let folder = try TemporaryFolder()
    let promise = HardState(term: Term(9), vote: MemberID(5))
    var newest = ""
    do {
      let log = try open(folder.path).log
      for index in 1...UInt64(60) { try log.append(hardState: nil, entries: [entry(index)]) }
      try log.seal()
      try log.append(hardState: promise, entries: [entry(61)])
      newest = log.path(of: try #require(log.segments.last).sequence)
      #expect(log.segments.count > 1)
    }
    // The promise has no marker but the one in the wrong place.
    try edit(URL(fileURLWithPath: newest)) { bytes in
      bytes.replaceSubrange(0..<64, with: [UInt8](repeating: 0xee, count: 64))
    }
    let found = try open(folder.path).recovered
    #expect(found.hardState.term == promise.term && found.hardState.vote == promise.vote)
    #expect(found.lost?.index == LogIndex(61))
  }

  /// What a client has written looks like a marker and like records; a crash has cut the write short.
  @Test func aValueThatLooksLikePartsOfALogIsNone() throws {
    let folder = try TemporaryFolder()
    var path = ""
    do {
      let log = try open(folder.path).log
      try log.append(hardState: HardState(term: Term(1)), entries: [entry(1)])
      path = log.path(of: 1)
      try log.seal()
      let forged = TailMarker(
        generation: .max, batch: .max, chain: 1, hardState: HardState(term: Term(.max)),
        last: SnapshotMark(index: LogIndex(.max), term: Term(.max)), salt: 1)
      var writer = ByteWriter(reservingCapacity: 1024)
      writer.write(raw: forged.encoded())
      writer.pad(to: 8)
      for batch in 1...4 {
        _ = LogRecord.hardState(HardState(term: Term(.max))).encode(
          to: &writer, batch: UInt64(batch), endsBatch: true, chain: 0)
      }
      let value = Entry(
        term: Term(1), index: LogIndex(2), kind: .command, payload: writer.bytes)
      try log.append(hardState: nil, entries: [value])
    }
    // The record's own header did not reach the disk.
    try edit(URL(fileURLWithPath: path)) { bytes in
      let place = bytes.indices.last { bytes[$0...].starts(with: TailMarker.magic) } ?? 0
      for offset in place - 48..<place - 8 { bytes[offset] = 0 }
    }
    let found = try open(folder.path).recovered
    #expect(found.damage == nil, "\(String(describing: found.damage))")
    #expect(found.tornBytes > 0)
    #expect(found.hardState.term == Term(1) && found.last.index == LogIndex(1))
  }

  /// A write in the wrong place that destroys a record, and a marker that was never renewed.
  @Test func whatStandsBehindADamageIsStillPromised() throws {
    let folder = try TemporaryFolder()
    do {
      let log = try open(folder.path).log
      for index in 1...UInt64(3) { try log.append(hardState: nil, entries: [entry(index)]) }
      try log.seal()
      let promise = HardState(term: Term(4), vote: MemberID(7))
      try log.append(hardState: promise, entries: [entry(4)])
    }
    try edit(try file(1, in: folder.path)) { $0[LogFormat.firstRecord + 60] ^= 1 }
    let found = try open(folder.path).recovered
    #expect(found.damage != nil)
    #expect(found.hardState.term == Term(4) && found.hardState.vote == MemberID(7))
    #expect(found.lost?.index == LogIndex(4))
  }

  @Test func aFormatOfALaterVersionIsRefusedByName() throws {
    let folder = try TemporaryFolder()
    try write(1, in: folder.path)
    let file = try file(1, in: folder.path)
    try edit(file) { bytes in
      bytes[8] = 9
      let crc = crc32c(bytes[..<LogFormat.headerFieldBytes])
      for byte in 0..<4 {
        bytes[LogFormat.headerFieldBytes + byte] = UInt8(truncatingIfNeeded: crc >> (8 * byte))
      }
    }
    #expect(
      throws: LogError.damaged(
        path: file.path, offset: 8, reason: "its format is version 9, this program reads 4")
    ) { try open(folder.path) }
  }

  @Test func aSegmentInAnothersPlaceIsDamage() throws {
    let folder = try TemporaryFolder()
    try write(400, in: folder.path)
    let (second, third) = (try file(2, in: folder.path), try file(3, in: folder.path))
    let bytes = try Data(contentsOf: third)
    try bytes.write(to: second)
    let recovered = try open(folder.path).recovered
    #expect(recovered.damage?.reason == "its header is invalid")
    #expect(recovered.lost?.index == LogIndex(400))
  }

  @Test func whatLiesBehindABrokenRecordOfAnEarlierSegmentIsDamage() throws {
    let folder = try TemporaryFolder()
    try write(400, in: folder.path)
    try edit(try file(2, in: folder.path)) { $0[LogFormat.firstRecord + 30] ^= 1 }
    let recovered = try open(folder.path).recovered
    let reason = "no valid record, but a later segment"
    #expect(recovered.damage?.reason == reason)
    #expect(recovered.lost?.index == LogIndex(400))
    let last = try #require(recovered.entries.last)
    #expect(last.index < LogIndex(400) && recovered.term(at: last.index) == Term(1))
  }

  @Test func aLastSegmentThatWasWholeOnceIsDamageWithoutItsHeader() throws {
    for count in [UInt64(3), 400] {
      let folder = try TemporaryFolder()
      try write(count, in: folder.path)
      let last = UInt64(try open(folder.path).log.segments.count)
      try edit(try file(last, in: folder.path)) { $0[3] ^= 1 }
      let recovered = try open(folder.path).recovered
      #expect(recovered.damage?.reason == "its header is invalid")
      #expect(recovered.lost?.index == LogIndex(count))
    }
  }

  /// What only a defect of the program can write: it is not served as if it were whole.
  @Test(arguments: [0, LogFormat.copyBytes])
  func aGapBetweenEntriesIsDamage(copiedBytes: Int) throws {
    for (indices, reason) in [
      ([1, 3], "an entry is missing before it"), ([5], "it begins after the first entry"),
    ] as [([UInt64], String)] {
      let folder = try TemporaryFolder()
      let ends = try write(indices, in: folder.path, copiedBytes: copiedBytes)
      let recovered = try open(folder.path).recovered
      #expect(recovered.damage?.reason == reason)
      #expect(recovered.lost?.index == indices.last.map { LogIndex($0) })
      #expect(recovered.entries.map(\.index.rawValue) == indices.dropLast())
      guard copiedBytes > 0, indices.count > 1 else { continue }
      // Nor is it taken from its copy.
      try edit(try file(1, in: folder.path)) { $0.removeSubrange(ends[0]...) }
      let cut = try open(folder.path).recovered
      #expect(cut.damage?.reason.contains("was durable") == true)
      #expect(cut.entries.count == 1 && cut.lost?.index == LogIndex(3))
    }
  }

  /// Writes entries one a batch, and says where each batch ends.
  private func write(
    _ indices: [UInt64], in folder: String, copiedBytes: Int
  ) throws -> [Int] {
    var limits = small
    limits.copiedBytes = copiedBytes
    let log = try SegmentedLog.open(directory: folder, identity: identity, limits: limits).log
    var ends: [Int] = []
    for index in indices {
      try log.append(hardState: nil, entries: [entry(index)])
      ends.append(log.end)
    }
    try log.seal()
    return ends
  }

  /// A member of a restored cluster: its log begins behind what its state holds.
  @Test func aLogThatBeginsBehindAMarkIsNeverDamagedByACrash() throws {
    let mark = SnapshotMark(index: LogIndex(1), term: Term(1))
    var finished = 0
    for step in 0..<40 {
      let folder = try TemporaryFolder()
      if let begun = try? SegmentedLog.open(
        directory: folder.path, identity: identity, limits: small,
        disk: FailingDisk(failsAt: step)
      ).log.begin(behind: mark) {
        #expect(begun.base == mark && begun.hardState.term == Term(1) && begun.entries.isEmpty)
        finished += 1
      }
      let (log, recovered) = try open(folder.path)
      #expect(recovered.damage == nil && recovered.lost == nil, "after a crash at step \(step)")
      #expect([.origin, mark].contains(recovered.base), "after a crash at step \(step)")
      let again = recovered.base == mark ? recovered : try log.begin(behind: mark)
      #expect(again.base == mark && again.entries.isEmpty)
      try log.append(hardState: nil, entries: [entry(2)])
      #expect(try open(folder.path).recovered.entries == [entry(2)])
    }
    #expect((1...30).contains(finished), "some crashes come before the end, and some do not")
  }

  @Test func compactingToWhatIsCutAlreadyChangesNothing() throws {
    let folder = try TemporaryFolder()
    try write(5, in: folder.path)
    let log = try open(folder.path).log
    try log.compact(to: SnapshotMark(index: LogIndex(3), term: Term(1)))
    try log.compact(to: SnapshotMark(index: LogIndex(2), term: Term(1)))
    let recovered = try open(folder.path).recovered
    #expect(recovered.base.index == LogIndex(3) && recovered.entries.count == 2)
    #expect(recovered.term(at: LogIndex(3)) == Term(1) && recovered.term(at: LogIndex(2)) == nil)
  }
}
