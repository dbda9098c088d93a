import GRDB
import GRDBSQLite

/// Writes versions of keys: the two statements that every put runs. GRDB prepares and keeps them; they are
/// bound here, without its boxes and copies, which were a third of what applying a put took.
struct VersionWriter {
  private let db: Database
  private let version: Statement
  private let pointer: Statement

  init(db: Database) throws {
    self.db = db
    version = try db.cachedStatement(
      sql: """
        INSERT INTO history(id, key, createRevision, version, lease, value)
        VALUES (?, ?, ?, ?, ?, ?)
        """)
    pointer = try db.cachedStatement(
      sql: """
        INSERT INTO current(key, id) VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET id = excluded.id
        """)
  }

  /// Adds a version; one without a value is a deletion.
  func add(_ item: KeyValue, row id: Int64) throws {
    try item.key.bytes.withUnsafeBytes { key in
      try item.value.withUnsafeBytes { value in
        let statement = version.sqliteStatement
        bind(statement, 1, id)
        bind(statement, 2, key)
        bind(statement, 3, item.createRevision.rawValue)
        bind(statement, 4, item.version)
        bind(statement, 5, item.lease)
        if item.version == 0 { sqlite3_bind_null(statement, 6) } else { bind(statement, 6, value) }
        try run(statement)
      }
    }
  }

  /// Makes the version in row `id` the newest of its key.
  func point(_ key: Key, to id: Int64) throws {
    try key.bytes.withUnsafeBytes { bytes in
      bind(pointer.sqliteStatement, 1, bytes)
      bind(pointer.sqliteStatement, 2, id)
      try run(pointer.sqliteStatement)
    }
  }

  private func bind(_ statement: OpaquePointer, _ column: Int32, _ number: Int64) {
    sqlite3_bind_int64(statement, column, number)
  }

  /// SQLite reads the bytes where they are, which the caller lends until the statement has run; an empty
  /// value has no address, and is not null.
  private func bind(
    _ statement: OpaquePointer, _ column: Int32, _ bytes: UnsafeRawBufferPointer
  ) {
    if let base = bytes.baseAddress, !bytes.isEmpty {
      sqlite3_bind_blob64(statement, column, base, UInt64(bytes.count), nil)
    } else {
      sqlite3_bind_zeroblob(statement, column, 0)
    }
  }

  private func run(_ statement: OpaquePointer) throws {
    let code = sqlite3_step(statement)
    // Says the same error again.
    sqlite3_reset(statement)
    sqlite3_clear_bindings(statement)
    guard code == SQLITE_DONE else {
      throw DatabaseError(resultCode: ResultCode(rawValue: code), message: db.lastErrorMessage)
    }
  }
}
