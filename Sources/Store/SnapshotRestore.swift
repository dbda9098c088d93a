import Foundation
import GRDB

/// What a saved snapshot holds.
package struct SnapshotFacts: Hashable, Sendable {
  package var revision: Revision
  package var compactRevision: Revision
  package var keys: Int
  package var bytes: Int64
  package var cluster: UInt64
}

extension KeyValueStore {
  /// Looks into the database of a saved snapshot, and checks it whole.
  ///
  /// - Throws: `StateDatabaseError`, or SQLite's error.
  /// - Complexity: O(*n*) in the database.
  package static func inspectSnapshot(_ path: String) throws -> SnapshotFacts {
    var configuration = Configuration()
    configuration.readonly = true
    return try DatabaseQueue(path: path, configuration: configuration).read { db in
      guard try Int.fetchOne(db, sql: "PRAGMA user_version") == Schema.version else {
        throw StateDatabaseError("the snapshot is of another version of this program")
      }
      guard try String.fetchOne(db, sql: "PRAGMA integrity_check") == "ok" else {
        throw StateDatabaseError("the snapshot is damaged")
      }
      let state = try StorePosition.read(db)
      let page = try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 0
      let count = try Int64.fetchOne(db, sql: "PRAGMA page_count") ?? 0
      return SnapshotFacts(
        revision: state.revision, compactRevision: state.compactRevision,
        keys: try Int.fetchOne(db, sql: "SELECT count(*) FROM current") ?? 0,
        bytes: page * count, cluster: state.cluster)
    }
  }

  /// Where the log of a restored cluster begins: behind an entry that nobody has. A member that joins later
  /// is so sent the state, which the log alone would not give it.
  package static let restoredIndex: UInt64 = 1

  /// Makes the database at `path` the state of a cluster that has not begun yet, in the state directory
  /// `directory`, which must not exist: keys, history and leases stay; who belonged to the former
  /// cluster, its alarms and its place in the log do not. Every founder begins with the same.
  ///
  /// The file at `path` is moved.
  package static func restoreSnapshot(
    _ path: String, into directory: String, cluster: UInt64
  ) throws {
    let queue = try DatabaseQueue(path: path)
    try queue.writeWithoutTransaction { db in
      try db.execute(sql: "PRAGMA synchronous = FULL")
      try db.inTransaction {
        try db.execute(
          sql: """
            DELETE FROM members; DELETE FROM removedMembers; DELETE FROM membership;
            DELETE FROM alarms; DELETE FROM integrity;
            UPDATE leases SET remaining = ttl, grantedAt = 0;
            """)
        try db.execute(
          sql: "UPDATE state SET cluster = ?, appliedIndex = ?, appliedTerm = ?",
          arguments: [
            Int64(bitPattern: cluster), Int64(bitPattern: restoredIndex),
            Int64(bitPattern: restoredIndex),
          ])
        return .commit
      }
      try db.execute(sql: "PRAGMA journal_mode = DELETE")
    }
    try queue.close()
    try StateDirectory(path: directory).keepRestored(path)
  }

  /// Gives a restored directory its name, for good.
  package static func keepRestored(_ unfinished: String, as path: String) throws {
    try StateDirectory.move(unfinished, to: path)
  }
}
