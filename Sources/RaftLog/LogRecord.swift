// The format of a segment file. Integers are little-endian.
//
// A segment begins with a header block of 4096 bytes:
//
//    0  magic "CSYNCLOG"      8   format version, 4 (u32)
//   12  1 if the log begins anew here and no earlier segment counts, else 0 (u32)
//   16  sequence (u64): segments count up from 1 without a gap
//   24  cluster id (u64)     32  member id (u64)
//   40  chain before the first record (u64)
//   48  batch number of the first record (u64)
//   56  salt (u64): drawn when the log is made, the same in all of its segments; clients don't know it
//   64  CRC-32C of bytes 0 to 63 (u32); the rest is zero
//
// Then come two blocks of 16384 bytes for tail markers (`TailMarker.swift`), then records, each at a
// multiple of 8 bytes, and zeros to the end of the file:
//
//    0  magic 0xc510_6ec0 (u32)
//    4  record kind (u8)      5  entry kind (u8)    6  1 if the batch ends here (u8)    7  zero
//    8  payload length (u32)
//   12  CRC-32C of bytes 0 to 11, 16 to 47, and the payload (u32)
//   16  batch (u64): records that were synced together share it, and it counts up by one
//   24  term (u64)           32  index (u64)
//   40  chain (u64): hash of the chain before, bytes 0 to 11 and 16 to 39, and the payload; before the
//       first record of a log it is the salt
//   48  payload, then zeros to a multiple of 8
//
// A record is valid if its magic and CRC are right and its chain follows from the record before.
// A batch is written by one pwrite and made durable by one fdatasync, together with a tail marker that
// holds a copy of it. A marker that covers a larger batch is written after that, and nothing is promised
// before it is durable too. So a log that is invalid at or before its newest marker is damaged, unless that
// has a copy of all that is missing; and what is invalid after it is a torn write.

import BinaryCoding
import Raft

enum LogFormat {
  static let headerBytes = 4096
  static let headerFieldBytes = 64
  static let recordHeaderBytes = 48
  static let recordMagic: UInt32 = 0xc510_6ec0
  static let fileMagic: [UInt8] = Array("CSYNCLOG".utf8)
  static let version: UInt32 = 4
  static let markerBytes = 16_384
  static let markerOffsets = [headerBytes, headerBytes + markerBytes]
  /// The largest batch that a marker has a copy of. The rest of its block stays zero, so that a copy never
  /// borders on the records behind it: the disk would write both at once, and could lose both at once.
  static let copyBytes = markerBytes - 4096 - TailMarker.bytes
  /// Where the records of a segment begin.
  static let firstRecord = headerBytes + 2 * markerBytes
  static let suffix = ".log"
  /// Of a segment that is being made from a damaged log.
  static let unfinishedSuffix = ".new"
  /// Above every limit of a proposal: a larger length is damage, not a record.
  static let maximumPayloadBytes = 256 << 20
  /// Above every term, index and number of a write that a log comes to: a larger one is damage with a right
  /// checksum, and counting on from it would end the process.
  static let largestNumber: UInt64 = 1 << 62

  static func recordBytes(payload: Int) -> Int { (recordHeaderBytes + payload + 7) & ~7 }
}

/// What one record says.
enum LogRecord: Hashable {
  case entry(Entry)
  case hardState(HardState)
  /// Entries through the mark are no longer needed.
  case compacted(SnapshotMark)
  /// Every entry before this record is void; the state machine holds a snapshot of the mark.
  case reset(SnapshotMark)
  /// The log once ended at the mark and lost its end.
  case lost(SnapshotMark)
  /// A leader has proved that the log has again what it had lost.
  case whole

  private var fields: (kind: UInt8, term: Term, index: LogIndex) {
    switch self {
    case .entry(let entry): (1, entry.term, entry.index)
    case .hardState(let state): (2, state.term, state.commit)
    case .compacted(let mark): (3, mark.term, mark.index)
    case .reset(let mark): (4, mark.term, mark.index)
    case .lost(let mark): (5, mark.term, mark.index)
    case .whole: (6, .zero, .zero)
    }
  }

  /// Appends the record to `writer`, whose first byte is at a multiple of 8 in the file.
  ///
  /// - Returns: the chain after it.
  func encode(
    to writer: inout ByteWriter, batch: UInt64, endsBatch: Bool, chain: UInt64
  ) -> UInt64 {
    let fields = fields
    var payload: [UInt8] = []
    var entryKind: UInt8 = 0
    switch self {
    case .entry(let entry):
      payload = entry.payload
      entryKind = entry.kind.rawValue
    case .hardState(let state):
      var vote = ByteWriter(reservingCapacity: 8)
      vote.write(state.vote?.rawValue ?? 0)
      payload = vote.bytes
    case .compacted, .reset, .lost, .whole: break
    }
    // By itself: a slice of the batch that is alive while the batch grows would have all of it copied.
    var header = ByteWriter(reservingCapacity: LogFormat.recordHeaderBytes)
    header.write(LogFormat.recordMagic)
    header.write(fields.kind)
    header.write(entryKind)
    header.write(endsBatch)
    header.write(UInt8(0))
    header.write(UInt32(payload.count))
    header.write(UInt32(0))
    header.write(batch)
    header.write(fields.term.rawValue)
    header.write(fields.index.rawValue)
    let next = LogRecord.chain(header: header.bytes[...], payload: payload[...], after: chain)
    header.write(next)
    let checksum = LogRecord.checksum(header: header.bytes[...], payload: payload[...])
    header.patch(checksum, at: 12)
    writer.write(raw: header.bytes)
    writer.write(raw: payload)
    writer.pad(to: 8)
    return next
  }

  static func chain(
    header: ArraySlice<UInt8>, payload: ArraySlice<UInt8>, after chain: UInt64
  ) -> UInt64 {
    let start = header.startIndex
    var hash = chainHash(header[start..<start + 12], after: chain)
    hash = chainHash(header[start + 16..<start + 40], after: hash)
    return chainHash(payload, after: hash)
  }

  static func checksum(header: ArraySlice<UInt8>, payload: ArraySlice<UInt8>) -> UInt32 {
    let start = header.startIndex
    var crc = crc32c(header[start..<start + 12])
    crc = crc32c(header[start + 16..<start + 48], continuing: crc)
    return crc32c(payload, continuing: crc)
  }
}

/// A record as it stands in a file, its checksum verified.
struct StoredRecord {
  var record: LogRecord
  var batch: UInt64
  var endsBatch: Bool
  var chain: UInt64
  var bytes: Int

  /// The record at `offset`, or nil if none with a right checksum begins there.
  init?(in file: [UInt8], at offset: Int) {
    let headerEnd = offset + LogFormat.recordHeaderBytes
    // Most offsets that a search for records tries are told apart by their first byte.
    guard headerEnd <= file.count, file[offset] == UInt8(truncatingIfNeeded: LogFormat.recordMagic)
    else { return nil }
    let header = file[offset..<headerEnd]
    var reader = ByteReader(header)
    guard let magic = try? reader.read(UInt32.self), magic == LogFormat.recordMagic,
      let kind = try? reader.readByte(), let entryKind = try? reader.readByte(),
      let endsBatch = try? reader.readBool(), (try? reader.readByte()) == 0,
      let length = try? reader.read(UInt32.self), length <= LogFormat.maximumPayloadBytes,
      headerEnd + Int(length) <= file.count, let crc = try? reader.read(UInt32.self),
      let batch = try? reader.read(UInt64.self), let term = try? reader.read(UInt64.self),
      let index = try? reader.read(UInt64.self), let chain = try? reader.read(UInt64.self)
    else { return nil }
    let payload = file[headerEnd..<headerEnd + Int(length)]
    guard crc == LogRecord.checksum(header: header, payload: payload),
      batch >= 1, max(batch, term, index) <= LogFormat.largestNumber
    else { return nil }
    let mark = SnapshotMark(index: LogIndex(index), term: Term(term))
    switch kind {
    case 1:
      guard let kind = Entry.Kind(rawValue: entryKind) else { return nil }
      record = .entry(
        Entry(term: mark.term, index: mark.index, kind: kind, payload: Array(payload)))
    case 2:
      var reader = ByteReader(payload)
      guard let vote = try? reader.read(UInt64.self) else { return nil }
      record = .hardState(
        HardState(term: mark.term, vote: vote == 0 ? nil : MemberID(vote), commit: mark.index))
    case 3: record = .compacted(mark)
    case 4: record = .reset(mark)
    case 5: record = .lost(mark)
    case 6: record = .whole
    default: return nil
    }
    self.batch = batch
    self.endsBatch = endsBatch
    self.chain = chain
    self.bytes = LogFormat.recordBytes(payload: Int(length))
  }

  func follows(_ previous: UInt64, in file: [UInt8], at offset: Int) -> Bool {
    let header = file[offset..<offset + LogFormat.recordHeaderBytes]
    let length: Int
    switch record {
    case .entry(let entry): length = entry.payload.count
    case .hardState: length = 8
    case .compacted, .reset, .lost, .whole: length = 0
    }
    let start = offset + LogFormat.recordHeaderBytes
    return LogRecord.chain(header: header, payload: file[start..<start + length], after: previous)
      == chain
  }
}
