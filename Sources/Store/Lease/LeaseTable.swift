import Foundation
import GRDB

/// The leases of the state database, and which key hangs on which.
struct LeaseTable {
  let db: Database

  func lease(_ id: Int64) throws -> Lease? {
    let statement = try db.cachedStatement(
      sql: "SELECT id, ttl, remaining, grantedAt FROM leases WHERE id = ?")
    return try Row.fetchOne(statement, arguments: [id]).map(LeaseTable.lease)
  }

  /// All of them, ascending by id.
  func all() throws -> [Lease] {
    try Row.fetchAll(db, sql: "SELECT id, ttl, remaining, grantedAt FROM leases ORDER BY id")
      .map(LeaseTable.lease)
  }

  func insert(_ lease: Lease) throws {
    try db.cachedStatement(
      sql: "INSERT INTO leases(id, ttl, remaining, grantedAt) VALUES (?, ?, ?, ?)"
    ).execute(arguments: [
      lease.id, lease.ttl, lease.remaining, Int64(bitPattern: lease.grantedAt),
    ])
  }

  func remove(_ id: Int64) throws {
    try db.cachedStatement(sql: "DELETE FROM leases WHERE id = ?").execute(arguments: [id])
  }

  /// Does nothing to a lease that has ended, or was granted anew since.
  func write(_ checkpoint: LeaseCheckpoint) throws {
    try db.cachedStatement(
      sql: "UPDATE leases SET remaining = min(?, ttl) WHERE id = ? AND grantedAt = ?"
    ).execute(arguments: [
      checkpoint.remaining, checkpoint.id, Int64(bitPattern: checkpoint.grantedAt),
    ])
  }

  // MARK: - Keys

  /// Its keys, ascending.
  func keys(of lease: Int64) throws -> [Key] {
    let statement = try db.cachedStatement(
      sql: "SELECT key FROM leaseKeys WHERE lease = ? ORDER BY key")
    let rows = try Row.fetchCursor(statement, arguments: [lease])
    var keys: [Key] = []
    while let row = try rows.next() { keys.append(Key(try row.bytes(0))) }
    return keys
  }

  /// Whether it has a key from `start` on and before `end`; nil is no bound.
  func hasKey(of lease: Int64, from start: Key, to end: Key?) throws -> Bool {
    let bound = end == nil ? "" : "AND key < ?"
    let statement = try db.cachedStatement(
      sql: "SELECT 1 FROM leaseKeys WHERE lease = ? AND key >= ? \(bound) LIMIT 1")
    let arguments: StatementArguments = [lease, start.data] + (end.map { [$0.data] } ?? [])
    return try Row.fetchOne(statement, arguments: arguments) != nil
  }

  /// Moves a key from one lease to another; 0 is none.
  func move(_ key: Key, from former: Int64, to lease: Int64) throws {
    guard former != lease else { return }
    if former != 0 {
      try db.cachedStatement(sql: "DELETE FROM leaseKeys WHERE lease = ? AND key = ?")
        .execute(arguments: [former, key.data])
    }
    if lease != 0 {
      try db.cachedStatement(sql: "INSERT INTO leaseKeys(lease, key) VALUES (?, ?)")
        .execute(arguments: [lease, key.data])
    }
  }

  private static func lease(_ row: Row) -> Lease {
    Lease(id: row[0], ttl: row[1], remaining: row[2], grantedAt: UInt64(bitPattern: row[3]))
  }
}
