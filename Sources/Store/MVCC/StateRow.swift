import Foundation
import GRDB

/// Where the state machine stands; equal on members that have applied the same entries.
package struct StorePosition: Hashable, Sendable {
  package var cluster: UInt64
  package var appliedIndex: UInt64
  package var appliedTerm: UInt64
  package var revision: Revision
  package var compactRevision: Revision
  /// A running hash of every event.
  package var digest: UInt64
  /// Which state of the permissions this is.
  package var auth: AuthVersion
}

extension StorePosition {
  static func empty(cluster: UInt64) -> StorePosition {
    StorePosition(
      cluster: cluster, appliedIndex: 0, appliedTerm: 0, revision: .initial,
      compactRevision: Revision(0), digest: 0, auth: .initial)
  }

  static func read(_ db: Database) throws -> StorePosition {
    let statement = try db.cachedStatement(
      sql: """
        SELECT cluster, appliedIndex, appliedTerm, revision, compactRevision, digest,
          authRevision, authEnabledAt FROM state
        """)
    guard let row = try Row.fetchOne(statement) else {
      throw StateDatabaseError("it has no state row")
    }
    return StorePosition(
      cluster: UInt64(bitPattern: row[0]), appliedIndex: UInt64(bitPattern: row[1]),
      appliedTerm: UInt64(bitPattern: row[2]), revision: Revision(row[3]),
      compactRevision: Revision(row[4]), digest: UInt64(bitPattern: row[5]),
      auth: AuthVersion(
        revision: UInt64(bitPattern: row[6]),
        enabledAt: (row[7] as Int64?).map(UInt64.init(bitPattern:))))
  }

  func write(_ db: Database) throws {
    let statement = try db.cachedStatement(
      sql: """
        INSERT INTO state(
          id, cluster, appliedIndex, appliedTerm, revision, compactRevision, digest,
          authRevision, authEnabledAt)
        VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET
          appliedIndex = excluded.appliedIndex, appliedTerm = excluded.appliedTerm,
          revision = excluded.revision, compactRevision = excluded.compactRevision,
          digest = excluded.digest, authRevision = excluded.authRevision,
          authEnabledAt = excluded.authEnabledAt
        """)
    try statement.execute(arguments: [
      Int64(bitPattern: cluster), Int64(bitPattern: appliedIndex),
      Int64(bitPattern: appliedTerm), revision.rawValue, compactRevision.rawValue,
      Int64(bitPattern: digest), Int64(bitPattern: auth.revision),
      auth.enabledAt.map { Int64(bitPattern: $0) },
    ])
  }
}

extension Row {
  func bytes(_ index: Int) throws -> [UInt8] {
    try withUnsafeData(atIndex: index) { $0.map { [UInt8]($0) } ?? [] }
  }
}

extension Key {
  var data: Data { Data(bytes) }
}
