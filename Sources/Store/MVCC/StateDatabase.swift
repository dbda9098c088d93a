import GRDB
import GRDBSQLite
import Synchronization

/// SQLite as the state machine uses it: one writer, whose transaction may stay open over several batches,
/// and readers beside it.
///
/// What a batch did is told before it is committed, since the log can bring it back; so nobody waits for
/// SQLite's files. Whoever reads commits first what is open: a reader sees all that was ever told.
final class StateDatabase: Sendable {
  /// Connections for reads; a further read waits for one.
  private static let readers = 6

  private let pool: DatabasePool
  /// Where the open transaction has come to; nil while none is open. Written down when it is committed.
  private let uncommitted = Mutex<StorePosition?>(nil)
  /// Why nothing more may be read or written: what was told already is not in the database, and will not be.
  private let failure = Mutex<(any Error)?>(nil)
  /// Who uses the writer, or waits for it.
  private let users = Atomic(0)
  private let log = WriteAheadLog()

  /// Pages of the write-ahead log after which they are written to the database: those that change all the time
  /// are then written there once for many commits.
  private static let checkpointPages = 4_000

  init(path: String) throws {
    var configuration = Schema.configuration(readers: StateDatabase.readers)
    configuration.allowsUnsafeTransactions = true
    let log = log
    configuration.prepareDatabase { db in log.follow(db) }
    pool = try DatabasePool(path: path, configuration: configuration)
  }

  /// Carries out all of `body` in the open transaction, which is begun if there is none.
  ///
  /// - Parameters:
  ///   - body: returns where the state stands after it, besides.
  ///   - publish: makes that known, before anybody reads it from the database.
  /// - Throws: what undoes the whole transaction, after which every other call throws the same.
  func extend<Value>(
    _ body: (Database) throws -> (Value, StorePosition), publish: (Value) -> Void
  ) throws -> Value {
    try onWriter { db in
      try failing(db) {
        if uncommitted.withLock({ $0 == nil }) {
          try db.beginTransaction(.immediate)
        } else {
          try checkIsOpen(db)
        }
        let (value, position) = try body(db)
        uncommitted.withLock { $0 = position }
        publish(value)
        return value
      }
    }
  }

  /// Commits what is open; false if nothing is.
  @discardableResult
  func commit() throws -> Bool {
    guard uncommitted.withLock({ $0 != nil }) else {
      // Looked at last: what fails says so before it takes back what was open.
      try check()
      return false
    }
    try onWriter(commit)
    return true
  }

  /// Writes the write-ahead log to the database once it is long. That waits for the disk, so that nobody who only
  /// reads, and commits for that, should do it.
  ///
  /// - Throws: for instance when a sync fails: what was written by then can't be told.
  func checkpointIfDue() throws {
    if log.pages >= StateDatabase.checkpointPages { try checkpoint(.passive) }
  }

  /// The same at once. While another program does it, or somebody reads what stands in it, less is written.
  func checkpoint(_ kind: Database.CheckpointMode) throws {
    try withWriter { db in
      try failing(db) {
        do {
          try db.checkpoint(kind)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
          return
        }
        // Whoever writes next begins the log anew, if all of it stands in the database and nobody reads it, and then
        // waits for the sync of its header; with this behind it, it can't begin anew before the next checkpoint.
        _ = try StateDatabase.writeSomething(db)
      }
    }
  }

  /// A transaction that changes a page and says nothing new: SQLite writes no page whose content stays the same, and
  /// without one it syncs nothing.
  static func writeSomething(_ db: Database) throws -> StorePosition {
    var position: StorePosition?
    try db.inTransaction(.immediate) {
      let found = try StorePosition.read(db)
      try db.execute(sql: "UPDATE state SET appliedTerm = appliedTerm + 1")
      try found.write(db)
      position = found
      return .commit
    }
    guard let position else { throw StateDatabaseError("a transaction ended without a result") }
    return position
  }

  /// What is added now waits for nobody: a transaction is open, so that no lock is needed, and nobody else uses the
  /// writer. (Only a checkpoint and the write behind it wait for the disk.)
  var isOpen: Bool {
    uncommitted.withLock { $0 != nil } && users.load(ordering: .acquiring) == 0
  }

  private func commit(_ db: Database) throws {
    guard let position = uncommitted.withLock({ $0 }) else { return }
    try failing(db) {
      try checkIsOpen(db)
      try position.write(db)
      try db.commit()
    }
    uncommitted.withLock { $0 = nil }
  }

  /// SQLite undoes a transaction by itself when the disk is full.
  private func checkIsOpen(_ db: Database) throws {
    guard db.isInsideTransaction else {
      throw StateDatabaseError("a transaction was undone before it was committed")
    }
  }

  /// Fails for good where `body` fails: whatever of the transaction could still be written would be a part.
  private func failing<Value>(_ db: Database, _ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch {
      failure.withLock { $0 = $0 ?? error }
      uncommitted.withLock { $0 = nil }
      // The first error is the one that counts.
      if db.isInsideTransaction { try? db.rollback() }
      throw error
    }
  }

  /// Undoes what is open, and fails from now on.
  func abandon() {
    try? onWriter { db in
      try failing(db) { throw StateDatabaseError("it was abandoned") }
    }
  }

  private func check() throws {
    if let error = failure.withLock({ $0 }) { throw error }
  }

  private func onWriter<Value>(_ body: (Database) throws -> Value) throws -> Value {
    users.add(1, ordering: .acquiringAndReleasing)
    defer { users.subtract(1, ordering: .acquiringAndReleasing) }
    return try pool.writeWithoutTransaction { db in
      try check()
      return try body(db)
    }
  }

  /// Runs `body` on the writer once nothing is open.
  func withWriter<Value>(_ body: (Database) throws -> Value) throws -> Value {
    try onWriter { db in
      try commit(db)
      return try body(db)
    }
  }

  /// A transaction of its own.
  func write<Value>(_ body: (Database) throws -> Value) throws -> Value {
    try withWriter { db in
      var value: Value?
      try db.inTransaction(.immediate) {
        value = try body(db)
        return .commit
      }
      guard let value else { throw StateDatabaseError("a transaction ended without a result") }
      return value
    }
  }

  /// Reads everything that was ever told.
  func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
    try commit()
    return try pool.read(body)
  }

  /// Reads what is committed, waiting for nobody.
  func readCommitted<Value>(_ body: (Database) throws -> Value) throws -> Value {
    try check()
    return try pool.read(body)
  }

  /// Reads on the writer, what is not committed included.
  func readOpen<Value>(_ body: (Database) throws -> Value) throws -> Value { try onWriter(body) }

  func snapshot() throws -> DatabaseSnapshot {
    try commit()
    return try pool.makeSnapshot()
  }

  func backup(to copy: DatabaseQueue) throws {
    try commit()
    try pool.backup(to: copy)
  }

  func vacuum() throws {
    try commit()
    try pool.vacuum()
  }
}

/// How long SQLite's write-ahead log is.
private final class WriteAheadLog: Sendable {
  private let count = Atomic<Int32>(0)

  /// As of the last commit.
  var pages: Int32 { count.load(ordering: .relaxed) }

  /// Is told of the commits of a connection, which then writes nothing to the database by itself. The caller keeps
  /// this as long as the connection.
  func follow(_ db: Database) {
    let context = Unmanaged.passUnretained(self).toOpaque()
    sqlite3_wal_hook(
      db.sqliteConnection,
      { context, _, _, pages in
        if let context {
          Unmanaged<WriteAheadLog>.fromOpaque(context).takeUnretainedValue().count
            .store(pages, ordering: .relaxed)
        }
        return SQLITE_OK
      }, context)
  }
}
