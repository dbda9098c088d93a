import Cluster
import Crypto
import Foundation
import Store

/// A snapshot as a client has saved it: the state database, then its SHA-256 (32 bytes).
package struct SnapshotFile: Sendable {
  private static let hashBytes: UInt64 = 32
  private static let blockBytes = 1 << 20

  /// What a snapshot holds.
  package struct Summary: Sendable {
    package var revision: Int64
    package var compactRevision: Int64
    package var keys: Int
    package var bytes: Int64
    package var cluster: UInt64

    init(_ facts: SnapshotFacts) {
      revision = facts.revision.rawValue
      compactRevision = facts.compactRevision.rawValue
      keys = facts.keys
      bytes = facts.bytes
      cluster = facts.cluster
    }
  }

  package let path: String

  package init(_ path: String) { self.path = path }

  /// What it holds, once its hash and its database are right.
  ///
  /// - Throws: `OptionsError`, why it can't be used.
  package func inspect() throws -> Summary {
    try withDatabase { Summary(try KeyValueStore.inspectSnapshot($0)) }
  }

  /// Begins a new cluster with it: the data directory of the member that `options` describe is made.
  ///
  /// - Throws: `OptionsError`; nothing is left behind then.
  package func restore(_ options: ServerOptions) throws -> Summary {
    let configuration = try options.foundedConfiguration()
    let directory = configuration.dataDirectory
    guard !FileManager.default.fileExists(atPath: directory) else {
      throw OptionsError(
        "\(directory) is there already: a snapshot is restored into a new directory")
    }
    // Under another name until it is whole: in half a directory a member would begin empty.
    let unfinished = directory + ".restoring"
    try? FileManager.default.removeItem(atPath: unfinished)
    defer { try? FileManager.default.removeItem(atPath: unfinished) }
    let parent = URL(fileURLWithPath: directory).deletingLastPathComponent()
    return try withDatabase(in: parent) { database in
      let facts = try KeyValueStore.inspectSnapshot(database)
      try FileManager.default.createDirectory(
        atPath: unfinished, withIntermediateDirectories: true,
        attributes: [.posixPermissions: 0o700])
      try KeyValueStore.restoreSnapshot(
        database, into: unfinished + "/state", cluster: configuration.clusterID)
      try KeyValueStore.keepRestored(unfinished, as: directory)
      return Summary(facts)
    }
  }

  /// Copies the database into a file of `folder` while its hash is checked.
  private func withDatabase<Value>(
    in folder: URL? = nil, _ body: (String) throws -> Value
  ) throws -> Value {
    // Beside the snapshot: where that has found room, and no other file system.
    let folder = folder ?? URL(fileURLWithPath: path).deletingLastPathComponent()
    let copy = folder.appendingPathComponent(".configsync-\(UUID().uuidString).db")
    defer { try? FileManager.default.removeItem(at: copy) }
    do {
      try extract(to: copy)
      return try body(copy.path)
    } catch let error as OptionsError {
      throw error
    } catch {
      throw OptionsError("\(path) can't be used: \(error)")
    }
  }

  private func extract(to copy: URL) throws {
    guard let file = FileHandle(forReadingAtPath: path) else {
      throw OptionsError("\(path) can't be read")
    }
    defer { try? file.close() }
    let size = try file.seekToEnd()
    guard size > SnapshotFile.hashBytes, size % 512 == SnapshotFile.hashBytes else {
      throw OptionsError("\(path) is no snapshot: its hash is missing")
    }
    try file.seek(toOffset: 0)
    guard
      FileManager.default.createFile(
        atPath: copy.path, contents: nil, attributes: [.posixPermissions: 0o600]),
      let target = FileHandle(forWritingAtPath: copy.path)
    else { throw OptionsError("\(copy.path) can't be written") }
    defer { try? target.close() }
    var hash = SHA256()
    var left = size - SnapshotFile.hashBytes
    while left > 0 {
      let wanted = Int(min(left, UInt64(SnapshotFile.blockBytes)))
      guard let block = try file.read(upToCount: wanted), !block.isEmpty else { break }
      hash.update(data: block)
      try target.write(contentsOf: block)
      left -= UInt64(block.count)
    }
    let stored = try file.read(upToCount: Int(SnapshotFile.hashBytes))
    guard left == 0, stored == Data(hash.finalize()) else {
      throw OptionsError("\(path) is damaged: its SHA-256 is another")
    }
  }
}
