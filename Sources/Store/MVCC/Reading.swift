import Foundation
import GRDB

/// Reads of one connection, within its transaction.
struct Reading {
  let db: Database

  private static let columns = "h.id, h.createRevision, h.version, h.lease, h.key"

  /// The key as it stands now.
  func item(_ key: Key) throws -> KeyValue? {
    let statement = try db.cachedStatement(
      sql: """
        SELECT \(Reading.columns), h.value FROM current c CROSS JOIN history h ON h.id = c.id
        WHERE c.key = ?
        """)
    return try Row.fetchOne(statement, arguments: [key.data]).map(Reading.item)
  }

  /// The key as it stood before the change in row `id`.
  func item(_ key: Key, beforeRow id: Int64) throws -> KeyValue? {
    let statement = try db.cachedStatement(
      sql: """
        SELECT \(Reading.columns), h.value FROM history h WHERE h.key = ? AND h.id < ?
        ORDER BY h.id DESC LIMIT 1
        """)
    let found = try Row.fetchOne(statement, arguments: [key.data, id]).map(Reading.item)
    return found.flatMap { $0.version == 0 ? nil : $0 }
  }

  /// - Complexity: O(log *n*) and the keys of the range; with a limit and no bounds or order, the
  ///   keys returned and one count.
  func range(_ query: RangeQuery, current: StorePosition) throws -> RangeResult {
    try query.check(against: current)
    if query.range.isEmpty { return RangeResult(items: [], count: 0, hasMore: false) }
    let isHistoric = query.revision.map { $0 > Revision(0) && $0 < current.revision } ?? false
    let source = Source(query: query, isHistoric: isHistoric)
    if query.content == .countOnly {
      return RangeResult(items: [], count: try count(source), hasMore: false)
    }
    let isSimple =
      query.sort == nil && query.modBounds.isUnlimited && query.createBounds.isUnlimited
    // One more than asked for tells whether there are more.
    let items = try fetch(
      source, limit: isSimple ? query.limit.flatMap { $0 < .max ? $0 + 1 : nil } : nil)
    return try select(from: items, query: query, source: source, isSimple: isSimple)
  }

  private func select(
    from items: [KeyValue], query: RangeQuery, source: Source, isSimple: Bool
  ) throws -> RangeResult {
    var items = items
    var total = items.count
    if isSimple, let limit = query.limit, items.count > limit { total = try count(source) }
    items.removeAll {
      !query.modBounds.contains($0.modRevision) || !query.createBounds.contains($0.createRevision)
    }
    if let sort = query.sort { items = sort.apply(to: items) }
    var hasMore = false
    if let limit = query.limit, items.count > limit {
      items.removeLast(items.count - limit)
      hasMore = true
    }
    if query.content == .keysOnly { for index in items.indices { items[index].value = [] } }
    return RangeResult(items: items, count: total, hasMore: hasMore)
  }

  /// The rows that a query means: newest ones, or the newest at a revision.
  private struct Source {
    var rows: String
    var arguments: [any DatabaseValueConvertible]
    var withoutValues: Bool

    init(query: RangeQuery, isHistoric: Bool) {
      let condition: String
      switch query.range {
      case .single(let key):
        condition = "key = ?"
        arguments = [key.data]
      case .between(let start, let end):
        condition = "key >= ? AND key < ?"
        arguments = [start.data, end.data]
      case .from(let start):
        condition = "key >= ?"
        arguments = [start.data]
      }
      if isHistoric, let revision = query.revision {
        rows = """
          (SELECT max(id) AS id, key FROM history WHERE \(condition) AND id < ? GROUP BY key)
          """
        arguments.append(Schema.rowID(revision.next))
      } else {
        rows = "(SELECT id, key FROM current WHERE \(condition))"
      }
      let sortsByValue = query.sort?.target == .value
      withoutValues = query.content == .keysOnly && !sortsByValue
    }
  }

  private func count(_ source: Source) throws -> Int {
    let statement = try db.cachedStatement(
      sql: """
        SELECT count(*) FROM \(source.rows) c CROSS JOIN history h ON h.id = c.id
        WHERE h.version > 0
        """)
    return try Int.fetchOne(statement, arguments: StatementArguments(source.arguments)) ?? 0
  }

  private func fetch(_ source: Source, limit: Int?) throws -> [KeyValue] {
    let value = source.withoutValues ? "NULL" : "h.value"
    let cut = limit == nil ? "" : "LIMIT ?"
    let statement = try db.cachedStatement(
      sql: """
        SELECT \(Reading.columns), \(value) FROM \(source.rows) c
        CROSS JOIN history h ON h.id = c.id WHERE h.version > 0 ORDER BY c.key \(cut)
        """)
    let arguments = source.arguments + (limit.map { [$0] } ?? [])
    var items: [KeyValue] = []
    let rows = try Row.fetchCursor(statement, arguments: StatementArguments(arguments))
    while let row = try rows.next() { items.append(try Reading.item(row)) }
    return items
  }

  static func item(_ row: Row) throws -> KeyValue {
    KeyValue(
      key: Key(try row.bytes(4)), value: try row.bytes(5), createRevision: Revision(row[1]),
      modRevision: Schema.revision(ofRow: row[0]), version: row[2], lease: row[3])
  }
}

extension RangeQuery {
  /// Whether its revision can be read.
  func check(against state: StorePosition) throws(StoreError) {
    guard let revision else { return }
    if revision > state.revision { throw .futureRevision(current: state.revision) }
    // As in etcd, whose oldest revision is -1 before the first compaction.
    let oldest = state.compactRevision > Revision(0) ? state.compactRevision : Revision(-1)
    if revision < oldest { throw .compacted(oldest: state.compactRevision) }
  }
}

extension RangeQuery.Sort {
  /// Items in this order; equal ones stay in the order of their keys.
  func apply(to items: [KeyValue]) -> [KeyValue] {
    func precedes(_ left: KeyValue, _ right: KeyValue) -> Bool {
      switch target {
      case .key: left.key < right.key
      case .version: left.version < right.version
      case .create: left.createRevision < right.createRevision
      case .mod: left.modRevision < right.modRevision
      case .value: left.value.lexicographicallyPrecedes(right.value)
      }
    }
    return switch order {
    case .ascending: items.sorted(by: precedes)
    case .descending: items.sorted { precedes($1, $0) }
    }
  }
}
