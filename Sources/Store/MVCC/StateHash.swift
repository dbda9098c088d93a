import BinaryCoding
import GRDB

extension Reading {
  /// A hash of what can be read up to `revision`: equal on members that stand at the same revision and
  /// compaction, however many superfluous rows each still has.
  ///
  /// - Complexity: O(*n*) in the versions.
  func hash(through revision: Revision, current: StorePosition) throws -> UInt32 {
    let oldest = current.compactRevision
    let statement = try db.cachedStatement(
      sql: """
        SELECT h.id, h.createRevision, h.version, h.lease, h.key, h.value FROM history h
        WHERE h.id < ?1 AND (h.id >= ?2 OR (h.version > 0 AND NOT EXISTS (
          SELECT 1 FROM history n WHERE n.key = h.key AND n.id > h.id AND n.id < ?3)))
        ORDER BY h.id
        """)
    let rows = try Row.fetchCursor(
      statement,
      arguments: [
        Schema.rowID(revision.next), Schema.rowID(oldest), Schema.rowID(oldest.next),
      ])
    var hash = crc32c(ByteWriter.bytes(of: oldest.rawValue)[...])
    while let row = try rows.next() {
      var writer = ByteWriter(reservingCapacity: 128)
      for column in 0..<4 { writer.write(row[column] as Int64) }
      writer.write(try row.bytes(4))
      writer.write(try row.bytes(5))
      hash = crc32c(writer.bytes[...], continuing: hash)
    }
    return hash
  }
}

extension ByteWriter {
  static func bytes(of value: Int64) -> [UInt8] {
    var writer = ByteWriter(reservingCapacity: 8)
    writer.write(value)
    return writer.bytes
  }
}
