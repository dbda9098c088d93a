import BinaryCoding
import Foundation
import GRDB

/// Carries out one command at one revision, within a transaction of the writer connection.
struct Writing {
  let db: Database
  let reading: Reading
  let leases: LeaseTable
  /// The state before the command.
  let before: StorePosition
  /// Keys as they stood then, as far as they are known without the database.
  private let known: KnownItems
  /// nil where nothing is to be written.
  private let versions: VersionWriter?
  /// What the command has changed so far, in order.
  private(set) var events: [KeyEvent] = []
  /// What each key that has changed was before the command.
  private var former: [Key: KeyValue?] = [:]
  private var readBytesLeft = TransactionLimits.readBytes

  init(
    db: Database, before: StorePosition, known: KnownItems = .none, versions: VersionWriter? = nil
  ) {
    self.db = db
    self.versions = versions
    self.known = known
    self.reading = Reading(db: db)
    self.leases = LeaseTable(db: db)
    self.before = before
  }

  private var revision: Revision { before.revision.next }

  /// The state after the command, its log position aside.
  var after: StorePosition {
    guard !events.isEmpty else { return before }
    var after = before
    after.revision = revision
    for event in events { after.digest = event.digest(after: after.digest) }
    return after
  }

  /// Carries out a whole request: its branches are chosen, and what could fail in them is checked,
  /// before anything is written.
  mutating func run(_ request: Operation) throws -> OperationResult {
    switch request {
    case .transaction(let transaction):
      let path = try self.path(of: transaction)
      try checkPuts(of: transaction, path)
      try checkRanges(of: transaction, path)
      return .transaction(try run(transaction, path))
    case .put(let put):
      if put.key.bytes.isEmpty { throw StoreError.emptyKey }
      try checkLease(of: put)
      try checkKey(of: put)
      return .put(previous: try run(put))
    case .range(let query): return .range(try reading.range(query, current: seen))
    case .delete(let delete):
      if delete.range.start.bytes.isEmpty { throw StoreError.emptyKey }
      return try run(delete)
    }
  }

  private var seen: StorePosition {
    var seen = before
    if !events.isEmpty { seen.revision = revision }
    return seen
  }

  /// The key as the operations before have left it.
  private func item(_ key: Key) throws -> KeyValue? {
    if former[key] == nil {
      switch known.find(key) {
      case .item(let item): return item
      case .absent: return nil
      case .unknown: break
      }
    }
    return try reading.item(key)
  }

  private mutating func run(_ put: PutRequest) throws -> KeyValue? {
    let previous = try item(put.key)
    // It was there when that was checked, and an earlier operation has deleted it.
    if previous == nil, put.value == .keep || put.lease == .keep { throw StoreError.keyNotFound }
    let lease: Int64 =
      if case .set(let wanted) = put.lease { wanted } else { previous?.lease ?? 0 }
    let value: [UInt8] =
      if case .set(let value) = put.value { value } else { previous?.value ?? [] }
    let item = KeyValue(
      key: put.key, value: value, createRevision: previous?.createRevision ?? revision,
      modRevision: revision, version: (previous?.version ?? 0) + 1, lease: lease)
    try leases.move(put.key, from: previous?.lease ?? 0, to: lease)
    let id = try insert(item)
    try versions?.point(put.key, to: id)
    note(.put(item), of: put.key, previous: previous)
    return put.returnsPrevious ? previous : nil
  }

  mutating func run(_ delete: DeleteRequest) throws -> OperationResult {
    let doomed = try reading.range(RangeQuery(delete.range), current: seen).items
    let remove = try db.cachedStatement(sql: "DELETE FROM current WHERE key = ?")
    for item in doomed {
      let tombstone = KeyValue(
        key: item.key, value: [], createRevision: Revision(0), modRevision: revision, version: 0,
        lease: 0)
      _ = try insert(tombstone)
      try leases.move(item.key, from: item.lease, to: 0)
      try remove.execute(arguments: [item.key.data])
      note(.delete(item.key, at: revision), of: item.key, previous: item)
    }
    return .delete(count: doomed.count, previous: delete.returnsPrevious ? doomed : [])
  }

  private mutating func note(
    _ change: KeyEvent.Change, of key: Key, previous: KeyValue?
  ) {
    let first = former[key, default: previous]
    former[key] = .some(first)
    events.append(KeyEvent(change, previous: first))
  }

  // MARK: - Transactions

  private mutating func run(_ transaction: Transaction, _ path: Path) throws -> TransactionResult {
    var results: [OperationResult] = []
    var nested = path.nested[...]
    for operation in path.branch(of: transaction) {
      switch operation {
      // A read inside a transaction sees what the operations before it wrote.
      case .range(let query): results.append(.range(try read(query)))
      case .put(let put): results.append(.put(previous: try run(put)))
      case .delete(let delete): results.append(try run(delete))
      case .transaction(let inner):
        results.append(.transaction(try run(inner, nested.removeFirst())))
      }
    }
    return TransactionResult(hasSucceeded: path.holds, results: results)
  }

  /// Which branch is taken by a transaction, and by those in that branch, in their order.
  private struct Path {
    var holds: Bool
    var nested: [Path]

    func branch(of transaction: Transaction) -> [Operation] {
      holds ? transaction.success : transaction.failure
    }
  }

  /// Every compare, those of nested transactions among them, is of the state before the whole: no
  /// operation decides about another (as in etcd).
  private mutating func path(of transaction: Transaction) throws -> Path {
    var holds = true
    for compare in transaction.compares where holds { holds = try self.holds(compare) }
    var path = Path(holds: holds, nested: [])
    for case .transaction(let inner) in path.branch(of: transaction) {
      path.nested.append(try self.path(of: inner))
    }
    return path
  }

  /// A range, as long as the transaction has not read too much.
  private mutating func read(_ query: RangeQuery) throws -> RangeResult {
    let result = try reading.range(query, current: seen)
    let bytes = result.items.reduce(0) { $0 + $1.key.bytes.count + $1.value.count + 64 }
    readBytesLeft -= bytes + 16 * result.count
    guard readBytesLeft >= 0 else {
      throw StoreError.readsTooMuch(limit: TransactionLimits.readBytes)
    }
    return result
  }

  private func checkPuts(of transaction: Transaction, _ path: Path) throws {
    var nested = path.nested[...]
    for operation in path.branch(of: transaction) {
      if case .put(let put) = operation {
        try checkKey(of: put)
        try checkLease(of: put)
      } else if case .transaction(let inner) = operation {
        try checkPuts(of: inner, nested.removeFirst())
      }
    }
  }

  private func checkRanges(of transaction: Transaction, _ path: Path) throws {
    var nested = path.nested[...]
    for operation in path.branch(of: transaction) {
      if case .range(let query) = operation {
        try query.check(against: before)
      } else if case .transaction(let inner) = operation {
        try checkRanges(of: inner, nested.removeFirst())
      }
    }
  }

  private func checkKey(of put: PutRequest) throws {
    guard put.value == .keep || put.lease == .keep else { return }
    if try item(put.key) == nil { throw StoreError.keyNotFound }
  }

  private func checkLease(of put: PutRequest) throws {
    guard case .set(let lease) = put.lease, lease != 0 else { return }
    if try leases.lease(lease) == nil { throw StoreError.leaseNotFound }
  }

  private mutating func holds(_ compare: Compare) throws -> Bool {
    let items: [KeyValue]
    if case .single(let key) = compare.range {
      items = try item(key).map { [$0] } ?? []
    } else {
      items = try read(RangeQuery(compare.range)).items
    }
    // A missing key, and an empty range, compares as zero, and as no value at all.
    if items.isEmpty { return compare.holdsWithoutKey }
    return items.allSatisfy(compare.holds)
  }

  private func insert(_ item: KeyValue) throws -> Int64 {
    let position = Int64(events.count)
    guard position <= Schema.maximumPosition else {
      throw StoreError.tooManyOperations(limit: Int(Schema.maximumPosition))
    }
    guard let versions else { throw StateDatabaseError("what only reads has written") }
    let id = Schema.rowID(revision, position)
    try versions.add(item, row: id)
    return id
  }
}

extension Compare {
  func holds(_ item: KeyValue) -> Bool {
    switch target {
    case .version(let version): relation.holds(item.version, version)
    case .create(let revision): relation.holds(item.createRevision, revision)
    case .mod(let revision): relation.holds(item.modRevision, revision)
    case .lease(let lease): relation.holds(item.lease, lease)
    case .value(let value): relation.holds(Key(item.value), Key(value))
    }
  }

  var holdsWithoutKey: Bool {
    switch target {
    case .version(let version): relation.holds(0, version)
    case .create(let revision), .mod(let revision): relation.holds(Revision(0), revision)
    case .lease(let lease): relation.holds(0, lease)
    case .value: false
    }
  }
}

extension Compare.Relation {
  func holds<Value: Comparable>(_ found: Value, _ wanted: Value) -> Bool {
    switch self {
    case .equal: found == wanted
    case .greater: found > wanted
    case .less: found < wanted
    case .notEqual: found != wanted
    }
  }
}

extension KeyEvent {
  /// What this event adds to the running digest of the store.
  func digest(after previous: UInt64) -> UInt64 {
    var writer = ByteWriter(reservingCapacity: 64)
    switch change {
    case .delete(let key, let revision):
      writer.write(key.bytes)
      writer.write(revision.rawValue)
    case .put(let item):
      writer.write(item.key.bytes)
      writer.write(item.modRevision.rawValue)
      writer.write(item.createRevision.rawValue)
      writer.write(item.version)
      writer.write(item.lease)
      writer.write(item.value)
    }
    return chainHash(writer.bytes[...], after: previous)
  }
}
