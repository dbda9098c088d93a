import BinaryCoding
import Foundation
import Raft
import TestSupport
import Testing

@testable import RaftLog

/// Records and markers by themselves, files, and what errors say.
struct LogFormatTests {
  @Test func aRecordThatMeansNothingIsNone() {
    let entry = Entry(
      term: Term(1), index: LogIndex(1), kind: .command, payload: [UInt8](repeating: 7, count: 40))
    var writer = ByteWriter()
    _ = LogRecord.entry(entry).encode(to: &writer, batch: 1, endsBatch: true, chain: 0)
    let valid = writer.bytes
    #expect(StoredRecord(in: valid, at: 0)?.record == .entry(entry))
    #expect(StoredRecord(in: valid, at: 8) == nil)
    for length in 0..<valid.count {
      #expect(StoredRecord(in: Array(valid[..<length]), at: 0) == nil)
    }
    for byte in valid.indices where byte < LogFormat.recordHeaderBytes + 40 {
      var flipped = valid
      flipped[byte] ^= 0x10
      #expect(StoredRecord(in: flipped, at: 0)?.follows(0, in: flipped, at: 0) != true, "\(byte)")
    }
  }

  /// A right checksum does not make a number one that a log comes to (found by a fuzzer).
  @Test func numbersThatNoLogComesToAreDamage() {
    func stored(_ record: LogRecord, batch: UInt64) -> StoredRecord? {
      var writer = ByteWriter()
      _ = record.encode(to: &writer, batch: batch, endsBatch: true, chain: 0)
      return StoredRecord(in: writer.bytes, at: 0)
    }
    let most = LogFormat.largestNumber
    #expect(stored(.whole, batch: most) != nil)
    #expect(stored(.whole, batch: most + 1) == nil)
    // A last write 0 would pass for a log that was never written to.
    #expect(stored(.whole, batch: 0) == nil)
    for (index, term) in [(most + 1, 1), (1, most + 1), (.max, .max)] as [(UInt64, UInt64)] {
      let mark = SnapshotMark(index: LogIndex(index), term: Term(term))
      #expect(stored(.compacted(mark), batch: 1) == nil)
    }
    func marker(batch: UInt64) -> TailMarker? {
      let mark = SnapshotMark(index: LogIndex(1), term: Term(1))
      let marker = TailMarker(
        generation: 1, batch: batch, chain: 0, hardState: HardState(), last: mark, salt: 1)
      return TailMarker(in: marker.encoded(), at: 0)
    }
    #expect(marker(batch: most) != nil && marker(batch: most + 1) == nil)
  }

  // MARK: - The file system

  @Test func whatTheFileSystemRefusesIsSaidWithItsPath() throws {
    let folder = try TemporaryFolder()
    let (disk, absent) = (FileDisk(), folder.path + "/absent/file")
    func fails(_ operation: String, _ body: () throws -> Void) {
      do {
        try body()
        Issue.record("\(operation) did not fail")
      } catch let error as LogError {
        #expect("\(error)".contains(absent) && "\(error)".contains("No such file"), "\(error)")
      } catch {
        Issue.record("\(error)")
      }
    }
    fails("open") { _ = try disk.open(absent, .existing) }
    fails("create") { _ = try disk.open(absent, .new) }
    fails("remove") { try disk.remove(absent) }
    fails("rename") { try disk.rename(absent, to: absent + "2") }
    fails("sync") { try disk.syncDirectory(absent) }
    fails("list") { _ = try disk.names(in: absent) }
    fails("lock") { _ = try disk.lock(directory: absent) }
    fails("make") { try disk.makeDirectory(absent) }
    try Data().write(to: URL(fileURLWithPath: folder.path + "/file"))
    #expect(throws: LogError.self) { try disk.open(folder.path + "/file", .new) }
  }

  @Test func errorsSayWhatTheyAreAbout() {
    let identity = LogIdentity(cluster: 1, member: MemberID(2))
    let other = LogIdentity(cluster: 0xc, member: MemberID(0xd))
    #expect("\(LogError.io(operation: "write", path: "/l", errno: 28))".contains("No space left"))
    #expect(
      "\(LogError.damaged(path: "/l/1.log", offset: 7, reason: "torn"))".contains("/l/1.log"))
    #expect("\(LogError.foreign(path: "/l", found: other, expected: identity))".contains("d"))
    #expect("\(LogError.locked(path: "/l"))".contains("/l"))
  }
}
