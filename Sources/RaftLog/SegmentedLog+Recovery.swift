import BinaryCoding
import Glibc
import Raft

extension SegmentedLog {
  /// Opens the log in `directory`, made if missing, and tells what it holds.
  ///
  /// An incomplete last batch is cut. Anything else that is wrong throws `.damaged` and changes
  /// nothing. Memory: one segment at a time, and the entries.
  package static func open(
    directory: String, identity: LogIdentity, limits: SegmentLimits = SegmentLimits()
  ) throws(LogError) -> (log: SegmentedLog, recovered: RecoveredLog) {
    if mkdir(directory, 0o700) != 0, errno != EEXIST {
      throw .io(operation: "mkdir", path: directory, errno: errno)
    }
    try syncDirectory(directory + "/..")
    let log = SegmentedLog(directory: directory, identity: identity, limits: limits)
    var recovery = Recovery()
    let sequences = try log.storedSequences()
    for (position, sequence) in sequences.enumerated() {
      if position > 0, sequence != sequences[position - 1] + 1 {
        throw .damaged(
          path: log.path(of: sequence), offset: 0, reason: "the segment before it is missing")
      }
      try log.read(
        sequence, isLast: position == sequences.count - 1, into: &recovery)
    }
    log.chain = recovery.chain
    log.nextBatch = recovery.batch + 1
    log.hardState = recovery.result.hardState
    log.base = recovery.result.base
    try recovery.verifyEntries(path: directory)
    // Nothing is changed before everything has been found right.
    if let (file, offset, bytes) = log.unfinished {
      log.unfinished = nil
      recovery.result.tornBytes = try log.cut(file, bytes, from: offset)
    }
    return (log, recovery.result)
  }

  /// What has been read so far.
  private struct Recovery {
    var result = RecoveredLog()
    var chain: UInt64 = 0
    var batch: UInt64 = 0

    /// The only batch that a crash may have left incomplete.
    var tornBatch: UInt64 { batch + 1 }

    mutating func replay(_ record: LogRecord) -> Bool {
      switch record {
      case .hardState(let state): result.hardState = state
      case .compacted(let mark):
        result.base = mark
        result.entries.removeAll { $0.index <= mark.index }
      case .reset(let mark):
        result.base = mark
        result.entries.removeAll()
      case .entry(let entry):
        while let last = result.entries.last, last.index >= entry.index {
          result.entries.removeLast()
        }
        if let last = result.entries.last, last.index.next != entry.index { return false }
        result.entries.append(entry)
      }
      return true
    }

    func verifyEntries(path: String) throws(LogError) {
      guard let first = result.entries.first, first.index != result.base.index.next else { return }
      throw .damaged(
        path: path, offset: 0,
        reason: "its first entry is \(first.index), after \(result.base.index)")
    }
  }

  private func storedSequences() throws(LogError) -> [UInt64] {
    guard let listing = opendir(directory) else {
      throw .io(operation: "opendir", path: directory, errno: errno)
    }
    defer { closedir(listing) }
    var sequences: [UInt64] = []
    while let item = readdir(listing) {
      let name = withUnsafePointer(to: &item.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard name.hasSuffix(".log"), let sequence = UInt64(name.dropLast(4), radix: 16) else {
        continue
      }
      sequences.append(sequence)
    }
    return sequences.sorted()
  }

  private func read(
    _ sequence: UInt64, isLast: Bool, into recovery: inout Recovery
  ) throws(LogError) {
    let path = path(of: sequence)
    let file = try FileDescriptor(path: path, flags: O_RDWR)
    let bytes = try file.readAll()
    guard try checkHeader(bytes, path: path, sequence: sequence, recovery: &recovery) else {
      // A segment whose creation a crash cut short holds nothing yet.
      try expectTorn(bytes, from: 0, path: path, isLast: isLast, recovery: recovery)
      guard unlink(path) == 0 else { throw .io(operation: "unlink", path: path, errno: errno) }
      return try syncDirectory(directory)
    }
    segments.append(Segment(sequence: sequence, lastIndex: .zero))
    let offset = try replay(bytes, path: path, into: &recovery)
    guard isLast else {
      if bytes[min(offset, bytes.count)...].contains(where: { $0 != 0 }) {
        throw .damaged(path: path, offset: offset, reason: "no valid record, but a later segment")
      }
      return
    }
    try expectTorn(bytes, from: offset, path: path, isLast: true, recovery: recovery)
    unfinished = (file, offset, bytes)
    self.file = file
    end = offset
    zeroedEnd = max(bytes.count, offset)
  }

  /// Replays whole batches, and tells where the first record stands that is not of one.
  ///
  /// Of an incomplete batch nothing is kept: what stands in it may refer to what is lost of it.
  private func replay(
    _ bytes: [UInt8], path: String, into recovery: inout Recovery
  ) throws(LogError) -> Int {
    var batchStart = LogFormat.headerBytes
    var offset = batchStart
    var chain = recovery.chain
    var batch: [LogRecord] = []
    while let stored = StoredRecord(in: bytes, at: offset),
      stored.follows(chain, in: bytes, at: offset)
    {
      batch.append(stored.record)
      chain = stored.chain
      offset += stored.bytes
      guard stored.endsBatch else { continue }
      for record in batch {
        guard recovery.replay(record) else {
          throw .damaged(path: path, offset: batchStart, reason: "an entry is missing before it")
        }
        if case .entry(let entry) = record {
          let last = segments[segments.count - 1].lastIndex
          segments[segments.count - 1].lastIndex = max(last, entry.index)
        }
      }
      recovery.chain = chain
      recovery.batch = stored.batch
      batchStart = offset
      batch = []
    }
    return batchStart
  }

  /// Checks the header block; false if it was never completely written.
  private func checkHeader(
    _ bytes: [UInt8], path: String, sequence: UInt64, recovery: inout Recovery
  ) throws(LogError) -> Bool {
    do {
      var reader = ByteReader(bytes[...])
      guard bytes.count >= LogFormat.headerBytes,
        try reader.readRaw(8) == LogFormat.fileMagic
      else { return false }
      let version = try reader.read(UInt32.self)
      _ = try reader.read(UInt32.self)
      let stored = try reader.read(UInt64.self)
      let cluster = try reader.read(UInt64.self)
      let member = MemberID(try reader.read(UInt64.self))
      let chain = try reader.read(UInt64.self)
      let batch = try reader.read(UInt64.self)
      guard try reader.read(UInt32.self) == crc32c(bytes[..<LogFormat.headerFieldBytes]) else {
        return false
      }
      guard version == LogFormat.version else {
        throw LogError.damaged(
          path: path, offset: 8, reason: "its format is version \(version), this program reads 1")
      }
      let found = LogIdentity(cluster: cluster, member: member)
      guard found == identity else {
        throw LogError.foreign(path: directory, found: found, expected: identity)
      }
      let isFirst = segments.isEmpty
      guard stored == sequence, isFirst || chain == recovery.chain else {
        throw LogError.damaged(path: path, offset: 16, reason: "it follows another segment")
      }
      if isFirst {
        recovery.chain = chain
        recovery.batch = batch - 1
      }
      return true
    } catch let error as LogError {
      throw error
    } catch {
      return false
    }
  }

  /// What begins at `offset` may be the rest of an interrupted batch; a valid record of a later
  /// batch behind it proves that it was durable once, and so is damage.
  private func expectTorn(
    _ bytes: [UInt8], from offset: Int, path: String, isLast: Bool, recovery: Recovery
  ) throws(LogError) {
    guard isLast else {
      throw .damaged(path: path, offset: offset, reason: "it is invalid, but not the last segment")
    }
    var at = (offset + 7) & ~7
    while at + LogFormat.recordHeaderBytes <= bytes.count {
      if let stored = StoredRecord(in: bytes, at: at), stored.batch > recovery.tornBatch {
        throw .damaged(
          path: path, offset: offset, reason: "a valid record of a later write stands at byte \(at)"
        )
      }
      at += 8
    }
  }

  private func cut(
    _ file: FileDescriptor, _ bytes: [UInt8], from offset: Int
  ) throws(LogError) -> Int {
    guard offset < bytes.count, let last = bytes[offset...].lastIndex(where: { $0 != 0 }) else {
      return 0
    }
    let count = last + 1 - offset
    try file.write([UInt8](repeating: 0, count: count)[...], at: offset)
    try file.sync()
    return count
  }
}
