import BinaryCoding
import GRDB

/// The state as it was when this was taken, on a connection of its own: whatever is applied meanwhile
/// changes nothing of it. While it lives, SQLite's write-ahead log grows.
package struct StateSnapshot: Sendable {
  private let snapshot: DatabaseSnapshot

  init(of snapshot: DatabaseSnapshot) { self.snapshot = snapshot }

  /// A hash of everything that members have in common: keys with their history, leases, permissions,
  /// members, alarms. Equal on members that stand at the same entry, however far each has come in removing
  /// what a compaction has made superfluous.
  ///
  /// - Throws: SQLite's error, for instance that a page is damaged.
  /// - Complexity: O(*n*) in the database; nobody waits for it.
  package func hash() throws -> UInt64 {
    try snapshot.read { db in
      let position = try StorePosition.read(db)
      let versions = try Reading(db: db).hash(through: position.revision, current: position)
      var hash = chainHash(ByteWriter.bytes(of: Int64(versions))[...], after: 0)
      // The index by key is a copy of its own, by which history is read; rows before the compaction may be
      // gone already.
      let index = """
        SELECT key, id FROM history INDEXED BY historyByKey
        WHERE id >= \(Schema.rowID(position.compactRevision.next)) ORDER BY key, id
        """
      for table in StateSnapshot.tables + [(name: "historyByKey", key: index)] {
        let sql =
          table.key.hasPrefix("SELECT")
          ? table.key : "SELECT * FROM \(table.name) ORDER BY \(table.key)"
        let rows = try Row.fetchCursor(db, sql: sql)
        var writer = ByteWriter(reservingCapacity: 256)
        writer.write(table.name)
        while let row = try rows.next() {
          for value in row.databaseValues { writer.write(value) }
          hash = chainHash(writer.bytes[...], after: hash)
          writer = ByteWriter(reservingCapacity: 256)
        }
        hash = chainHash(writer.bytes[...], after: hash)
      }
      return hash
    }
  }

  /// All of the schema but `history`, of which superfluous rows don't count, and `compaction`, which is
  /// each member's own.
  static let tables = [
    (name: "current", key: "key"), (name: "leases", key: "id"),
    (name: "leaseKeys", key: "lease, key"), (name: "alarms", key: "member, kind"),
    (name: "users", key: "name"), (name: "roles", key: "name"),
    (name: "userRoles", key: "user, role"), (name: "permissions", key: "role, start, rangeEnd"),
    (name: "members", key: "id"), (name: "removedMembers", key: "id"),
    (name: "membership", key: "id"), (name: "integrity", key: "member"),
    (name: "state", key: "id"),
  ]
}

extension ByteWriter {
  fileprivate mutating func write(_ value: DatabaseValue) {
    switch value.storage {
    case .null: write(UInt8(0))
    case .int64(let number):
      write(UInt8(1))
      write(number)
    case .double(let number):
      write(UInt8(2))
      write(number.bitPattern)
    case .string(let text):
      write(UInt8(3))
      write(text)
    case .blob(let data):
      write(UInt8(4))
      write([UInt8](data))
    }
  }
}
