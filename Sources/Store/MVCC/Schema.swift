// The state database.
//
// `history` holds every version of every key; its rowid is revision << 24 | position of the change
// in its transaction, so that rowids ascend in the order of events and a watch from a revision is
// one scan. A row with version 0 is a deletion. `current` maps each live key to its newest row.
// `leaseKeys` has a row for each live key that hangs on a lease, as its newest row says too.
// `compaction` has a row while superfluous rows of `history` are being removed: this member's own.
// `integrity` has what each member reported on its state, by the newest check that it answered.
// `membership` has one row: who votes, in the log's own encoding, and the entry that said so.
// `state` has one row: what has been applied, and the revision, stored and never derived.

import GRDB

enum Schema {
  static let version = 6
  static let positionBits: Int64 = 24
  static let maximumPosition: Int64 = 1 << positionBits - 1

  static func rowID(_ revision: Revision, _ position: Int64 = 0) -> Int64 {
    revision.rawValue << positionBits | position
  }

  static func revision(ofRow id: Int64) -> Revision { Revision(id >> positionBits) }

  static func create(_ db: Database) throws {
    try db.execute(
      sql: """
        CREATE TABLE history(
          id INTEGER PRIMARY KEY, key BLOB NOT NULL, createRevision INTEGER NOT NULL,
          version INTEGER NOT NULL, lease INTEGER NOT NULL, value BLOB);
        CREATE INDEX historyByKey ON history(key, id);
        CREATE TABLE current(key BLOB PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE leases(
          id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL, remaining INTEGER NOT NULL,
          grantedAt INTEGER NOT NULL);
        CREATE TABLE leaseKeys(lease INTEGER NOT NULL, key BLOB NOT NULL, PRIMARY KEY(lease, key))
          WITHOUT ROWID;
        CREATE TABLE alarms(
          member INTEGER NOT NULL, kind INTEGER NOT NULL, fenced INTEGER NOT NULL,
          PRIMARY KEY(member, kind))
          WITHOUT ROWID;
        CREATE TABLE integrity(
          member INTEGER PRIMARY KEY, logIndex INTEGER NOT NULL, hash INTEGER NOT NULL);
        CREATE TABLE users(
          name BLOB PRIMARY KEY, password TEXT, since INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE roles(name BLOB PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE userRoles(
          user BLOB NOT NULL, role BLOB NOT NULL, PRIMARY KEY(user, role)) WITHOUT ROWID;
        CREATE TABLE permissions(
          role BLOB NOT NULL, start BLOB NOT NULL, rangeEnd BLOB NOT NULL, kind INTEGER NOT NULL,
          PRIMARY KEY(role, start, rangeEnd)) WITHOUT ROWID;
        CREATE TABLE compaction(
          id INTEGER PRIMARY KEY CHECK(id = 1), target INTEGER NOT NULL, cursor INTEGER NOT NULL);
        CREATE TABLE members(
          id INTEGER PRIMARY KEY, name TEXT NOT NULL, clientURLs TEXT NOT NULL,
          peerURLs TEXT NOT NULL, votes INTEGER NOT NULL DEFAULT 0);
        CREATE TABLE removedMembers(id INTEGER PRIMARY KEY);
        CREATE TABLE membership(
          id INTEGER PRIMARY KEY CHECK(id = 1), logIndex INTEGER NOT NULL, voters BLOB NOT NULL);
        CREATE TABLE state(
          id INTEGER PRIMARY KEY CHECK(id = 1), cluster INTEGER NOT NULL,
          appliedIndex INTEGER NOT NULL, appliedTerm INTEGER NOT NULL,
          revision INTEGER NOT NULL, compactRevision INTEGER NOT NULL, digest INTEGER NOT NULL,
          authRevision INTEGER NOT NULL, authEnabledAt INTEGER);
        PRAGMA user_version = \(version);
        """)
  }

  /// How long another program may hold the database, a backup tool for instance: a member that finds it locked
  /// for longer ends.
  private static let busySeconds = 10

  /// The settings that the promises rest on, set and read back: SQLite ignores some silently.
  static func configuration(readers: Int) -> Configuration {
    var configuration = Configuration()
    configuration.maximumReaderCount = readers
    configuration.busyMode = .timeout(Double(busySeconds))
    configuration.prepareDatabase { db in
      try db.execute(
        sql: """
          PRAGMA synchronous = NORMAL;
          PRAGMA wal_autocheckpoint = 0;
          PRAGMA trusted_schema = OFF;
          PRAGMA cell_size_check = ON;
          PRAGMA mmap_size = 0;
          """)
    }
    return configuration
  }

  static func verify(_ db: Database) throws {
    let mode = try String.fetchOne(db, sql: "PRAGMA journal_mode")
    let synchronous = try Int.fetchOne(db, sql: "PRAGMA synchronous")
    let busy = try Int.fetchOne(db, sql: "PRAGMA busy_timeout")
    let found = try Int.fetchOne(db, sql: "PRAGMA user_version")
    guard mode == "wal", synchronous == 1, busy == 1_000 * busySeconds else {
      throw StateDatabaseError(
        "journal mode \(mode ?? "-"), synchronous \(synchronous ?? -1), busy timeout \(busy ?? -1)")
    }
    guard found == version else {
      throw StateDatabaseError("its format is version \(found ?? 0), this program reads \(version)")
    }
  }
}

/// The state database can't be used; the member must not go on.
package struct StateDatabaseError: Error, CustomStringConvertible {
  package var reason: String
  init(_ reason: String) { self.reason = reason }
  package var description: String { "the state database can't be used: \(reason)" }
}
