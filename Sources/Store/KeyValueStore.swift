import Foundation
import GRDB
import Synchronization

/// The replicated state machine: a multi-version key-value store in SQLite.
///
/// The same entries give the same state, results and digest on every member. Entries are applied by
/// one caller, in order; the applied index is written in the transaction of its effects. Reads run
/// beside it on connections of their own and see whole applied batches, or in memory what was used last.
package final class KeyValueStore: Sendable {
  let database: Mutex<StateDatabase>
  let head: Mutex<StoreHead>
  let authState: Mutex<AuthState>
  /// The kinds of alarm for which writes are refused.
  let refusing: Mutex<Set<Alarm.Kind>>
  let durableIndex = Mutex<UInt64>(0)
  let compacting: Mutex<Bool>
  let directory: StateDirectory

  /// Opens the state in `directory`, made if missing.
  ///
  /// - Throws: `StateDatabaseError`, or SQLite's own error; nothing is repaired silently.
  package init(directory path: String, cluster: UInt64) throws {
    directory = try StateDirectory(path: path)
    let opened = try StateDatabase(path: try directory.currentPath)
    let state = try opened.write { db in
      if try Int.fetchOne(db, sql: "PRAGMA user_version") == 0 {
        try Schema.create(db)
        try StorePosition.empty(cluster: cluster).write(db)
      }
      return try StorePosition.read(db)
    }
    guard state.cluster == cluster else {
      throw StateDatabaseError(
        "it belongs to cluster \(String(state.cluster, radix: 16)), not "
          + String(cluster, radix: 16)
          + ". Check --data-dir, --initial-cluster and --initial-cluster-token")
    }
    try opened.withWriter(Schema.verify)
    compacting = Mutex(try opened.read { try Compaction(db: $0).isUnderWay() })
    let ground = try opened.read(Applying.Ground.read)
    authState = Mutex(ground.auth)
    refusing = Mutex(ground.alarms)
    database = Mutex(opened)
    head = Mutex(StoreHead(state))
  }

  /// Where the store stands: applied, and told; the database may be behind.
  package var current: StorePosition { head.withLock { $0.position } }

  /// Entries through this one survive a loss of power, as far as this process has asked for it.
  package var durable: UInt64 { durableIndex.withLock { $0 } }

  // MARK: - Apply

  /// Applies `commands` and returns what each did; `commit` is to follow some time.
  ///
  /// A command's failure is its outcome. A thrown error means that the database failed: nothing of
  /// the batch is applied, nor of those before it that were not committed, and the member must stop.
  package func apply(_ commands: [LogCommand]) throws -> [AppliedCommand] {
    let before = Applying.Ground(
      position: current, auth: auth, alarms: refusing.withLock { $0 })
    let known = KnownItems { [self] key in head.withLock { $0.find(key) } }
    var released: ItemCache?
    let (applied, _) = try newest.extend(
      { db in
        var applying = try Applying(db: db, on: before, known: known)
        let applied = try commands.compactMap { try applying.apply($0) }
        return ((applied, applying.ground), applying.state)
      },
      publish: { applied, after in
        if after.auth.version != before.auth.version { authState.withLock { $0 = after.auth } }
        if after.alarms != before.alarms { refusing.withLock { $0 = after.alarms } }
        released = head.withLock { $0.advance(to: after.position, after: applied) }
        if after.position.compactRevision > before.position.compactRevision {
          compacting.withLock { $0 = true }
        }
      })
    ItemCache.free(released)
    // Who is told of these reads them at once: the member's loop, which must wait for nobody.
    let mustCommit =
      applied.contains { $0.changesMembers || $0.changesAlarms }
      || commands.contains { $0.membership != nil }
    if mustCommit { try commit() }
    return applied
  }

  /// Commits to the database what was applied: until then the log alone can bring it back.
  ///
  /// - Returns: whether there was anything; a reader may have committed it already.
  @discardableResult
  package func commit() throws -> Bool { try newest.commit() }

  /// Moves what was committed to the database file, once it is much; waits for the disk.
  package func checkpointIfDue() throws { try newest.checkpointIfDue() }

  /// A small command that is applied now waits for no disk, lock or other thread.
  package var isOpen: Bool { newest.isOpen }

  /// Leaves the database as a process does that dies here: nothing more is written by this store.
  package func abandon() { newest.abandon() }

  var newest: StateDatabase { database.withLock { $0 } }

  /// Removes some of the versions that a compaction has made superfluous.
  ///
  /// - Complexity: O(`Compaction.batchRows` log *n*).
  package func removeCompacted() throws {
    let isUnderWay = try newest.write { try Compaction(db: $0).step() }
    compacting.withLock { $0 = isUnderWay }
  }

  /// Versions that a compaction has made superfluous may still be there.
  package var isCompacting: Bool { compacting.withLock { $0 } }

  // MARK: - Reads

  /// The newest version of one key, if it is known without the database: never blocks.
  ///
  /// - Returns: nil for any other query, and where the key has to be read.
  /// - Throws: `StoreError.auth`.
  package func cachedRange(
    _ query: RangeQuery, for caller: Caller = .cluster
  ) throws(StoreError) -> (result: RangeResult, state: StorePosition)? {
    guard case .single(let key) = query.range, query.isOfNewest else { return nil }
    let (found, state, retired) = head.withLock { ($0.find(key), $0.position, $0.takeRetired()) }
    if let retired { ItemCache.free(retired) }
    if case .unknown = found { return nil }
    let auth = auth
    // Permissions that are changing at this moment are read with the key.
    guard auth.version == state.auth else { return nil }
    try auth.rights(of: caller).checkRead(query.range)
    var result = RangeResult(items: [], count: 0, hasMore: false)
    if case .item(var item) = found {
      result.count = 1
      if query.content == .keysOnly { item.value = [] }
      if query.content != .countOnly { result.items = [item] }
    }
    return (result, state)
  }

  /// - Throws: `StoreError.compacted`, `.futureRevision`, `.emptyKey`, `.auth`, or SQLite's error.
  package func range(
    _ query: RangeQuery, for caller: Caller = .cluster
  ) throws -> (result: RangeResult, state: StorePosition) {
    if query.range.start.bytes.isEmpty { throw StoreError.emptyKey }
    return try cachedRange(query, for: caller) ?? readRange(query, for: caller)
  }

  /// As `range`, from the database whatever the cache holds.
  func readRange(
    _ query: RangeQuery, for caller: Caller = .cluster
  ) throws -> (result: RangeResult, state: StorePosition) {
    let generation = head.withLock { $0.generation }
    let (result, state) = try read { db, state in
      try auth(in: db, state).rights(of: caller).checkRead(query.range)
      return (try Reading(db: db).range(query, current: state), state)
    }
    if case .single(let key) = query.range, query.isOfNewest, query.content == .full {
      let retired = head.withLock {
        $0.read(key, result.items.first, at: state.revision, generation: generation)
        return $0.takeRetired()
      }
      if let retired { ItemCache.free(retired) }
    }
    return (result, state)
  }

  /// Runs a transaction that only reads; nil if it would write.
  package func evaluate(
    _ transaction: Transaction, for caller: Caller = .cluster
  ) throws -> (result: TransactionResult, state: StorePosition)? {
    guard transaction.isReadOnly else { return nil }
    try transaction.validate()
    return try read { db, state in
      let rights = try auth(in: db, state).rights(of: caller)
      var check = AuthorizationCheck(rights: rights, leases: nil)
      try check.check(transaction)
      var writing = Writing(db: db, before: state)
      guard case .transaction(let result) = try writing.run(.transaction(transaction)) else {
        throw StateDatabaseError("a transaction gave another result")
      }
      return (result, state)
    }
  }

  package func events(
    in range: KeyRange, from start: Revision, withPrevious: Bool, maximumBytes: Int
  ) throws -> EventHistory {
    try read { db, state in
      if start < state.compactRevision {
        throw StoreError.compacted(oldest: state.compactRevision)
      }
      if start > state.revision { return EventHistory(batches: [], next: start) }
      return try Reading(db: db).events(
        in: range, from: start, withPrevious: withPrevious, maximumBytes: maximumBytes,
        current: state)
    }
  }

  /// The permissions as of what was applied last.
  package var auth: AuthState { authState.withLock { $0 } }

  /// The permissions of the very state that is being read.
  private func auth(in db: Database, _ state: StorePosition) throws -> AuthState {
    let newest = auth
    return newest.version == state.auth ? newest : try AuthTable(db: db).read()
  }

  /// The alarms, ascending by member and kind.
  package func alarms() throws -> [Alarm] { try read { db, _ in try AlarmTable(db: db).all() } }

  /// The kinds of alarm for which writes are refused.
  package var refusingAlarms: Set<Alarm.Kind> { refusing.withLock { $0 } }

  /// Whether this member's state was found to differ while the others agree: what it has is not to be shown
  /// to anybody.
  package func isFenced(_ member: UInt64) throws -> Bool {
    try newest.readCommitted { try AlarmTable(db: $0).fenced().contains(member) }
  }

  /// The state as it is now, for a hash of it while more is applied.
  ///
  /// - Throws: SQLite's error.
  package func stateSnapshot() throws -> StateSnapshot {
    StateSnapshot(of: try newest.snapshot())
  }

  /// A hash of what can be read up to a revision, the newest if none is given; equal on members at the
  /// same revision and compaction.
  ///
  /// - Throws: `StoreError.compacted` or `.futureRevision`.
  /// - Complexity: O(*n*) in the versions.
  package func hash(
    through revision: Revision?
  ) throws -> (hash: UInt32, state: StorePosition) {
    try read { db, state in
      var query = RangeQuery(.from(Key([0])))
      query.revision = revision
      try query.check(against: state)
      let hash = try Reading(db: db).hash(through: revision ?? state.revision, current: state)
      return (hash, state)
    }
  }

  /// Gives free pages of the database back to the file system. Whole or not at all: SQLite's VACUUM is a
  /// transaction.
  ///
  /// - Throws: SQLite's error, for instance that the disk has no room for a second copy.
  /// - Complexity: O(*n*) in the database; nothing is applied meanwhile.
  package func defragment() throws {
    let database = newest
    try database.vacuum()
    // The write-ahead log has grown to a second copy; while somebody reads it stays until later.
    try database.checkpoint(.truncate)
  }

  /// The leases, ascending by id.
  package func leases() throws -> [Lease] { try read { db, _ in try LeaseTable(db: db).all() } }

  /// A lease and its keys, ascending; nil if there is none of that id.
  package func lease(_ id: Int64) throws -> (lease: Lease, keys: [Key])? {
    try read { db, _ in
      let table = LeaseTable(db: db)
      return try table.lease(id).map { ($0, try table.keys(of: id)) }
    }
  }

  /// The members, ascending by id, with their addresses: as they were committed, which is before anybody is
  /// told of a change.
  package func members() throws -> [StoredMember] {
    try newest.readCommitted(StoredMember.readAll)
  }

  /// Ids that no member may have again.
  package func removedMembers() throws -> Set<UInt64> {
    try newest.readCommitted(StoredMember.readRemoved)
  }

  /// Who votes, as the last applied entry about it says; nil before a cluster is founded or joined.
  package func membership() throws -> StoredMembership? {
    try newest.readCommitted(StoredMembership.read)
  }

  /// Writes down with whom the cluster begins, before its first entry; later calls change nothing.
  package func found(members: [StoredMember], membership: LogMembership) throws {
    try newest.write { db in
      guard try StoredMembership.read(db) == nil,
        try StorePosition.read(db).appliedIndex <= KeyValueStore.restoredIndex
      else { return }
      for member in members { try member.write(db) }
      try membership.apply(index: 0, to: db)
    }
  }

  private func read<Value>(_ body: (Database, StorePosition) throws -> Value) throws -> Value {
    try newest.read { db in try body(db, StorePosition.read(db)) }
  }

  /// Versions of keys that the store holds: what compaction has left.
  package func versions() throws -> Int {
    try read { db, _ in try Int.fetchOne(db, sql: "SELECT count(*) FROM history") ?? 0 }
  }

  /// Bytes of the database file as it was committed last: all, and those that hold data.
  package func sizes() throws -> (total: Int64, used: Int64) {
    try newest.readCommitted(KeyValueStore.sizes)
  }

  /// The same as it is after what was applied; for whoever applies, since others would wait.
  package func openSizes() throws -> (total: Int64, used: Int64) {
    try newest.readOpen(KeyValueStore.sizes)
  }

  private static func sizes(_ db: Database) throws -> (total: Int64, used: Int64) {
    let page = try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 0
    let count = try Int64.fetchOne(db, sql: "PRAGMA page_count") ?? 0
    let free = try Int64.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
    return (page * count, page * (count - free))
  }
}

extension Transaction {
  package var isReadOnly: Bool {
    (success + failure).allSatisfy { operation in
      switch operation {
      case .range: true
      case .put, .delete: false
      case .transaction(let nested): nested.isReadOnly
      }
    }
  }
}
