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

  /// The newest marker of the log's salt at any multiple of 8 from `start` on.
  ///
  /// - Complexity: O(*n*) in the bytes.
  static func marker(in bytes: [UInt8], from start: Int, salt: UInt64) -> TailMarker? {
    var newest: TailMarker?
    for offset in stride(from: (start + 7) & ~7, to: bytes.count, by: 8)
    where bytes[offset] == TailMarker.magic[0] {
      guard let found = TailMarker(in: bytes, at: offset, salt: salt),
        found.generation > newest?.generation ?? 0
      else { continue }
      newest = found
    }
    return newest
  }

  /// Takes in the writes of a segment that follow from the marker, one after the other.
  mutating func search(_ bytes: [UInt8]) {
    var offset = LogFormat.firstRecord
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
    guard offset + LogFormat.recordHeaderBytes <= file.count,
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
