import GRDB

/// Events of some revisions, all of each.
package struct EventHistory: Sendable {
  /// Ascending by revision; a revision without an event of the range does not appear.
  package var batches: [EventBatch]
  /// Every event before this revision is in `batches` or was read before.
  package var next: Revision
}

/// What one revision changed.
package struct EventBatch: Hashable, Sendable {
  package var revision: Revision
  /// In the order of the operations.
  package var events: [KeyEvent]
}

extension Reading {
  /// Changes in `range` from revision `start` on, until about `maximumBytes`, at the end of a
  /// revision.
  ///
  /// - Complexity: O(changes since `start`) for a range, O(changes of the key) for one key.
  func events(
    in range: KeyRange, from start: Revision, withPrevious: Bool, maximumBytes: Int,
    current: StorePosition
  ) throws -> EventHistory {
    var sql = """
      SELECT h.id, h.createRevision, h.version, h.lease, h.key, h.value FROM history h
      WHERE h.id >= ?
      """
    var arguments: StatementArguments = [Schema.rowID(start)]
    if case .single(let key) = range {
      sql += " AND h.key = ?"
      arguments += [key.data]
    }
    let rows = try Row.fetchCursor(
      try db.cachedStatement(sql: sql + " ORDER BY h.id"), arguments: arguments)
    var batches: [EventBatch] = []
    var bytes = 0
    while let row = try rows.next() {
      let revision = Schema.revision(ofRow: row[0])
      if bytes > maximumBytes, batches.last?.revision != revision {
        return EventHistory(batches: batches, next: revision)
      }
      let item = try Reading.item(row)
      guard range.contains(item.key) else { continue }
      // What was before the oldest revision that can be read is gone, or is about to go.
      let hasPrevious = withPrevious && revision > current.compactRevision
      let previous =
        hasPrevious ? try self.item(item.key, beforeRow: Schema.rowID(revision)) : nil
      let change: KeyEvent.Change =
        item.version == 0 ? .delete(item.key, at: revision) : .put(item)
      let event = KeyEvent(change, previous: previous)
      bytes += event.byteCount
      if batches.last?.revision == revision {
        batches[batches.count - 1].events.append(event)
      } else {
        batches.append(EventBatch(revision: revision, events: [event]))
      }
    }
    return EventHistory(batches: batches, next: current.revision.next)
  }
}
