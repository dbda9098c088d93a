import BinaryCoding
public import Compiler
import Foundation
import GRDB
import Synchronization

/// Why a directory can't be used for a cache.
public enum CacheDirectoryError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Others could put there what this program would take for valid, or read what is in private files.
  case openToOthers(path: String)
  /// Another process has the database for itself just now.
  case busy(path: String)
  case unusable(path: String, reason: String)

  public var description: String {
    switch self {
    case .openToOthers(let path):
      "the cache can't be kept in \(path): it belongs to someone else, is a link, or others may write there: what "
        + "they put there would be taken for what files hold"
    case .busy(let path): "the cache in \(path) is in use by another process"
    case .unusable(let path, let reason): "the cache can't be kept in \(path): \(reason)"
    }
  }
}

/// What files hold, kept in a directory from one run of a program to the next.
///
/// An SQLite database for each build of the program with its libraries, which several processes may share. Each value
/// has a checksum over itself, its key and the program; what is damaged is as good as not there, and a database that
/// can't be read is made anew. A checksum is no defence against someone who writes there on purpose, so that a
/// directory that others can write is refused; and runs that are trusted less than others need one of their own.
public final class CacheDirectory: CompileStorage {
  /// Values kept, and their bytes on disk; when there are more, the quarter that was written first is removed.
  private static let entries: Int64 = 400_000
  private static let bytes: Int64 = 8 << 30
  /// Bytes of one value; a larger one is not kept.
  private static let valueBytes = 64 << 20
  /// Bytes that wait to be written.
  private static let waitingBytes = 8 << 20
  /// Seconds to wait for another process.
  private static let patience = 5.0
  /// Days after which the database of another build is removed.
  private static let unusedDays = 30.0
  /// The folder in the directory: for this user alone, whatever the directory is.
  private static let folderName = "configsync-cache"

  private struct Waiting: Sendable {
    var entries: [(key: [UInt8], value: [UInt8])] = []
    var bytes = 0
  }

  private let database: DatabaseQueue
  private let programChecksum: UInt32
  private let waiting = Mutex(Waiting())

  /// - Parameters:
  ///   - path: is made, for this user alone, if it is not there.
  ///   - program: names the build of the program and its libraries.
  /// - Throws: `CacheDirectoryError`.
  public init(path: String, program: String) throws {
    let folder = try CacheFolder(path, CacheDirectory.folderName)
    let name = CacheFolder.name(of: chainHash(Array(program.utf8)[...], after: 0))
    programChecksum = crc32c(Array(program.utf8)[...])
    folder.removeOthers(than: name, unusedForDays: CacheDirectory.unusedDays)
    try folder.checkFiles(of: name)
    do {
      database = try CacheDirectory.open(folder.path + "/" + name, for: program)
    } catch {
      if CacheDirectory.isBusy(error) { throw CacheDirectoryError.busy(path: path) }
      // Whatever else is wrong, a new one has no part in it; if it has, that is the error.
      folder.removeFiles(of: name)
      do {
        database = try CacheDirectory.open(folder.path + "/" + name, for: program)
      } catch {
        throw CacheDirectoryError.unusable(path: path, reason: "\(error)")
      }
    }
  }

  private static func isBusy(_ error: any Error) -> Bool {
    let code = (error as? DatabaseError)?.resultCode.primaryResultCode
    return code == .SQLITE_BUSY || code == .SQLITE_LOCKED
  }

  private static func open(_ file: String, for program: String) throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.busyMode = .timeout(patience)
    configuration.prepareDatabase { db in
      // What a crash loses is found out by the checksums, or read from the files again.
      try db.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF")
    }
    let database = try DatabaseQueue(path: file, configuration: configuration)
    try database.write { db in
      try db.execute(
        sql: """
          CREATE TABLE IF NOT EXISTS program (name TEXT NOT NULL);
          CREATE TABLE IF NOT EXISTS entries (
            id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, checksum INTEGER NOT NULL,
            value BLOB NOT NULL);
          """)
      guard try String.fetchAll(db, sql: "SELECT name FROM program") != [program] else { return }
      try db.execute(sql: "DELETE FROM entries; DELETE FROM program")
      try db.execute(sql: "INSERT INTO program VALUES (?)", arguments: [program])
    }
    return database
  }

  private func checksum(_ key: [UInt8], _ value: [UInt8]) -> Int64 {
    let ofKey = crc32c(key[...], continuing: programChecksum)
    return Int64(crc32c(value[...], continuing: ofKey))
  }

  // MARK: - Values

  public func value(for key: [UInt8]) -> [UInt8]? {
    // A database that can't be read gives nothing, and the file is read instead.
    let found = try? database.unsafeRead { db -> (Int64, [UInt8])? in
      let statement = try db.cachedStatement(
        sql: "SELECT checksum, value FROM entries WHERE key = ?")
      guard let row = try Row.fetchOne(statement, arguments: [Data(key)]),
        let checksum = Int64.fromDatabaseValue(row[0]), let value = Data.fromDatabaseValue(row[1])
      else { return nil }
      return (checksum, [UInt8](value))
    }
    guard let (checksum, value) = found ?? nil, checksum == self.checksum(key, value) else {
      return nil
    }
    return value
  }

  public func store(_ value: [UInt8], for key: [UInt8]) {
    guard value.count <= CacheDirectory.valueBytes else { return }
    let isFull = waiting.withLock { waiting in
      waiting.entries.append((key, value))
      waiting.bytes += key.count + value.count
      return waiting.bytes >= CacheDirectory.waitingBytes
    }
    if isFull { write() }
  }

  public func flush() { write() }

  /// A value that can't be written is made again by the next run.
  private func write() {
    let entries = waiting.withLock { waiting in
      let entries = waiting.entries
      waiting = Waiting()
      return entries
    }
    guard !entries.isEmpty else { return }
    try? database.write { db in
      for (key, value) in entries {
        let statement = try db.cachedStatement(
          sql: """
            INSERT INTO entries (key, checksum, value) VALUES (?, ?, ?)
            ON CONFLICT (key) DO UPDATE SET checksum = excluded.checksum, value = excluded.value
            """)
        try statement.execute(arguments: [Data(key), checksum(key, value), Data(value)])
      }
      try CacheDirectory.trim(db)
    }
  }

  /// What is removed though it is of use is read once more, and is then among the newest.
  private static func trim(_ db: Database) throws {
    func number(_ sql: String) throws -> Int64 { try Int64.fetchOne(db, sql: sql) ?? 0 }
    let (first, last) = (
      try number("SELECT MIN(id) FROM entries"), try number("SELECT MAX(id) FROM entries")
    )
    let pages = try number("PRAGMA page_count") - number("PRAGMA freelist_count")
    let size = pages * (try number("PRAGMA page_size"))
    guard last - first >= entries || size > bytes else { return }
    try db.execute(
      sql: "DELETE FROM entries WHERE id <= ?", arguments: [first + (last - first) / 4])
  }
}
