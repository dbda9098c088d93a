import BinaryCoding
import Glibc
package import Raft

/// How large segments grow, and how far ahead they are zeroed.
package struct SegmentLimits: Hashable, Sendable {
  /// A new segment begins when the next batch would pass this; one larger batch fits alone.
  package var segmentBytes: Int
  /// Zeros are written this far ahead, so that most syncs change no file size.
  package var zeroedAheadBytes: Int

  package init(segmentBytes: Int = 64 << 20, zeroedAheadBytes: Int = 4 << 20) {
    self.segmentBytes = segmentBytes
    self.zeroedAheadBytes = zeroedAheadBytes
  }
}

/// What a log holds when it is opened.
package struct RecoveredLog: Sendable {
  package var hardState = HardState()
  package var base = SnapshotMark.origin
  package var entries: [Entry] = []
  /// Bytes of an incomplete last batch that were cut, never acknowledged by anyone.
  package var tornBytes = 0
}

/// The durable log of one member: append-only segments, see `LogRecord.swift` for the format.
///
/// One owner on one thread. After any throw from a writing call the owner must end the process.
// Unchecked: it is handed from the thread that opens it to the log thread, and never shared.
package final class SegmentedLog: @unchecked Sendable {
  struct Segment {
    var sequence: UInt64
    /// The largest entry index in it.
    var lastIndex: LogIndex
  }

  let directory: String
  let identity: LogIdentity
  let limits: SegmentLimits
  var segments: [Segment] = []
  var file: FileDescriptor?
  /// Where the next record goes in the current segment.
  var end = 0
  var zeroedEnd = 0
  var chain: UInt64 = 0
  var nextBatch: UInt64 = 1
  var hardState = HardState()
  var base = SnapshotMark.origin
  /// While it is being opened: where an incomplete batch may have to be cut.
  var unfinished: (file: FileDescriptor, offset: Int, bytes: [UInt8])?

  init(directory: String, identity: LogIdentity, limits: SegmentLimits) {
    self.directory = directory
    self.identity = identity
    self.limits = limits
  }

  /// Makes `hardState` and `entries` durable: one write, one fdatasync.
  ///
  /// An entry at or below the last index replaces it and everything after it.
  package func append(hardState: HardState?, entries: [Entry]) throws(LogError) {
    var records: [LogRecord] = []
    if let hardState { records.append(.hardState(hardState)) }
    records += entries.map { .entry($0) }
    try write(records)
    if let hardState { self.hardState = hardState }
  }

  /// Voids every entry: the state machine holds a snapshot of `mark`.
  package func reset(to mark: SnapshotMark) throws(LogError) {
    try write([.reset(mark)])
    base = mark
    try removeSegments(through: mark.index)
  }

  /// Forgets entries through `mark`, which the state machine holds for good.
  package func compact(to mark: SnapshotMark) throws(LogError) {
    guard mark.index > base.index else { return }
    try write([.compacted(mark)])
    base = mark
    try removeSegments(through: mark.index)
  }

  /// Bytes of all segments on disk but the current one, and what is written of that.
  package var bytesWritten: Int { max(0, segments.count - 1) * limits.segmentBytes + end }

  private func write(_ records: [LogRecord]) throws(LogError) {
    guard !records.isEmpty else { return }
    let size = records.reduce(0) { $0 + LogFormat.recordBytes(payload: $1.payloadBytes) }
    if file == nil || (end > LogFormat.headerBytes && end + size > limits.segmentBytes) {
      try startSegment()
    }
    let isFirst = end == LogFormat.headerBytes
    // Each segment tells on its own what the ones before it, removed or not, have led to.
    let all = isFirst ? [.hardState(hardState), .compacted(base)] + records : records
    var buffer = ByteWriter(reservingCapacity: size + 256)
    for (offset, record) in all.enumerated() {
      chain = record.encode(
        to: &buffer, batch: nextBatch, endsBatch: offset == all.count - 1, chain: chain)
    }
    nextBatch += 1
    guard let file else { preconditionFailure("a segment is open") }
    try zeroAhead(through: end + buffer.count)
    try file.write(buffer.bytes[...], at: end)
    try file.sync()
    end += buffer.count
    for case .entry(let entry) in records {
      segments[segments.count - 1].lastIndex = max(segments.last!.lastIndex, entry.index)
    }
  }

  private func zeroAhead(through needed: Int) throws(LogError) {
    guard needed > zeroedEnd, let file else { return }
    let target = max(needed, min(zeroedEnd + limits.zeroedAheadBytes, limits.segmentBytes))
    try file.write([UInt8](repeating: 0, count: target - zeroedEnd)[...], at: zeroedEnd)
    zeroedEnd = target
  }

  private func startSegment() throws(LogError) {
    let sequence = (segments.last?.sequence ?? 0) + 1
    let path = path(of: sequence)
    let created = try FileDescriptor(path: path, flags: O_RDWR | O_CREAT | O_EXCL)
    var header = ByteWriter(reservingCapacity: LogFormat.headerBytes)
    header.write(raw: LogFormat.fileMagic)
    header.write(LogFormat.version)
    header.write(UInt32(0))
    header.write(sequence)
    header.write(identity.cluster)
    header.write(identity.member.rawValue)
    header.write(chain)
    header.write(nextBatch)
    header.write(crc32c(header.bytes[...]))
    header.pad(to: LogFormat.headerBytes)
    try created.write(header.bytes[...], at: 0)
    try created.sync()
    try syncDirectory(directory)
    file = created
    end = LogFormat.headerBytes
    zeroedEnd = LogFormat.headerBytes
    segments.append(Segment(sequence: sequence, lastIndex: .zero))
  }

  /// Removes whole segments whose entries are all at or before `index`; never the current one.
  private func removeSegments(through index: LogIndex) throws(LogError) {
    var removed = 0
    for segment in segments.dropLast() {
      guard segment.lastIndex <= index else { break }
      let path = path(of: segment.sequence)
      guard unlink(path) == 0 else { throw .io(operation: "unlink", path: path, errno: errno) }
      removed += 1
    }
    guard removed > 0 else { return }
    segments.removeFirst(removed)
    try syncDirectory(directory)
  }

  func path(of sequence: UInt64) -> String {
    let digits = String(sequence, radix: 16)
    return directory + "/" + String(repeating: "0", count: 16 - digits.count) + digits + ".log"
  }
}

extension LogRecord {
  var payloadBytes: Int {
    switch self {
    case .entry(let entry): entry.payload.count
    case .hardState: 8
    case .compacted, .reset: 0
    }
  }
}
