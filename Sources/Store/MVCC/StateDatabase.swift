import GRDB
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

  init(path: String) throws {
    var configuration = Schema.configuration(readers: StateDatabase.readers)
    configuration.allowsUnsafeTransactions = true
    pool = try DatabasePool(path: path, configuration: configuration)
  }

  /// Carries out all of `body` in the open transaction, which is begun if there is none; an error undoes
  /// that transaction, and the caller must stop.
  ///
  /// - Parameter body: returns where the state stands after it, besides.
  func extend<Value>(_ body: (Database) throws -> (Value, StorePosition)) throws -> Value {
    try pool.writeWithoutTransaction { db in
      if !db.isInsideTransaction { try db.beginTransaction(.immediate) }
      do {
        let (value, position) = try body(db)
        uncommitted.withLock { $0 = position }
        return value
      } catch {
        // The first error is the one that counts.
        try? db.rollback()
        throw error
      }
    }
  }

  /// Commits what is open.
  func commit() throws {
    guard uncommitted.withLock({ $0 != nil }) else { return }
    try pool.writeWithoutTransaction(commit)
  }

  private func commit(_ db: Database) throws {
    guard let position = uncommitted.withLock({ $0 }) else { return }
    try position.write(db)
    try db.commit()
    uncommitted.withLock { $0 = nil }
  }

  /// Runs `body` on the writer once nothing is open.
  func withWriter<Value>(_ body: (Database) throws -> Value) throws -> Value {
    try pool.writeWithoutTransaction { db in
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
    try pool.read(body)
  }

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
