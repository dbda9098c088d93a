import BinaryCoding
import Foundation
import Raft
import Store

@testable import RaftLog

/// In memory where that is, since files are made for each input.
private let folder: String = {
  let root =
    FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
  return root + "/configsync-fuzz-\(getpid())"
}()

private let identity = LogIdentity(cluster: 1, member: MemberID(2))
private let limits = SegmentLimits(segmentBytes: 1 << 16, zeroedAheadBytes: 1 << 12)

/// A whole segment with a few records: its name, its bytes, and where its records end.
private let base: (name: String, bytes: [UInt8], end: Int, chain: UInt64) = {
  let directory = folder + "-base"
  defer { try? FileManager.default.removeItem(atPath: directory) }
  do {
    let log = try SegmentedLog.open(
      directory: directory, identity: identity, limits: limits, salt: 7
    ).log
    try log.begin()
    let entries = (1...3).map { number in
      Entry(
        term: Term(1), index: LogIndex(UInt64(number)), kind: .command,
        payload: Array("entry \(number)".utf8))
    }
    try log.append(
      hardState: HardState(term: Term(1), vote: MemberID(2), commit: .zero), entries: entries)
    let name = try FileDisk().names(in: directory).first { $0.hasSuffix(LogFormat.suffix) } ?? ""
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: directory + "/" + name)))
    var (end, chain) = (LogFormat.firstRecord, UInt64(0))
    while let record = StoredRecord(in: bytes, at: end) {
      end += record.bytes
      chain = record.chain
    }
    return (name, bytes, end, chain)
  } catch {
    fatalError("the base log can't be made: \(error)")
  }
}()

/// Takes values off the input; zeros once it is used up.
private struct Input {
  var bytes: ArraySlice<UInt8>
  mutating func byte() -> UInt8 { bytes.popFirst() ?? 0 }
  mutating func number() -> UInt64 {
    let byte = byte()
    // Mostly small ones, that meet each other.
    guard byte >= 240 else { return UInt64(byte % 16) }
    return (0..<8).reduce(0) { sum, _ in sum << 8 | UInt64(self.byte()) }
  }
}

/// Records as no log writes them, with right checksums, after those of a whole segment; then some bytes of
/// the file are others. The log is opened, mended or refused, and what was mended opens again.
func fuzzLog(_ bytes: [UInt8]) {
  var input = Input(bytes: bytes[...])
  var file = Array(base.bytes.prefix(base.end))
  var chain = base.chain
  var writer = ByteWriter()
  for _ in 0..<input.byte() % 8 {
    let term = Term(input.number())
    let index = LogIndex(input.number())
    let mark = SnapshotMark(index: index, term: term)
    let kind = input.byte()
    let payload = (0..<input.byte() % 32).map { _ in input.byte() }
    let record: LogRecord =
      switch kind % 7 {
      case 0:
        .entry(
          Entry(
            term: term, index: index, kind: Entry.Kind(rawValue: kind / 7 % 3) ?? .command,
            payload: payload))
      case 1: .hardState(HardState(term: term, vote: MemberID(input.number()), commit: index))
      case 2: .compacted(mark)
      case 3: .reset(mark)
      case 4: .lost(mark)
      case 5: .whole
      default: .entry(Entry(term: term, index: index, kind: .noOperation, payload: []))
      }
    chain = record.encode(
      to: &writer, batch: input.number(), endsBatch: input.byte() % 4 > 0,
      chain: input.byte() % 8 == 0 ? 0 : chain)
  }
  file += writer.bytes
  file += [UInt8](repeating: 0, count: Int(input.byte()) * 8)
  while !input.bytes.isEmpty {
    let offset = Int(input.byte()) << 8 | Int(input.byte())
    if offset < file.count { file[offset] = input.byte() }
  }
  open(file)
}

private func open(_ file: [UInt8]) {
  let directory = folder + "-log"
  defer { try? FileManager.default.removeItem(atPath: directory) }
  do {
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    try Data(file).write(to: URL(fileURLWithPath: directory + "/" + base.name))
    let first = try SegmentedLog.open(
      directory: directory, identity: identity, limits: limits, salt: 7)
    let again = try SegmentedLog.open(
      directory: directory, identity: identity, limits: limits, salt: 7)
    precondition(
      first.recovered.entries == again.recovered.entries
        && first.recovered.hardState.term <= again.recovered.hardState.term,
      "a log that was opened opens as another")
  } catch {
    return
  }
}

func fuzzSnapshot(_ bytes: [UInt8]) {
  let path = folder + "-snapshot"
  defer { try? FileManager.default.removeItem(atPath: path) }
  guard (try? Data(bytes).write(to: URL(fileURLWithPath: path))) != nil else { return }
  _ = try? KeyValueStore.inspectSnapshot(path)
}
