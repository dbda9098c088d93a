import ArgumentParser
import ConfigSyncClient
import Foundation
import Server
import Synchronization

struct SnapshotCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshot", abstract: "Save the state of a cluster, and begin a new one with it.",
    discussion: """
      Example, a cluster of one member from a backup:
        configsync snapshot save backup.snapshot
        configsync snapshot restore backup.snapshot --data-dir restored
        configsync server --data-dir restored --initial-cluster-token restored
      """,
    subcommands: [Save.self, Status.self, Restore.self])

  struct Save: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Save the state of one member to a file.",
      discussion: """
        The file appears once it is whole and synced.

        Example:
          configsync snapshot save backup.snapshot
        """)
    @Argument(help: "The file.") var file: String
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let path = file
      guard !FileManager.default.fileExists(atPath: path) else {
        throw CommandFailure(.unknown, "\(path) is there already")
      }
      let partial = path + ".part"
      guard !FileManager.default.fileExists(atPath: partial) else {
        throw CommandFailure(
          .unknown, "\(partial) is there already: another one is saved, or was cut off; remove it")
      }
      guard
        FileManager.default.createFile(
          atPath: partial, contents: nil, attributes: [.posixPermissions: 0o600]),
        let target = FileHandle(forWritingAtPath: partial)
      else { throw CommandFailure(.unknown, "\(partial) can't be written") }
      do {
        let writing = Mutex(target)
        try await cluster.withClient { client in
          try await client.snapshot { blob in
            try writing.withLock { try $0.write(contentsOf: Data(blob)) }
          }
        }
        try target.synchronize()
        try target.close()
        let facts = try SnapshotFile(partial).inspect()
        try FileManager.default.moveItem(atPath: partial, toPath: path)
        print("saved \(path): revision \(facts.revision), \(facts.keys) keys")
      } catch {
        try? FileManager.default.removeItem(atPath: partial)
        throw error
      }
    }
  }

  struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check a saved snapshot and tell what it holds.",
      discussion: """
        Example:
          configsync snapshot status backup.snapshot
        """)
    @Argument(help: "The file.") var file: String

    func run() async throws {
      let facts = try checking { try SnapshotFile(file).inspect() }
      print(
        """
        revision   \(facts.revision)
        compacted  \(facts.compactRevision)
        keys       \(facts.keys)
        bytes      \(facts.bytes)
        cluster    \(String(facts.cluster, radix: 16))
        """)
    }
  }

  struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make the data directory of a member of a new cluster from a snapshot.",
      discussion: """
        Run it for each member with the flags that its server will have. The new cluster has another
        id, so that no member or client takes it for the old one.

        Example:
          configsync snapshot restore backup.snapshot --data-dir restored
        """)
    @Argument(help: "The file.") var file: String
    @Option(help: "The member's name.") var name = "default"
    @Option(help: "The directory to make; NAME.configsync if empty.") var dataDir = ""
    @Option(help: "Where the others reach it, comma-separated.")
    var initialAdvertisePeerUrls = "http://localhost:2380"
    @Option(help: "NAME=URL,...: every member; this one alone if empty.") var initialCluster = ""
    @Option(help: "Another one than the old cluster's.")
    var initialClusterToken = "restored"

    func run() async throws {
      var options = ServerOptions()
      options.name = name
      options.dataDirectory = dataDir.isEmpty ? "\(name).configsync" : dataDir
      options.initialAdvertisePeerURLs = initialAdvertisePeerUrls.commaSeparated
      options.initialCluster = initialCluster
      options.initialClusterToken = initialClusterToken
      let facts = try checking { try SnapshotFile(file).restore(options) }
      print(
        """
        restored \(options.dataDirectory): revision \(facts.revision), \(facts.keys) keys
        start it with --name \(name) --data-dir \(options.dataDirectory) \
        --initial-cluster-token \(initialClusterToken)
        """)
    }
  }
}

/// What is wrong with a file is an answer: no.
private func checking<Value>(_ body: () throws -> Value) throws -> Value {
  do { return try body() } catch { throw CommandFailure(.no, "\(error)") }
}
