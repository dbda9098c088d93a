import Foundation
import Raft
import TestSupport
import Testing

@testable import RaftLog

/// Small batches, which are in their marker too: one fault of the disk takes nothing.
struct TailCopyTests {
  private let identity = LogIdentity(cluster: 1, member: MemberID(2))
  private let limits = SegmentLimits(
    segmentBytes: LogFormat.firstRecord + (4 << 10), zeroedAheadBytes: 1 << 10)

  private func entry(_ index: UInt64, bytes: Int = 40) -> Entry {
    Entry(
      term: Term(1), index: LogIndex(index), kind: .command,
      payload: [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: bytes))
  }

  private func open(_ folder: String, on disk: any Disk = FileDisk()) throws -> (
    log: SegmentedLog, recovered: RecoveredLog
  ) {
    try SegmentedLog.open(
      directory: folder, identity: identity, limits: limits, disk: disk, salt: 7)
  }

  private func folder(with bytes: [UInt8]) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try Data(bytes).write(to: URL(fileURLWithPath: folder.path + "/0000000000000001.log"))
    return folder
  }

  /// The file after batches of one, two and three entries, each sealed by itself, after each of them; and
  /// where each batch ends.
  private func batches() throws -> (files: [[UInt8]], ends: [Int]) {
    let folder = try TemporaryFolder()
    let log = try open(folder.path).log
    var files: [[UInt8]] = []
    var ends: [Int] = []
    for (first, count) in [(1, 1), (2, 2), (4, 3)] {
      try log.append(
        hardState: HardState(term: Term(UInt64(first)), vote: MemberID(2)),
        entries: (first..<first + count).map { entry(UInt64($0)) })
      #expect(log.isSealed)
      files.append([UInt8](try Data(contentsOf: URL(fileURLWithPath: log.path(of: 1)))))
      ends.append(log.end)
    }
    return (files, ends)
  }

  @Test func aFlippedByteOfTheLastBatchTakesNothing() throws {
    let (files, ends) = try batches()
    let slots = LogFormat.markerOffsets.flatMap { $0..<$0 + TailMarker.bytes + 400 }
    for offset in slots + Array(ends[1]..<ends[2]) {
      var changed = files[2]
      changed[offset] ^= 0x40
      let folder = try folder(with: changed)
      for start in ["first", "second"] {
        let (log, recovered) = try open(folder.path)
        #expect(recovered.damage == nil, "\(start) start after a flip at \(offset)")
        #expect(recovered.entries.map(\.index.rawValue) == [1, 2, 3, 4, 5, 6], "at \(offset)")
        #expect(recovered.hardState.term == Term(4))
        #expect(recovered.tornBytes == 0)
        if start == "second" { try log.append(hardState: nil, entries: [entry(7)]) }
      }
      #expect(try open(folder.path).recovered.entries.count == 7)
    }
  }

  @Test func aLastBatchThatWasNeverWrittenIsInItsMarker() throws {
    let (files, ends) = try batches()
    for length in stride(from: ends[1], through: ends[2], by: 8) {
      let folder = try folder(with: Array(files[2][..<length]))
      let recovered = try open(folder.path).recovered
      #expect(recovered.damage == nil && recovered.entries.count == 6, "cut at \(length)")
    }
  }

  /// The slots hold the last two.
  @Test func whatIsMissingBeforeTheCopiesIsDamage() throws {
    let (files, ends) = try batches()
    for offset in ends[0]..<ends[1] {
      var changed = files[2]
      changed[offset] ^= 0x40
      let folder = try folder(with: changed)
      #expect(try open(folder.path).recovered.entries.count == 6, "at \(offset)")
      #expect(try open(folder.path).recovered.tornBytes == 0, "at \(offset)")
    }
    for offset in LogFormat.firstRecord..<ends[0] {
      var changed = files[2]
      changed[offset] ^= 0x40
      let folder = try folder(with: changed)
      let recovered = try open(folder.path).recovered
      #expect(recovered.damage != nil, "at \(offset)")
      #expect(recovered.lost?.index == LogIndex(6), "at \(offset)")
      #expect(recovered.hardState.term == Term(4), "at \(offset)")
    }
  }

  /// A crash leaves any part of the marker and any part of the batch.
  @Test func aCrashInTheMiddleOfAWriteIsNoDamage() throws {
    let (files, ends) = try batches()
    let (before, after) = (files[1], files[2])
    let slot = try #require(
      LogFormat.markerOffsets.first { before[$0 + 8] != after[$0 + 8] })
    let marker = try #require(TailMarker(in: after, at: slot))
    let slotBytes = TailMarker.bytes + marker.copy.count
    for written in stride(from: 0, through: slotBytes, by: 4) {
      for batch in stride(from: 0, through: ends[2] - ends[1], by: 24) {
        var torn = before + [UInt8](repeating: 0, count: max(0, after.count - before.count))
        torn.replaceSubrange(slot..<slot + written, with: after[slot..<slot + written])
        torn.replaceSubrange(
          ends[1]..<ends[1] + batch, with: after[ends[1]..<ends[1] + batch])
        let folder = try folder(with: torn)
        let recovered = try open(folder.path).recovered
        #expect(recovered.damage == nil, "\(written) bytes and \(batch)")
        let isWhole = written == slotBytes || batch == ends[2] - ends[1]
        #expect(recovered.entries.count == (isWhole ? 6 : 3), "\(written) bytes and \(batch)")
        #expect(try open(folder.path).recovered.entries == recovered.entries)
      }
    }
  }

  /// The large ones need a marker of their own, the small ones after them bring it along.
  @Test func largeAndSmallBatchesFollowEachOther() throws {
    for step in 0..<60 {
      let folder = try TemporaryFolder()
      var promised = 0
      do {
        let log = try open(folder.path, on: FailingDisk(failsAt: step)).log
        for index in 1...8 {
          let large = index % 3 == 0
          try log.append(
            hardState: nil,
            entries: [entry(UInt64(index), bytes: large ? LogFormat.copyBytes : 40)])
          #expect(log.isSealed == !large)
          promised = large ? index - 1 : index
        }
        try log.seal()
        promised = 8
      } catch LogError.io {
        // Whatever was promised by then is there.
      }
      let recovered = try open(folder.path).recovered
      #expect(recovered.damage == nil, "step \(step)")
      #expect(recovered.entries.count >= promised, "step \(step)")
      #expect(
        recovered.entries.map(\.index.rawValue) == Array(1..<UInt64(recovered.entries.count) + 1))
    }
  }

  /// Bytes that a client could have written, and a marker that somebody has changed, restore nothing.
  @Test func aCopyOfAnotherLogIsNone() throws {
    let (files, ends) = try batches()
    var changed = files[2]
    for offset in ends[1]..<ends[2] { changed[offset] = 0 }
    let slot = try #require(
      LogFormat.markerOffsets.max { changed[$0 + 8] < changed[$1 + 8] })
    var marker = try #require(TailMarker(in: changed, at: slot))
    marker.copy = ArraySlice([UInt8](marker.copy.dropLast(8)) + [UInt8](repeating: 0, count: 8))
    let forged = marker.encoded()
    changed.replaceSubrange(slot..<slot + forged.count, with: forged)
    let folder = try folder(with: changed)
    let recovered = try open(folder.path).recovered
    #expect(recovered.damage?.reason == "it ends with write 2, but write 3 was durable")
    #expect(recovered.entries.count == 3 && recovered.lost?.index == LogIndex(6))
  }

  /// A disk that puts one of the two writes of a batch in another block, upon whatever stands there; and that
  /// finishes them in either order.
  @Test(arguments: [40, 3_000, 12_000], [1, 2, 3])
  func aWriteInTheWrongPlaceIsRestoredOrReported(bytes: Int, count: Int) throws {
    let folder = try TemporaryFolder()
    let large = SegmentLimits(segmentBytes: 1 << 20, zeroedAheadBytes: 64 << 10)
    let log = try SegmentedLog.open(
      directory: folder.path, identity: identity, limits: large, salt: 7
    ).log
    try log.begin()
    let file = URL(fileURLWithPath: log.path(of: 1))
    var before: [UInt8] = []
    var start = 0
    for index in 1...count {
      before = [UInt8](try Data(contentsOf: file))
      start = max(log.end, LogFormat.firstRecord)
      try log.append(
        hardState: HardState(term: Term(UInt64(index)), vote: MemberID(2)),
        entries: [entry(UInt64(index), bytes: bytes)])
      #expect(log.isSealed)
    }
    let after = [UInt8](try Data(contentsOf: file))
    before += [UInt8](repeating: 0, count: max(0, after.count + (64 << 10) - before.count))
    let slot = try #require(
      LogFormat.markerOffsets.max {
        TailMarker(in: after, at: $0)?.generation ?? 0 < TailMarker(in: after, at: $1)?.generation
          ?? 0
      })
    let marker = try #require(TailMarker(in: after, at: slot)).encoded()
    let writes = [(slot, marker), (start, Array(after[start..<log.end]))]
    for victim in 0...1 {
      for block in -9...9 where block != 0 && writes[victim].0 + 4096 * block >= 0 {
        for order in [[0, 1], [1, 0]] {
          var found = before
          for number in order {
            let (place, content) = writes[number]
            let target = place + (number == victim ? 4096 * block : 0)
            found.replaceSubrange(target..<target + content.count, with: content)
          }
          try judge(found, count, "write \(victim), \(block) blocks, \(order)")
        }
      }
    }
  }

  /// Nothing that was promised may be missing without a word, at this start or the next.
  private func judge(_ file: [UInt8], _ count: Int, _ what: String) throws {
    let folder = try folder(with: file)
    for start in 1...2 {
      do {
        let recovered = try open(folder.path).recovered
        if recovered.damage != nil {
          #expect(recovered.lost?.index == LogIndex(UInt64(count)), "\(what), start \(start)")
          #expect(recovered.hardState.term == Term(UInt64(count)), "\(what), start \(start)")
        } else {
          #expect(recovered.entries.count == count, "\(what), start \(start)")
          #expect(recovered.hardState.term == Term(UInt64(count)), "\(what), start \(start)")
        }
      } catch LogError.damaged {
        // Refused by name.
      }
    }
  }

  /// A process that is killed leaves its writes in the system's cache. Whoever reads them there acts on them:
  /// they are made durable first, whether a marker covers them or not, and so is the file's name.
  @Test func whatAKilledProcessLeftIsMadeDurableBeforeItIsActedOn() throws {
    for step in 0..<12 {
      let folder = try TemporaryFolder()
      do {
        let log = try open(folder.path, on: FailingDisk(failsAt: step)).log
        for index in 1...3 { try log.append(hardState: nil, entries: [entry(UInt64(index))]) }
      } catch LogError.io {
        // Killed there.
      }
      let disk = FailingDisk()
      let (log, recovered) = try open(folder.path, on: disk)
      #expect(disk.synced.contains(folder.path), "step \(step)")
      guard !recovered.isNew else { continue }
      #expect(disk.synced.contains(log.path(of: 1)), "step \(step)")
    }
  }

  /// The end of a log that begins later than its segment.
  @Test(arguments: [false, true])
  func whatWasLastOfACompactedLogIsRestored(isReset: Bool) throws {
    let folder = try TemporaryFolder()
    let mark = SnapshotMark(index: LogIndex(isReset ? 90 : 8), term: Term(1))
    var path = ""
    var end = 0
    do {
      let log = try open(folder.path).log
      for index in 1...5 {
        try log.append(hardState: nil, entries: [entry(UInt64(index), bytes: 700)])
      }
      while log.segments.count == 1 {
        try log.append(hardState: nil, entries: [entry(log.last.index.rawValue + 1, bytes: 700)])
      }
      for _ in 0..<4 {
        try log.append(hardState: nil, entries: [entry(log.last.index.rawValue + 1)])
      }
      end = log.end
      path = log.path(of: 2)
      if isReset { try log.reset(to: mark) } else { try log.compact(to: mark) }
      #expect(log.segments.count == 1)
    }
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    bytes[end + 20] ^= 1
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let recovered = try open(folder.path).recovered
    #expect(recovered.damage == nil, "\(String(describing: recovered.damage))")
    #expect(recovered.base == mark)
    #expect(try open(folder.path).recovered.entries == recovered.entries)
  }
}
