import Foundation
import Glibc

/// A folder that no one but this user can look into, and the files of databases in it.
struct CacheFolder {
  let path: String
  private static let ends = ["", "-wal", "-shm", "-journal"]

  /// - Throws: `CacheDirectoryError` if others could have a say in what is there.
  init(_ directory: String, _ name: String) throws {
    path = directory + "/" + name
    try CacheFolder.make(directory)
    // The directory may be reached by a link of this user's own, and be read by others.
    try CacheFolder.require(directory, stat, S_IFDIR, closed: 0o022)
    try CacheFolder.make(path)
    try CacheFolder.require(path, lstat, S_IFDIR, closed: 0o077)
    try mark()
  }

  /// The mark by which backups know a cache (bford.info/cachedir), and this program its own folder.
  private static let tag = "CACHEDIR.TAG"
  private static let signature = "Signature: 8a477f597d28d172789f06886806bc55"

  /// - Throws: `CacheDirectoryError` if the folder has other things in it.
  private func mark() throws {
    let marks = [
      (
        CacheFolder.tag,
        "\(CacheFolder.signature)\n# What configsync has read. It may be removed.\n"
      ),
      // Git leaves it alone, and so does a commit of everything.
      (".gitignore", "*\n"),
    ]
    do {
      let names = try FileManager.default.contentsOfDirectory(atPath: path)
      // Whatever a run that was ended has left, it has these names.
      let isOwn = names.allSatisfy { name in
        marks.contains { $0.0 == name }
          || CacheFolder.ends.contains { CacheFolder.isName(name, $0) }
      }
      guard isOwn else {
        throw CacheDirectoryError.unusable(
          path: path, reason: "there are things in it that are no cache: move them, or name another"
        )
      }
      for (name, content) in marks where !names.contains(name) {
        try Data(content.utf8).write(to: URL(fileURLWithPath: path + "/" + name))
      }
    } catch let error as CacheDirectoryError {
      throw error
    } catch {
      throw CacheDirectoryError.unusable(path: path, reason: error.localizedDescription)
    }
  }

  /// The file of a database: sixteen hexadecimal digits.
  static func name(of number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits + ".sqlite"
  }

  /// - Parameter end: that of a file which SQLite keeps beside the database.
  private static func isName(_ name: String, _ end: String = "") -> Bool {
    let digits = name.dropLast((".sqlite" + end).count)
    return name.hasSuffix(".sqlite" + end) && digits.utf8.count == 16
      && digits.utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) }
  }

  private static func make(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw CacheDirectoryError.unusable(path: path, reason: error.localizedDescription)
    }
  }

  private typealias Look = (UnsafePointer<CChar>, UnsafeMutablePointer<stat>) -> Int32

  private static func require(
    _ path: String, _ look: Look, _ kind: mode_t, closed: mode_t
  ) throws {
    var status = Glibc.stat()
    guard look(path, &status) == 0 else {
      throw CacheDirectoryError.unusable(path: path, reason: String(cString: strerror(errno)))
    }
    guard status.st_mode & S_IFMT == kind, status.st_uid == geteuid(), status.st_mode & closed == 0
    else { throw CacheDirectoryError.openToOthers(path: path) }
  }

  /// Whether what is there is a file of this user's, by no other name.
  ///
  /// - Throws: `CacheDirectoryError` if not.
  func checkFiles(of name: String) throws {
    for end in CacheFolder.ends {
      var status = Glibc.stat()
      guard lstat(path + "/" + name + end, &status) == 0 else { continue }
      guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(), status.st_nlink == 1
      else { throw CacheDirectoryError.openToOthers(path: path + "/" + name + end) }
    }
  }

  func removeFiles(of name: String) {
    for end in CacheFolder.ends { unlink(path + "/" + name + end) }
  }

  /// Removes databases that nobody has written for long.
  func removeOthers(than name: String, unusedForDays days: Double) {
    // What can't be listed or removed is in nobody's way.
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    for other in names where CacheFolder.isName(other) && other != name {
      let attributes = try? FileManager.default.attributesOfItem(atPath: path + "/" + other)
      guard let written = attributes?[.modificationDate] as? Date,
        written.timeIntervalSinceNow < -days * 86_400
      else { continue }
      removeFiles(of: other)
    }
  }
}
