import Foundation
import GRDB
import Synchronization

/// Copies of the whole state: made for others, received from them, and made durable.
extension KeyValueStore {
  /// Makes everything applied durable, so that the log may be cut up to the returned position.
  ///
  /// A commit under full syncs makes the write-ahead log durable, and with it every commit before;
  /// unlike a checkpoint it waits for no reader. The result is read again on another connection.
  package func makeDurable() throws -> StorePosition {
    let database = newest
    let state = try database.withWriter { db in
      try db.execute(sql: "PRAGMA synchronous = FULL")
      defer {
        // Staying at FULL would be slower, and no less safe.
        try? db.execute(sql: "PRAGMA synchronous = NORMAL")
      }
      return try StateDatabase.writeSomething(db)
    }
    let readAgain = try database.read(StorePosition.read)
    guard readAgain.appliedIndex >= state.appliedIndex else {
      throw StateDatabaseError("a sync lost applied entries")
    }
    durableIndex.withLock { $0 = state.appliedIndex }
    return state
  }

  /// Writes a consistent copy of the whole state to a new file.
  package func writeSnapshot(to path: String) throws -> StorePosition {
    removeSnapshot(at: path)
    let copy = try DatabaseQueue(path: path)
    defer { try? copy.close() }
    try newest.backup(to: copy)
    try copy.writeWithoutTransaction { db in
      try db.execute(sql: "PRAGMA journal_mode = DELETE")
    }
    return try copy.read(StorePosition.read)
  }

  /// Where a snapshot that is being received from, or sent to, a member is written: another file
  /// each time, for a late stream must not meet the one after it.
  package func incomingPath(from member: UInt64) -> String {
    directory.path + "/incoming-\(member)-\(UUID().uuidString).db"
  }
  package func outgoingPath(to member: UInt64) -> String {
    directory.path + "/outgoing-\(member)-\(UUID().uuidString).db"
  }

  /// Removes a snapshot file that is no longer needed; what stays is removed at the next start.
  package func removeSnapshot(at path: String) { try? FileManager.default.removeItem(atPath: path) }

  /// Checks a received snapshot and keeps it, durable, until `installSnapshot`.
  ///
  /// - Returns: who votes by what the snapshot holds.
  package func prepareSnapshot(at path: String, index: UInt64) throws -> StoredMembership {
    let (state, membership) = try DatabaseQueue(path: path).read { db in
      guard try Int.fetchOne(db, sql: "PRAGMA user_version") == Schema.version,
        try String.fetchOne(db, sql: "PRAGMA quick_check") == "ok"
      else { throw StateDatabaseError("the received snapshot is damaged or of another version") }
      return (try StorePosition.read(db), try StoredMembership.read(db))
    }
    guard state.cluster == current.cluster, state.appliedIndex == index, let membership else {
      throw StateDatabaseError("the received snapshot is of index \(state.appliedIndex)")
    }
    try directory.keepPrepared(path, index: index)
    return membership
  }

  /// Replaces the state by the prepared snapshot of `index`; the log must already begin after it.
  package func installSnapshot(index: UInt64) throws {
    let path = try directory.promotePrepared(index: index)
    let opened = try StateDatabase(path: path)
    let state = try opened.write(StorePosition.read)
    try opened.withWriter(Schema.verify)
    let isCompacting = try opened.read { try Compaction(db: $0).isUnderWay() }
    let ground = try opened.read(Applying.Ground.read)
    compacting.withLock { $0 = isCompacting }
    ItemCache.free(head.withLock { $0.forget() })
    // Readers of the former state finish on it; its file is removed at the next start.
    database.withLock { $0 = opened }
    authState.withLock { $0 = ground.auth }
    refusing.withLock { $0 = ground.alarms }
    head.withLock { $0.replace(by: state) }
    durableIndex.withLock { $0 = state.appliedIndex }
  }

  /// Finishes an installation that a crash interrupted, where the log says that it began.
  package func recoverInstallation(logBase: UInt64) throws {
    if current.appliedIndex < logBase, try directory.hasPrepared(index: logBase) {
      try installSnapshot(index: logBase)
    }
  }

  /// Removes what a crash left behind; nothing of it is in use.
  package func removeLeftovers() throws { try directory.removeLeftovers() }
}
