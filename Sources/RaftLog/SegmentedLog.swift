import BinaryCoding
package import Raft

/// How large segments grow, and how far ahead they are zeroed.
package struct SegmentLimits: Hashable, Sendable {
  /// A new segment begins when the next batch would pass this; one larger batch fits alone.
  package var segmentBytes: Int
  /// Zeros are written this far ahead, so that most syncs change no file size.
  package var zeroedAheadBytes: Int
  /// Batches up to this are written twice, and so promised after one sync (`TailMarker`).
  package var copiedBytes: Int

  /// - Parameter copiedBytes: counts up to what a marker has room for, `LogFormat.copyBytes`.
  package init(
    segmentBytes: Int = 64 << 20, zeroedAheadBytes: Int = 4 << 20, copiedBytes: Int = .max
  ) {
    self.segmentBytes = segmentBytes
    self.zeroedAheadBytes = zeroedAheadBytes
    self.copiedBytes = min(copiedBytes, LogFormat.copyBytes)
  }
}

/// What a log holds when it is opened.
package struct RecoveredLog: Sendable {
  package var hardState = HardState()
  package var base = SnapshotMark.origin
  package var entries: [Entry] = []
  /// Bytes of an incomplete last write that were cut, never promised to anyone.
  package var tornBytes = 0
  /// Where the log once ended, if it ends earlier now.
  package var lost: SnapshotMark?
  /// There was no log at all.
  package var isNew = false
  /// What was found missing or changed; the owner must call `rebuild` before it writes.
  package var damage: LogDamage?

  package var last: SnapshotMark {
    entries.last.map { SnapshotMark(index: $0.index, term: $0.term) } ?? base
  }

  /// The term of an entry that the log holds, or of the last one that it no longer does.
  package func term(at index: LogIndex) -> Term? {
    if index == base.index { return base.term }
    guard let first = entries.first?.index, index >= first, index <= last.index else { return nil }
    return entries[Int(index.rawValue - first.rawValue)].term
  }
}

/// The durable log of one member: append-only segments, see `LogRecord.swift` for the format.
///
/// What is appended may be promised to others once `isSealed`: at once if it was little, else when `seal` has
/// returned, or the next `append` has.
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
  let disk: any Disk
  var segments: [Segment] = []
  var file: (any DiskFile)?
  /// Where the next record goes in the current segment.
  var end = 0
  var zeroedEnd = 0
  var chain: UInt64
  var salt: UInt64
  var nextBatch: UInt64 = 1
  var hardState = HardState()
  var base = SnapshotMark.origin
  var last = SnapshotMark.origin
  var lost: SnapshotMark?
  /// Of the newest durable marker.
  var generation: UInt64 = 0
  /// A marker of everything that is durable has yet to be written.
  private(set) var isUnsealed = false
  /// Whatever was appended may be promised.
  package var isSealed: Bool { !isUnsealed }
  var isDamaged = false
  /// Files that a crash left behind in a damaged log.
  var leftovers: [String] = []

  init(
    directory: String, identity: LogIdentity, limits: SegmentLimits, disk: any Disk, salt: UInt64
  ) {
    self.salt = salt
    chain = salt
    self.directory = directory
    self.identity = identity
    self.limits = limits
    self.disk = disk
  }

  /// Creates the first segment of a log that has none, so that the log can be missed later.
  package func begin() throws(LogError) {
    if segments.isEmpty { try startSegment(anew: false) }
  }

  /// Begins a log that holds nothing behind `mark`: the state machine was filled in another way.
  package func begin(behind mark: SnapshotMark) throws(LogError) -> RecoveredLog {
    precondition(last == .origin, "the log holds something")
    try append(hardState: HardState(term: mark.term), entries: [])
    try reset(to: mark)
    var begun = RecoveredLog()
    begun.hardState = hardState
    begun.base = mark
    return begun
  }

  /// Makes `hardState` and `entries` durable, and everything before them sealed: one write, one
  /// sync.
  ///
  /// An entry at or below the last index replaces it and everything after it.
  ///
  /// - Parameter isWhole: whether a leader has proved that nothing of what was lost is missing.
  package func append(
    hardState: HardState?, entries: [Entry], isWhole: Bool = false
  ) throws(LogError) {
    var records: [LogRecord] = []
    if let hardState { records.append(.hardState(hardState)) }
    records += entries.map { .entry($0) }
    if isWhole { records.append(.whole) }
    try write(records)
  }

  /// Makes a marker durable that covers everything appended; after that it may be promised.
  package func seal() throws(LogError) {
    guard isUnsealed, let file else { return }
    let marker = nextMarker()
    try file.write(marker.encoded()[...], at: marker.offset)
    try file.sync()
    generation = marker.generation
    isUnsealed = false
  }

  /// Voids every entry: the state machine holds a snapshot of `mark`.
  package func reset(to mark: SnapshotMark) throws(LogError) {
    try write([.reset(mark)])
    try seal()
    try removeSegments(through: mark.index)
  }

  /// Forgets entries through `mark`, which the state machine holds for good.
  package func compact(to mark: SnapshotMark) throws(LogError) {
    guard mark.index > base.index else { return }
    try write([.compacted(mark)])
    try seal()
    try removeSegments(through: mark.index)
  }

  /// Begins the log anew with what is left of a damaged one; the member knows what it has lost.
  ///
  /// A crash in between leaves the damaged log as it was, or the new one.
  package func rebuild(
    hardState: HardState, base: SnapshotMark, entries: [Entry], lost: SnapshotMark?
  ) throws(LogError) {
    let old = segments
    for path in leftovers { try disk.remove(path) }
    leftovers = []
    isDamaged = false
    isUnsealed = false
    (self.hardState, self.base, self.lost) = (hardState, base, lost)
    last = base
    try startSegment(anew: true)
    try write(entries.map { .entry($0) })
    try seal()
    try disk.rename(path(of: current) + LogFormat.unfinishedSuffix, to: path(of: current))
    try disk.syncDirectory(directory)
    for segment in old { try disk.remove(path(of: segment.sequence)) }
    segments.removeFirst(old.count)
    try disk.syncDirectory(directory)
  }

  /// After recovery: what was durable but not yet covered by a marker is sealed, since the member
  /// will act on it.
  func resumeSealing(covered batch: UInt64) throws(LogError) {
    isUnsealed = batch < nextBatch - 1
    // What a crash of the process alone had left in the system's cache may be read and not be durable, a
    // batch and the marker that covers it alike.
    try file?.sync()
    try seal()
  }

  // MARK: - Writing

  private var current: UInt64 { segments.last?.sequence ?? 0 }

  /// What tells, at the start of a segment, where the ones before it have led to.
  private var preamble: [LogRecord] {
    [.hardState(hardState), .compacted(base)] + (lost.map { [.lost($0)] } ?? [])
  }

  private func write(_ records: [LogRecord]) throws(LogError) {
    precondition(!isDamaged, "a damaged log is rebuilt before it is written")
    guard !records.isEmpty || end == LogFormat.firstRecord else { return }
    let size = records.reduce(0) { $0 + LogFormat.recordBytes(payload: $1.payloadBytes) }
    if file == nil || (end > LogFormat.firstRecord && end + size > limits.segmentBytes) {
      try startSegment(anew: false)
    }
    guard let file else { preconditionFailure("a segment is open") }
    // Of what was synced before: it shares the sync of this batch.
    var marker = isUnsealed ? nextMarker() : nil
    let all = end == LogFormat.firstRecord ? preamble + records : records
    var buffer = ByteWriter(reservingCapacity: size + 256)
    for (offset, record) in all.enumerated() {
      chain = record.encode(
        to: &buffer, batch: nextBatch, endsBatch: offset == all.count - 1, chain: chain)
    }
    nextBatch += 1
    for record in records { note(record) }
    isUnsealed = buffer.count > limits.copiedBytes
    if !isUnsealed {
      marker = nextMarker()
      marker?.copy = buffer.bytes[...]
    }
    try zeroAhead(through: end + buffer.count)
    if let marker {
      try file.write(marker.encoded()[...], at: marker.offset)
      generation = marker.generation
    }
    try file.write(buffer.bytes[...], at: end)
    try file.sync()
    end += buffer.count
  }

  private func note(_ record: LogRecord) {
    switch record {
    case .hardState(let state): hardState = state
    case .compacted(let mark): base = mark
    case .reset(let mark):
      base = mark
      last = mark
    case .lost(let mark): lost = mark
    case .whole: lost = nil
    case .entry(let entry):
      last = SnapshotMark(index: entry.index, term: entry.term)
      let newest = segments[segments.count - 1].lastIndex
      segments[segments.count - 1].lastIndex = max(newest, entry.index)
    }
  }

  func nextMarker() -> TailMarker {
    var claimed = last
    if let lost, !last.isUpToDate(with: lost) { claimed = lost }
    return TailMarker(
      generation: generation + 1, batch: nextBatch - 1, chain: chain, hardState: hardState,
      last: claimed, salt: salt)
  }

  private func zeroAhead(through needed: Int) throws(LogError) {
    guard needed > zeroedEnd, let file else { return }
    let target = max(needed, min(zeroedEnd + limits.zeroedAheadBytes, limits.segmentBytes))
    try file.write([UInt8](repeating: 0, count: target - zeroedEnd)[...], at: zeroedEnd)
    zeroedEnd = target
  }

  /// Begins a segment with a marker of all that stands before it. One that begins anew keeps an
  /// unfinished name until it is complete.
  private func startSegment(anew: Bool) throws(LogError) {
    try seal()
    let sequence = current + 1
    let created = try disk.open(
      path(of: sequence) + (anew ? LogFormat.unfinishedSuffix : ""), .new)
    var header = ByteWriter(reservingCapacity: LogFormat.firstRecord)
    header.write(raw: LogFormat.fileMagic)
    header.write(LogFormat.version)
    header.write(UInt32(anew ? 1 : 0))
    header.write(sequence)
    header.write(identity.cluster)
    header.write(identity.member.rawValue)
    header.write(chain)
    header.write(nextBatch)
    header.write(salt)
    header.write(crc32c(header.bytes[...]))
    header.pad(to: LogFormat.firstRecord)
    try created.write(header.bytes[...], at: 0)
    try created.sync()
    // Both slots, and only behind a durable header: a marker proves that the segment was complete.
    for _ in LogFormat.markerOffsets {
      let marker = nextMarker()
      try created.write(marker.encoded()[...], at: marker.offset)
      generation = marker.generation
    }
    try created.sync()
    try disk.syncDirectory(directory)
    file = created
    end = LogFormat.firstRecord
    zeroedEnd = LogFormat.firstRecord
    segments.append(Segment(sequence: sequence, lastIndex: .zero))
  }

  /// Removes whole segments whose entries are all at or before `index`; never the current one.
  private func removeSegments(through index: LogIndex) throws(LogError) {
    var removed = 0
    for segment in segments.dropLast() {
      guard segment.lastIndex <= index else { break }
      try disk.remove(path(of: segment.sequence))
      removed += 1
    }
    guard removed > 0 else { return }
    segments.removeFirst(removed)
    try disk.syncDirectory(directory)
  }

  func path(of sequence: UInt64) -> String {
    let digits = String(sequence, radix: 16)
    return directory + "/" + String(repeating: "0", count: 16 - digits.count) + digits
      + LogFormat.suffix
  }
}

extension LogRecord {
  var payloadBytes: Int {
    switch self {
    case .entry(let entry): entry.payload.count
    case .hardState: 8
    case .compacted, .reset, .lost, .whole: 0
    }
  }
}
