import BinaryCoding
public import Compiler
import Foundation
import GRDB
import Synchronization

/// Why a directory can't be used for a cache.
public enum CacheDirectoryError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Others could put there what this program would take for valid.
  case writableByOthers(path: String)
  case unusable(path: String, reason: String)

  public var description: String {
    switch self {
    case .writableByOthers(let path):
      "the cache directory \(path) can be written by others, or belongs to someone else: what they put there "
        + "would be taken for what files hold"
    case .unusable(let path, let reason): "the cache directory \(path) can't be used: \(reason)"
    }
  }
}

/// What files hold, kept in a directory from one run of a program to the next.
///
/// An SQLite database that several processes may share. It belongs to one build of the program with its libraries:
/// another one empties it. Each value has a checksum over itself and its key; what is damaged is as good as not
/// there, and a database that SQLite can't read is made anew. A checksum is no defence against someone who writes
/// there on purpose, so that a directory that others can write is refused, and runs that are trusted less than others
/// need one of their own.
public final class CacheDirectory: CompileStorage {
  /// Values kept; when there are more, those that this run has not asked for are removed.
  private static let entries = 400_000
  /// Bytes of one value; a larger one is not kept.
  private static let valueBytes = 64 << 20
  /// Bytes that wait to be written.
  private static let waitingBytes = 8 << 20
  /// Seconds to wait for another process.
  private static let patience = 5.0
  private static let fileName = "files.sqlite"

  private struct Waiting: Sendable {
    var entries: [(key: [UInt8], value: [UInt8])] = []
    var bytes = 0
  }

  private let database: DatabaseQueue
  private let waiting = Mutex(Waiting())
  /// Rows that this run has read or written.
  private let used = Mutex<Set<Int64>>([])

  /// - Parameters:
  ///   - path: is made, for this user alone, if it is not there.
  ///   - program: names the build of the program and its libraries.
  /// - Throws: `CacheDirectoryError`.
  public init(path: String, program: String) throws {
    try CacheDirectory.prepare(path)
    let file = path + "/" + CacheDirectory.fileName
    do {
      database = try CacheDirectory.open(file, for: program)
    } catch let error as DatabaseError where CacheDirectory.isDamage(error) {
      for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: file + end) }
      do {
        database = try CacheDirectory.open(file, for: program)
      } catch {
        throw CacheDirectoryError.unusable(path: path, reason: "\(error)")
      }
    } catch {
      throw CacheDirectoryError.unusable(path: path, reason: "\(error)")
    }
  }

  private static func prepare(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw CacheDirectoryError.unusable(path: path, reason: error.localizedDescription)
    }
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw CacheDirectoryError.unusable(path: path, reason: String(cString: strerror(errno)))
    }
    guard status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
      throw CacheDirectoryError.writableByOthers(path: path)
    }
  }

  private static func isDamage(_ error: DatabaseError) -> Bool {
    [.SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_ERROR, .SQLITE_SCHEMA]
      .contains(error.resultCode.primaryResultCode)
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

  private static func checksum(_ key: [UInt8], _ value: [UInt8]) -> Int64 {
    Int64(crc32c(value[...], continuing: crc32c(key[...])))
  }

  // MARK: - Values

  public func value(for key: [UInt8]) -> [UInt8]? {
    // A database that can't be read gives nothing, and the file is read instead.
    let row = try? database.unsafeRead { db in
      let statement = try db.cachedStatement(
        sql: "SELECT id, checksum, value FROM entries WHERE key = ?")
      return try Row.fetchOne(statement, arguments: [Data(key)]).map { row in
        (id: row[0] as Int64, checksum: row[1] as Int64, value: row[2] as Data)
      }
    }
    guard let row = row ?? nil else { return nil }
    let value = [UInt8](row.value)
    guard row.checksum == CacheDirectory.checksum(key, value) else { return nil }
    used.withLock { _ = $0.insert(row.id) }
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

  public func flush() {
    write()
    // One that can't be trimmed is as useful as before.
    try? trim()
  }

  /// A value that can't be written is made again by the next run.
  private func write() {
    let entries = waiting.withLock { waiting in
      let entries = waiting.entries
      waiting = Waiting()
      return entries
    }
    guard !entries.isEmpty else { return }
    let rows = try? database.write { db in
      try entries.map { key, value in
        let statement = try db.cachedStatement(
          sql: """
            INSERT INTO entries (key, checksum, value) VALUES (?, ?, ?)
            ON CONFLICT (key) DO UPDATE SET checksum = excluded.checksum, value = excluded.value
            RETURNING id
            """)
        let id = try Int64.fetchOne(
          statement,
          arguments: [Data(key), CacheDirectory.checksum(key, value), Data(value)])
        return id ?? 0
      }
    }
    used.withLock { $0.formUnion(rows ?? []) }
  }

  private func trim() throws {
    let used = used.withLock { $0 }
    try database.write { db in
      let count = try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM entries") ?? 0
      guard count > CacheDirectory.entries else { return }
      try db.execute(sql: "CREATE TEMP TABLE used (id INTEGER PRIMARY KEY)")
      defer { try? db.execute(sql: "DROP TABLE used") }
      for id in used { try db.execute(sql: "INSERT INTO used VALUES (?)", arguments: [id]) }
      try db.execute(sql: "DELETE FROM entries WHERE id NOT IN (SELECT id FROM used)")
    }
  }
}
