import Glibc
import Raft

/// What the bytes behind a damage still say of promises.
///
/// A write that the disk has put in the wrong place takes two things at once: what it was about, and
/// what it fell upon. A tail marker that falls upon a record hides every record behind it, and the one
/// that it should have covered with them, while the marker before it knows nothing of that yet. So
/// markers are looked for wherever they may stand, and the writes after the newest one.
///
/// Values that clients have written stand in the same bytes. A marker counts only with the log's salt,
/// and a record only if its chain follows from the marker's: clients know neither.
struct LogSalvage {
  /// Bytes of which checksums are computed while the writes after a marker are looked for: more are
  /// only in a file that somebody has made for that.
  static let checkedBytes = 512 << 20

  /// Term and vote of the newest write that has them.
  private(set) var hardState: HardState?
  /// The last entry of the newest write that has one.
  private(set) var last: SnapshotMark?
  private(set) var batch: UInt64
  private var chain: UInt64
  private var budget = LogSalvage.checkedBytes

  init(since marker: TailMarker) {
    batch = marker.batch
    chain = marker.chain
  }

  /// What of a segment is not its records: a write in the wrong place may stand there whole. What stands behind
  /// them comes first, since it may be where it belongs.
  static func outside(recordsThrough end: Int, of bytes: [UInt8]) -> [Range<Int>] {
    let begin = min(LogFormat.firstRecord, bytes.count)
    return [min(max(end, begin), bytes.count)..<bytes.count, 0..<begin]
  }

  /// The multiples of 8 where a byte stands; most of what is searched is zeros.
  private static func places(of byte: UInt8, in bytes: [UInt8], _ range: Range<Int>) -> [Int] {
    bytes.withUnsafeBytes { buffer in
      var found: [Int] = []
      var at = range.lowerBound
      while at < range.upperBound, let base = buffer.baseAddress,
        let place = memchr(base + at, Int32(byte), range.upperBound - at)
      {
        at = base.distance(to: UnsafeRawPointer(place))
        if at % 8 == 0 { found.append(at) }
        at += 1
      }
      return found
    }
  }

  /// Where a whole batch of that number stands whose chain follows from `chain`.
  ///
  /// - Complexity: O(*n*) in the bytes, and in those of what looks like its beginning.
  static func batch(
    _ number: UInt64, after chain: UInt64, in bytes: [UInt8], outsideRecordsThrough end: Int
  ) -> Range<Int>? {
    var budget = checkedBytes
    for range in outside(recordsThrough: end, of: bytes) {
      let first = UInt8(truncatingIfNeeded: LogFormat.recordMagic)
      for start in places(of: first, in: bytes, range)
      where StoredRecord.mayBegin(in: bytes, at: start, batch: number) {
        var (next, offset) = (chain, start)
        while budget > 0, let stored = StoredRecord(in: bytes, at: offset), stored.batch == number,
          stored.follows(next, in: bytes, at: offset)
        {
          budget -= stored.bytes
          next = stored.chain
          offset += stored.bytes
          if stored.endsBatch { return start..<min(offset, bytes.count) }
        }
        budget -= StoredRecord.claimedBytes(in: bytes, at: start)
        guard budget > 0 else { return nil }
      }
    }
    return nil
  }

  /// The newest marker of the log's salt at any multiple of 8 of a range.
  ///
  /// - Complexity: O(*n*) in the bytes.
  static func marker(in bytes: [UInt8], within range: Range<Int>, salt: UInt64) -> TailMarker? {
    var newest: TailMarker?
    for offset in places(of: TailMarker.magic[0], in: bytes, range) {
      guard let found = TailMarker(in: bytes, at: offset, salt: salt),
        found.generation > newest?.generation ?? 0
      else { continue }
      newest = found
    }
    return newest
  }

  /// Takes in the writes of a segment that follow from the marker, one after the other.
  mutating func search(_ bytes: [UInt8]) {
    // Also before the records: a batch may have fallen upon the markers.
    var offset = 0
    while offset < bytes.count, budget > 0 {
      guard StoredRecord.mayBegin(in: bytes, at: offset, batch: batch + 1) else {
        offset += 8
        continue
      }
      let stored = StoredRecord(in: bytes, at: offset)
      budget -= stored?.bytes ?? StoredRecord.claimedBytes(in: bytes, at: offset)
      if let stored, stored.follows(chain, in: bytes, at: offset) {
        take(stored, in: bytes, at: &offset)
      } else {
        offset += 8
      }
    }
  }

  /// The whole batch that begins with `first`; nothing of one that is cut off.
  private mutating func take(_ first: StoredRecord, in bytes: [UInt8], at offset: inout Int) {
    var records = [first]
    var next = offset + first.bytes
    while let last = records.last, !last.endsBatch {
      guard let stored = StoredRecord(in: bytes, at: next),
        stored.follows(last.chain, in: bytes, at: next)
      else {
        offset += first.bytes
        return
      }
      records.append(stored)
      next += stored.bytes
    }
    offset = next
    batch += 1
    chain = records[records.count - 1].chain
    for stored in records { note(stored.record) }
  }

  private mutating func note(_ record: LogRecord) {
    switch record {
    case .hardState(let state): hardState = state
    case .entry(let entry): last = SnapshotMark(index: entry.index, term: entry.term)
    case .reset(let mark): last = mark
    case .lost, .compacted, .whole: break
    }
  }
}

extension StoredRecord {
  /// A record of that batch may begin there; its checksum is not looked at.
  fileprivate static func mayBegin(in file: [UInt8], at offset: Int, batch: UInt64) -> Bool {
    // Most places that a search tries are told apart by their first byte.
    guard offset + LogFormat.recordHeaderBytes <= file.count,
      file[offset] == UInt8(truncatingIfNeeded: LogFormat.recordMagic),
      integer(in: file, at: offset, bytes: 4) == UInt64(LogFormat.recordMagic)
    else { return false }
    return integer(in: file, at: offset + 16, bytes: 8) == batch
  }

  fileprivate static func claimedBytes(in file: [UInt8], at offset: Int) -> Int {
    let length = Int(integer(in: file, at: offset + 8, bytes: 4))
    return min(length, file.count - offset) + LogFormat.recordHeaderBytes
  }

  private static func integer(in file: [UInt8], at offset: Int, bytes: Int) -> UInt64 {
    (0..<bytes).reversed().reduce(0) { $0 << 8 | UInt64(file[offset + $1]) }
  }
}
