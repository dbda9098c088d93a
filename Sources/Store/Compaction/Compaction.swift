import GRDB

/// Removing versions that nobody may ask for any more.
///
/// A compaction at revision R is two things. The command in the log makes R the oldest revision that
/// can be read, at once and alike on every member. Afterwards each member removes rows on its own
/// account, a few at a time: the digest does not cover them.
///
/// What stays: every change after R, and each key as it stands at R. A deletion at R stays as well,
/// since a watch from R is still owed it (etcd issues 18089 and 19179).
struct Compaction {
  /// Rows that one batch looks at.
  static let batchRows = 1000

  let db: Database

  /// The compaction under way on this member: rows before `cursor` are done.
  private struct Progress {
    var target: Revision
    var cursor: Int64
  }

  /// Checks and begins a compaction; `state` has the new oldest revision afterwards.
  func begin(at revision: Revision, state: inout StorePosition) throws {
    guard revision > state.compactRevision, revision > Revision(0) else {
      throw StoreError.compacted(oldest: state.compactRevision)
    }
    guard revision <= state.revision else {
      throw StoreError.futureRevision(current: state.revision)
    }
    // One that is still under way goes on from where it is, to the later target.
    let former = state.compactRevision
    try db.cachedStatement(
      sql: """
        INSERT INTO compaction(id, target, cursor) VALUES (1, ?, ?)
        ON CONFLICT(id) DO UPDATE SET target = excluded.target,
          cursor = min(cursor, excluded.cursor)
        """
    ).execute(arguments: [revision.rawValue, Schema.rowID(former)])
    state.compactRevision = revision
  }

  /// Removes what the next rows make superfluous; false once nothing is left to do.
  func step() throws -> Bool {
    guard let progress = try progress() else { return false }
    let end = Schema.rowID(progress.target.next)
    let statement = try db.cachedStatement(
      sql: "SELECT id, key, version FROM history WHERE id >= ? AND id < ? ORDER BY id LIMIT ?")
    let rows = try Row.fetchAll(
      statement, arguments: [progress.cursor, end, Compaction.batchRows])
    for row in rows { try removeWhatPrecedes(row, target: progress.target) }
    if let last = rows.last, rows.count == Compaction.batchRows {
      try db.cachedStatement(sql: "UPDATE compaction SET cursor = ?")
        .execute(arguments: [(last[0] as Int64) + 1])
      return true
    }
    try db.cachedStatement(sql: "DELETE FROM compaction").execute()
    return false
  }

  private func removeWhatPrecedes(_ row: Row, target: Revision) throws {
    let id: Int64 = row[0]
    let key = try row.bytes(1)
    let revision = Schema.revision(ofRow: id)
    // All changes of the target are kept, also two of one key.
    let end = revision < target ? id : Schema.rowID(target)
    try db.cachedStatement(sql: "DELETE FROM history WHERE key = ? AND id < ?")
      .execute(arguments: [Key(key).data, end])
    let isDeletion = row[2] as Int64 == 0
    if isDeletion, revision < target {
      try db.cachedStatement(sql: "DELETE FROM history WHERE id = ?").execute(arguments: [id])
    }
  }

  private func progress() throws -> Progress? {
    let statement = try db.cachedStatement(sql: "SELECT target, cursor FROM compaction")
    return try Row.fetchOne(statement).map { row in
      Progress(target: Revision(row[0]), cursor: row[1])
    }
  }

  /// Superfluous rows may still be there.
  func isUnderWay() throws -> Bool { try progress() != nil }
}
