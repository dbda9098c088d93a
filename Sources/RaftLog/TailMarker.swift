// A tail marker says how far the log was durable: without it a torn write, which nobody was promised
// anything about, can't be told from an acknowledged one that the disk has lost since.
//
// Each segment has two slots, at bytes 4096 and 20480, written in turn, so that a write that a crash
// interrupts leaves the other one. Integers are little-endian:
//
//    0  magic "CSYNCTAI"       8   generation (u64): counts up over the life of the log
//   16  batch (u64): the last one covered     24   chain after it (u64)
//   32  term (u64)            40   vote (u64), 0 for none
//   48  last index (u64)      56   last term (u64)
//   64  the log's salt (u64)  72  bytes of the copy (u32)
//   76  CRC-32C of bytes 0 to 75 and the copy (u32)
//   80  a copy of the batch's records, if they are few: as they stand in the segment
//
// A small batch leaves in the same sync as a marker with a copy of it. After that sync the batch is in two
// places, and one fault of the disk leaves one of them: it may be promised at once. After a crash in the
// middle either of them is whole, and the batch is there, or none, and nobody was promised anything.

import BinaryCoding
import Raft

/// How far the log is known to have been durable.
struct TailMarker: Hashable {
  static let magic: [UInt8] = Array("CSYNCTAI".utf8)
  static let bytes = 80

  var generation: UInt64
  var batch: UInt64
  var chain: UInt64
  var term: Term
  var vote: MemberID?
  /// Where the log ended then, or had ended before it lost its end.
  var last: SnapshotMark
  /// Tells the log's own markers from bytes that clients have written.
  var salt: UInt64

  /// The records of the last batch covered; empty if they are too many.
  var copy: ArraySlice<UInt8> = []

  /// Where in a segment this marker goes.
  var offset: Int { LogFormat.markerOffsets[Int(generation % 2)] }

  func encoded() -> [UInt8] {
    var writer = ByteWriter(reservingCapacity: TailMarker.bytes)
    writer.write(raw: TailMarker.magic)
    writer.write(generation)
    writer.write(batch)
    writer.write(chain)
    writer.write(term.rawValue)
    writer.write(vote?.rawValue ?? 0)
    writer.write(last.index.rawValue)
    writer.write(last.term.rawValue)
    writer.write(salt)
    writer.write(UInt32(copy.count))
    writer.write(crc32c(copy, continuing: crc32c(writer.bytes[...])))
    writer.write(raw: Array(copy))
    return writer.bytes
  }

  init(
    generation: UInt64, batch: UInt64, chain: UInt64, hardState: HardState, last: SnapshotMark,
    salt: UInt64
  ) {
    self.generation = generation
    self.batch = batch
    self.chain = chain
    self.term = hardState.term
    self.vote = hardState.vote
    self.last = last
    self.salt = salt
  }

  /// The marker at `offset`; nil if none was ever written there, its checksum is wrong, or it is of another
  /// log than that of `salt`.
  init?(in file: [UInt8], at offset: Int, salt known: UInt64? = nil) {
    let end = offset + TailMarker.bytes
    guard end <= file.count else { return nil }
    var reader = ByteReader(file[offset..<end])
    guard (try? reader.readRaw(8)) == TailMarker.magic,
      let generation = try? reader.read(UInt64.self), let batch = try? reader.read(UInt64.self),
      let chain = try? reader.read(UInt64.self), let term = try? reader.read(UInt64.self),
      let vote = try? reader.read(UInt64.self), let index = try? reader.read(UInt64.self),
      let lastTerm = try? reader.read(UInt64.self), let salt = try? reader.read(UInt64.self),
      salt == known ?? salt, let copied = try? reader.read(UInt32.self),
      Int(copied) <= LogFormat.copyBytes, end + Int(copied) <= file.count
    else { return nil }
    copy = file[end..<end + Int(copied)]
    let checksum = crc32c(copy, continuing: crc32c(file[offset..<end - 4]))
    guard (try? reader.read(UInt32.self)) == checksum,
      max(generation, batch, term, index, lastTerm) <= LogFormat.largestNumber
    else { return nil }
    self.generation = generation
    self.batch = batch
    self.chain = chain
    self.term = Term(term)
    self.vote = vote == 0 ? nil : MemberID(vote)
    self.last = SnapshotMark(index: LogIndex(index), term: Term(lastTerm))
    self.salt = salt
  }
}
