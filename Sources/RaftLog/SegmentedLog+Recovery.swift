import BinaryCoding
import Raft

extension SegmentedLog {
  /// Opens the log in `directory`, made if missing, and tells what it holds.
  ///
  /// A write that was never promised is cut. Where something that may have been promised is missing
  /// or changed, `RecoveredLog.damage` says what, the entries before it are given, and nothing is
  /// changed. Memory: one segment at a time, and the entries.
  ///
  /// - Parameter salt: what a log that is made now has; it must not be known to clients.
  /// - Throws: `.damaged` if not even what is lost can be told; `.foreign`; `.io`.
  package static func open(
    directory: String, identity: LogIdentity, limits: SegmentLimits = SegmentLimits(),
    disk: any Disk = FileDisk(), salt: UInt64 = .random(in: 1...(.max))
  ) throws(LogError) -> (log: SegmentedLog, recovered: RecoveredLog) {
    try disk.makeDirectory(directory)
    try disk.syncDirectory(directory + "/..")
    // A segment that is read below may not have its name for good yet.
    try disk.syncDirectory(directory)
    let log = SegmentedLog(
      directory: directory, identity: identity, limits: limits, disk: disk, salt: salt)
    var reading = LogReading(log: log)
    try reading.readAll()
    try reading.finish()
    return (log, reading.result)
  }
}

/// The log as it is read, segment by segment, when it is opened.
private struct LogReading {
  let log: SegmentedLog
  var result = RecoveredLog()
  private var chain: UInt64 = 0
  /// The last whole batch.
  private var batch: UInt64 = 0
  private var marker: TailMarker?
  private var salt: UInt64?
  private var segments: [SegmentedLog.Segment] = []
  /// The last segment that was read: where its records end, and all of its bytes.
  private var tail: (file: any DiskFile, offset: Int, bytes: [UInt8])?
  /// Files that a crash left behind, to be removed once the log has been found right.
  private var leftovers: [String] = []
  /// Batches that are whole in another place than their own, and where.
  private var adopted: [(bytes: [UInt8], place: Range<Int>)] = []

  init(log: SegmentedLog) { self.log = log }

  mutating func readAll() throws(LogError) {
    let stored = try sequences()
    var start = 0
    for (position, sequence) in stored.enumerated() {
      let bytes = try log.disk.open(log.path(of: sequence), .existing).readAll()
      guard let header = try header(in: bytes, of: sequence) else { continue }
      salt = header.salt
      if header.beginsAnew { start = position }
    }
    leftovers += stored[..<start].map { log.path(of: $0) }
    for sequence in stored[start...] {
      let file = try log.disk.open(log.path(of: sequence), .existing)
      let bytes = try file.readAll()
      noteMarkers(in: bytes)
      var end: Int?
      if result.damage == nil {
        end = try read(sequence, file: file, bytes: bytes, isLast: sequence == stored.last)
      }
      noteMarker(in: bytes, from: end ?? LogFormat.firstRecord)
      // Also the segments behind a damage are the log's, and go when it is rebuilt; one that was never
      // written to is not.
      let isLeft = leftovers.contains(log.path(of: sequence))
      if !isLeft, !segments.contains(where: { $0.sequence == sequence }) {
        segments.append(SegmentedLog.Segment(sequence: sequence, lastIndex: .zero))
      }
    }
  }

  private mutating func sequences() throws(LogError) -> [UInt64] {
    var found: [UInt64] = []
    for name in try log.disk.names(in: log.directory) {
      if name.hasSuffix(LogFormat.suffix), let sequence = UInt64(name.dropLast(4), radix: 16) {
        found.append(sequence)
      } else if name.hasSuffix(LogFormat.unfinishedSuffix) {
        leftovers.append(log.directory + "/" + name)
      }
    }
    return found
  }

  private mutating func noteMarkers(in bytes: [UInt8]) {
    for offset in LogFormat.markerOffsets {
      guard let found = TailMarker(in: bytes, at: offset), found.salt == salt ?? found.salt else {
        continue
      }
      // Without a header that can be read, the markers in their places say what the salt is.
      salt = found.salt
      if found.generation > (marker?.generation ?? 0) { marker = found }
    }
  }

  /// A marker that the disk has put in another place: before the records that were read, or behind them.
  private mutating func noteMarker(in bytes: [UInt8], from end: Int) {
    guard let salt else { return }
    for range in LogSalvage.outside(recordsThrough: end, of: bytes) {
      guard let found = LogSalvage.marker(in: bytes, within: range, salt: salt),
        found.generation > (marker?.generation ?? 0)
      else { continue }
      marker = found
    }
  }

  private mutating func damage(_ sequence: UInt64, at offset: Int, _ reason: String) {
    result.damage = LogDamage(path: log.path(of: sequence), offset: offset, reason: reason)
  }

  /// - Returns: where its records end; nil if nothing of it could be read.
  private mutating func read(
    _ sequence: UInt64, file: any DiskFile, bytes: [UInt8], isLast: Bool
  ) throws(LogError) -> Int? {
    guard let header = try header(in: bytes, of: sequence) else {
      // A last segment that a crash has cut short while it was created was never written to; a
      // marker in it proves that it was complete once.
      let wasComplete = LogFormat.markerOffsets.contains { TailMarker(in: bytes, at: $0) != nil }
      if isLast, !wasComplete {
        leftovers.append(log.path(of: sequence))
      } else {
        damage(sequence, at: 0, "its header is invalid")
      }
      return nil
    }
    if let previous = segments.last?.sequence {
      guard sequence == previous + 1, header.chain == chain, header.batch == batch + 1 else {
        damage(sequence, at: 16, "it does not follow segment \(previous)")
        return nil
      }
    }
    chain = header.chain
    batch = header.batch - 1
    segments.append(SegmentedLog.Segment(sequence: sequence, lastIndex: .zero))
    let offset = replay(bytes, of: sequence)
    tail = (file, offset, bytes)
    if result.damage == nil, !isLast,
      bytes[min(offset, bytes.count)...].contains(where: { $0 != 0 })
    {
      damage(sequence, at: offset, "no valid record, but a later segment")
    }
    return offset
  }

  /// Replays whole batches, and tells where the first record stands that is not of one.
  ///
  /// Of an incomplete batch nothing is kept: what stands in it may refer to what is lost of it.
  private mutating func replay(
    _ bytes: [UInt8], of sequence: UInt64, from start: Int = LogFormat.firstRecord
  ) -> Int {
    var batchStart = start
    var offset = batchStart
    var next = chain
    var records: [LogRecord] = []
    while let stored = StoredRecord(in: bytes, at: offset),
      stored.follows(next, in: bytes, at: offset)
    {
      records.append(stored.record)
      next = stored.chain
      offset += stored.bytes
      guard stored.endsBatch else { continue }
      for record in records {
        guard replay(record) else {
          damage(sequence, at: batchStart, "an entry is missing before it")
          return batchStart
        }
      }
      chain = next
      batch = stored.batch
      batchStart = offset
      records = []
    }
    return batchStart
  }

  private mutating func replay(_ record: LogRecord) -> Bool {
    switch record {
    case .hardState(let state): result.hardState = state
    case .compacted(let mark):
      result.base = mark
      result.entries.removeAll { $0.index <= mark.index }
    case .reset(let mark):
      result.base = mark
      result.entries.removeAll()
    case .lost(let mark): result.lost = mark
    case .whole: result.lost = nil
    case .entry(let entry):
      while let last = result.entries.last, last.index >= entry.index {
        result.entries.removeLast()
      }
      if let last = result.entries.last, last.index.next != entry.index { return false }
      result.entries.append(entry)
      let newest = segments[segments.count - 1].lastIndex
      segments[segments.count - 1].lastIndex = max(newest, entry.index)
    }
    return true
  }

  private struct Header {
    var beginsAnew: Bool
    var chain: UInt64
    var batch: UInt64
    var salt: UInt64
  }

  /// The header of a segment; nil if it is invalid.
  ///
  /// - Throws: `.foreign`, and `.damaged` for a format of another version.
  private func header(in bytes: [UInt8], of sequence: UInt64) throws(LogError) -> Header? {
    let path = log.path(of: sequence)
    var reader = ByteReader(bytes[...])
    guard bytes.count >= LogFormat.headerFieldBytes + 4,
      (try? reader.readRaw(8)) == LogFormat.fileMagic,
      let version = try? reader.read(UInt32.self), let anew = try? reader.read(UInt32.self),
      let stored = try? reader.read(UInt64.self), let cluster = try? reader.read(UInt64.self),
      let member = try? reader.read(UInt64.self), let chain = try? reader.read(UInt64.self),
      let batch = try? reader.read(UInt64.self), let salt = try? reader.read(UInt64.self),
      (try? reader.read(UInt32.self)) == crc32c(bytes[..<LogFormat.headerFieldBytes])
    else { return nil }
    guard version == LogFormat.version else {
      throw .damaged(
        path: path, offset: 8,
        reason: "its format is version \(version), this program reads \(LogFormat.version)")
    }
    let found = LogIdentity(cluster: cluster, member: MemberID(member))
    guard found == log.identity else {
      throw .foreign(path: log.directory, found: found, expected: log.identity)
    }
    guard stored == sequence, (1...LogFormat.largestNumber).contains(batch) else { return nil }
    return Header(beginsAnew: anew == 1, chain: chain, batch: batch, salt: salt)
  }

  /// Judges what was read by the newest marker, and hands the log over.
  mutating func finish() throws(LogError) {
    adopt()
    if result.damage == nil, let first = result.entries.first,
      first.index != result.base.index.next
    {
      damage(segments.first?.sequence ?? 0, at: 0, "it begins after the first entry")
      result.entries = []
    }
    if result.damage == nil, let marker, batch < marker.batch {
      damage(
        segments.last?.sequence ?? 0, at: tail?.offset ?? 0,
        "it ends with write \(batch), but write \(marker.batch) was durable")
    }
    if result.damage == nil, let marker, batch == marker.batch, chain != marker.chain {
      damage(segments.last?.sequence ?? 0, at: 0, "its marker belongs to another log")
    }
    if marker == nil, let segment = segments.last {
      let found = result.damage
      guard found == nil, segments.count == 1, batch == 0 else {
        throw .damaged(
          path: found?.path ?? log.path(of: segment.sequence), offset: found?.offset ?? 0,
          reason: (found?.reason ?? "no marker tells how far it was durable"))
      }
      // The very first segment, cut short by a crash while it was created.
      leftovers.append(log.path(of: segment.sequence))
      segments = []
      tail = nil
    }
    try handOver()
  }

  /// Whole batches that follow the last one that was read, and stand anywhere in its segment: in the copy of
  /// a marker, or where the disk has put them by mistake. Their chain proves that they are this log's next.
  private mutating func adopt() {
    guard let tail, let segment = segments.last else { return }
    while result.damage == nil,
      let place = LogSalvage.batch(
        batch + 1, after: chain, in: tail.bytes, outsideRecordsThrough: tail.offset)
    {
      let before = (result: result, segments: segments, chain: chain, batch: batch)
      let bytes = Array(tail.bytes[place])
      if replay(bytes, of: segment.sequence, from: 0) == bytes.count, result.damage == nil {
        adopted.append((bytes, place))
      } else {
        // An entry is missing before it: judged as if it were not there.
        (result, segments, chain, batch) = before
        return
      }
    }
  }

  private mutating func handOver() throws(LogError) {
    log.segments = segments
    log.chain = chain
    log.generation = marker?.generation ?? 0
    log.nextBatch = max(batch, marker?.batch ?? 0) + 1
    if let salt { log.salt = salt }
    if result.damage != nil, let marker {
      try promise(since: marker)
      log.isDamaged = true
      log.leftovers = leftovers
    }
    log.hardState = result.hardState
    log.base = result.base
    log.last = result.last
    log.lost = result.lost
    guard result.damage == nil else { return }
    for path in leftovers { try log.disk.remove(path) }
    if !leftovers.isEmpty { try log.disk.syncDirectory(log.directory) }
    result.isNew = segments.isEmpty
    guard let tail else { return }
    log.file = tail.file
    log.end = tail.offset
    log.zeroedEnd = max(tail.bytes.count, tail.offset)
    if adopted.isEmpty {
      result.tornBytes = try cut(tail.file, tail.bytes, from: tail.offset)
    } else {
      try restore(tail)
    }
    try log.resumeSealing(covered: max(marker?.batch ?? 0, adopted.isEmpty ? 0 : batch))
  }

  /// Writes adopted batches to their own place.
  ///
  /// A marker of them comes first, in the slot that holds none of them: should the process end in the middle,
  /// when what it copies from may be overwritten, the next start finds them there or finds them missing.
  private func restore(
    _ tail: (file: any DiskFile, offset: Int, bytes: [UInt8])
  ) throws(LogError) {
    var marker = log.nextMarker()
    let isTaken = adopted.contains { batch in
      batch.place.overlaps(marker.offset..<marker.offset + LogFormat.markerBytes)
    }
    if isTaken { marker.generation += 1 }
    let bytes = adopted.flatMap(\.bytes)
    if adopted.count == 1, bytes.count <= LogFormat.copyBytes { marker.copy = bytes[...] }
    try tail.file.write(marker.encoded()[...], at: marker.offset)
    try tail.file.sync()
    log.generation = marker.generation
    try tail.file.write(bytes[...], at: tail.offset)
    try tail.file.sync()
    log.end += bytes.count
    log.zeroedEnd = max(log.zeroedEnd, log.end)
    _ = try cut(tail.file, tail.bytes, from: log.end)
  }

  /// What was promised last: by the newest marker, and by whole writes after it. Never less than what
  /// was read.
  private mutating func promise(since marker: TailMarker) throws(LogError) {
    var salvage = LogSalvage(since: marker)
    for segment in segments {
      salvage.search(try log.disk.open(log.path(of: segment.sequence), .existing).readAll())
    }
    log.nextBatch = max(batch, salvage.batch) + 1
    let read = result.hardState
    let found = salvage.hardState ?? HardState(term: marker.term, vote: marker.vote)
    result.hardState =
      found.term >= read.term ? HardState(term: found.term, vote: found.vote) : read
    result.lost = marker.last
    if let last = salvage.last, last.isUpToDate(with: marker.last) { result.lost = last }
  }

  /// Overwrites with zeros what stands behind the records.
  private func cut(
    _ file: any DiskFile, _ bytes: [UInt8], from end: Int
  ) throws(LogError) -> Int {
    guard end < bytes.count, let last = bytes[end...].lastIndex(where: { $0 != 0 }) else {
      return 0
    }
    let count = last + 1 - end
    try file.write([UInt8](repeating: 0, count: count)[...], at: end)
    try file.sync()
    return count
  }
}
