import Foundation
import GRDB
import Synchronization

/// The replicated state machine: a multi-version key-value store in SQLite.
///
/// The same entries give the same state, results and digest on every member. Entries are applied by
/// one caller, in order; the applied index is written in the transaction of its effects. Reads run
/// beside it on connections of their own and see whole applied batches.
package final class KeyValueStore: Sendable {
  /// Connections for reads; a further read waits for one.
  private static let readers = 6

  private let pool: Mutex<DatabasePool>
  private let position: Mutex<StorePosition>
  private let authState: Mutex<AuthState>
  private let durableIndex = Mutex<UInt64>(0)
  private let compacting: Mutex<Bool>
  private let directory: StateDirectory

  /// Opens the state in `directory`, made if missing.
  ///
  /// - Throws: `StateDatabaseError`, or SQLite's own error; nothing is repaired silently.
  package init(directory path: String, cluster: UInt64) throws {
    directory = try StateDirectory(path: path)
    let opened = try KeyValueStore.open(try directory.currentPath)
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
    try opened.writeWithoutTransaction(Schema.verify)
    compacting = Mutex(try opened.read { try Compaction(db: $0).isUnderWay() })
    authState = Mutex(try opened.read { try AuthTable(db: $0).read() })
    pool = Mutex(opened)
    position = Mutex(state)
  }

  private static func open(_ path: String) throws -> DatabasePool {
    try DatabasePool(path: path, configuration: Schema.configuration(readers: readers))
  }

  /// Where the store stands: applied and committed to the database.
  package var current: StorePosition { position.withLock { $0 } }

  /// Entries through this one survive a loss of power, as far as this process has asked for it.
  package var durable: UInt64 { durableIndex.withLock { $0 } }

  // MARK: - Apply

  /// Applies `commands` in one database transaction and returns what each did.
  ///
  /// A command's failure is its outcome. A thrown error means that the database failed: nothing of
  /// the batch is applied, and the member must stop.
  package func apply(_ commands: [LogCommand]) throws -> [AppliedCommand] {
    let pool = pool.withLock { $0 }
    let before = auth
    let (applied, state, auth) = try pool.write { db in
      var applying = try Applying(db: db, auth: before)
      let applied = try commands.compactMap { try applying.apply($0) }
      try applying.state.write(db)
      return (applied, applying.state, applying.auth)
    }
    if auth.version != before.version { authState.withLock { $0 = auth } }
    let former = position.withLock { position in
      defer { position = state }
      return position
    }
    if state.compactRevision > former.compactRevision { compacting.withLock { $0 = true } }
    return applied
  }

  /// Removes some of the versions that a compaction has made superfluous.
  ///
  /// - Complexity: O(`Compaction.batchRows` log *n*).
  package func removeCompacted() throws {
    let pool = pool.withLock { $0 }
    let isUnderWay = try pool.write { try Compaction(db: $0).step() }
    compacting.withLock { $0 = isUnderWay }
  }

  /// Versions that a compaction has made superfluous may still be there.
  package var isCompacting: Bool { compacting.withLock { $0 } }

  // MARK: - Reads

  /// - Throws: `StoreError.compacted`, `.futureRevision`, `.emptyKey`, `.auth`, or SQLite's error.
  package func range(
    _ query: RangeQuery, for caller: Caller = .cluster
  ) throws -> (result: RangeResult, state: StorePosition) {
    if query.range.start.bytes.isEmpty { throw StoreError.emptyKey }
    return try read { db, state in
      try auth(in: db, state).rights(of: caller).checkRead(query.range)
      return (try Reading(db: db).range(query, current: state), state)
    }
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
  package func refusingAlarms() throws -> Set<Alarm.Kind> {
    try read { db, _ in try AlarmTable(db: db).kinds(among: try StoredMember.ids(db)) }
  }

  /// Whether this member's state was found to differ while the others agree: what it has is not to be shown
  /// to anybody.
  package func isFenced(_ member: UInt64) throws -> Bool {
    try read { db, _ in
      try AlarmTable(db: db).fenced(of: try StoredMember.ids(db)).contains(member)
    }
  }

  /// The state as it is now, for a hash of it while more is applied.
  ///
  /// - Throws: SQLite's error.
  package func stateSnapshot() throws -> StateSnapshot {
    try StateSnapshot(of: pool.withLock { $0 })
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
    let pool = pool.withLock { $0 }
    try pool.vacuum()
    // The write-ahead log has grown to a second copy; while somebody reads it stays until later.
    try? pool.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
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

  /// The members, ascending by id, with their addresses.
  package func members() throws -> [StoredMember] {
    try read { db, _ in try StoredMember.readAll(db) }
  }

  /// Ids that no member may have again.
  package func removedMembers() throws -> Set<UInt64> {
    try read { db, _ in try StoredMember.readRemoved(db) }
  }

  /// Who votes, as the last applied entry about it says; nil before a cluster is founded or joined.
  package func membership() throws -> StoredMembership? {
    try read { db, _ in try StoredMembership.read(db) }
  }

  /// Writes down with whom the cluster begins, before its first entry; later calls change nothing.
  package func found(members: [StoredMember], membership: LogMembership) throws {
    let pool = pool.withLock { $0 }
    try pool.write { db in
      guard try StoredMembership.read(db) == nil, try StorePosition.read(db).appliedIndex == 0
      else { return }
      for member in members { try member.write(db) }
      try membership.apply(index: 0, to: db)
    }
  }

  private func read<Value>(_ body: (Database, StorePosition) throws -> Value) throws -> Value {
    let pool = pool.withLock { $0 }
    return try pool.read { db in try body(db, StorePosition.read(db)) }
  }

  /// Versions of keys that the store holds: what compaction has left.
  package func versions() throws -> Int {
    try read { db, _ in try Int.fetchOne(db, sql: "SELECT count(*) FROM history") ?? 0 }
  }

  /// Bytes of the database file: all, and those that hold data.
  package func sizes() throws -> (total: Int64, used: Int64) {
    try read { db, _ in
      let page = try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 0
      let count = try Int64.fetchOne(db, sql: "PRAGMA page_count") ?? 0
      let free = try Int64.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
      return (page * count, page * (count - free))
    }
  }

  // MARK: - Snapshots

  /// Makes everything applied durable, so that the log may be cut up to the returned position.
  ///
  /// A commit under full syncs makes the write-ahead log durable, and with it every commit before;
  /// unlike a checkpoint it waits for no reader. The result is read again on another connection.
  package func makeDurable() throws -> StorePosition {
    let pool = pool.withLock { $0 }
    let state = try pool.writeWithoutTransaction { db in
      try db.execute(sql: "PRAGMA synchronous = FULL")
      defer {
        // Staying at FULL would be slower, and no less safe.
        try? db.execute(sql: "PRAGMA synchronous = NORMAL")
      }
      var state: StorePosition?
      try db.inTransaction(.immediate) {
        let found = try StorePosition.read(db)
        try found.write(db)
        state = found
        return .commit
      }
      guard let state else { throw StateDatabaseError("a transaction ended without a result") }
      return state
    }
    let readAgain = try pool.read(StorePosition.read)
    guard readAgain.appliedIndex >= state.appliedIndex else {
      throw StateDatabaseError("a sync lost applied entries")
    }
    durableIndex.withLock { $0 = state.appliedIndex }
    return state
  }

  /// Writes a consistent copy of the whole state to a new file.
  package func writeSnapshot(to path: String) throws -> StorePosition {
    let pool = pool.withLock { $0 }
    removeSnapshot(at: path)
    let copy = try DatabaseQueue(path: path)
    defer { try? copy.close() }
    try pool.backup(to: copy)
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
    let opened = try KeyValueStore.open(path)
    let state = try opened.write(StorePosition.read)
    try opened.writeWithoutTransaction(Schema.verify)
    let isCompacting = try opened.read { try Compaction(db: $0).isUnderWay() }
    let auth = try opened.read { try AuthTable(db: $0).read() }
    compacting.withLock { $0 = isCompacting }
    // Readers of the former state finish on it; its file is removed at the next start.
    pool.withLock { $0 = opened }
    position.withLock { $0 = state }
    authState.withLock { $0 = auth }
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
