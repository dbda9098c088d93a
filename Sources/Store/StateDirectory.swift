import Foundation

/// The files of a state directory.
///
/// `state-N.db` is the database in use, N the log index of the snapshot that it began as (0 for
/// none); the largest N counts. `prepared-N.db` is a received snapshot, whole and synced, that the
/// log may already refer to. Everything else is left over from a crash.
struct StateDirectory {
  let path: String

  init(path: String) throws {
    self.path = path
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    try sync(URL(fileURLWithPath: path).deletingLastPathComponent().path)
  }

  var currentPath: String {
    get throws { path + "/state-\(try indexes(of: "state").max() ?? 0).db" }
  }

  func hasPrepared(index: UInt64) throws -> Bool {
    try indexes(of: "prepared").contains(index)
  }

  func keepPrepared(_ file: String, index: UInt64) throws {
    try sync(file)
    try move(file, to: path + "/prepared-\(index).db")
  }

  func promotePrepared(index: UInt64) throws -> String {
    let final = path + "/state-\(index).db"
    try move(path + "/prepared-\(index).db", to: final)
    return final
  }

  /// Makes `file` the first database of a directory that holds none.
  func keepRestored(_ file: String) throws {
    guard try indexes(of: "state").isEmpty else {
      throw StateDatabaseError("\(path) holds a database already")
    }
    try sync(file)
    try move(file, to: path + "/state-0.db")
  }

  func removeLeftovers() throws {
    let current = URL(fileURLWithPath: try currentPath).lastPathComponent
    for name in try names() where !name.hasPrefix(current) {
      // What can't be removed now is removed at a later start; it is never read.
      try? FileManager.default.removeItem(atPath: path + "/" + name)
    }
  }

  private func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }

  private func indexes(of kind: String) throws -> [UInt64] {
    try names().compactMap { name in
      guard name.hasPrefix(kind + "-"), name.hasSuffix(".db") else { return nil }
      return UInt64(name.dropFirst(kind.count + 1).dropLast(3))
    }
  }

  private func move(_ from: String, to: String) throws {
    try StateDirectory.move(from, to: to)
  }

  /// Renames a file or directory, for good, within one folder.
  static func move(_ from: String, to: String) throws {
    guard rename(from, to) == 0 else {
      throw StateDatabaseError("can't rename \(from): \(String(cString: strerror(errno)))")
    }
    try sync(URL(fileURLWithPath: to).deletingLastPathComponent().path)
  }

  private func sync(_ file: String) throws { try StateDirectory.sync(file) }

  private static func sync(_ file: String) throws {
    let descriptor = open(file, O_RDONLY | O_CLOEXEC)
    defer { if descriptor >= 0 { close(descriptor) } }
    guard descriptor >= 0, fsync(descriptor) == 0 else {
      throw StateDatabaseError("can't sync \(file): \(String(cString: strerror(errno)))")
    }
  }
}
