import ArgumentParser
import ConfigModel
import ConfigSyncClient
import Foundation

struct GetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "get", abstract: "Print a key, or every key under a prefix.",
    discussion: """
      Exit code 1: there is no such key.

      Example:
        configsync get --prefix /production/ --at 42
      """)

  @Argument(help: "The key, or the prefix with --prefix.")
  var key: String

  @Flag(help: "Every key that begins with KEY.")
  var prefix = false

  @Option(help: "A revision of the store, or a commit that it has applied.")
  var at: String?

  @Flag(help: "Answer from one member, without asking a quorum: may be stale.")
  var serializable = false

  @Option(name: .shortAndLong, help: "human or json.")
  var output = OutputFormat.human

  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    let bytes = Array(key.utf8)
    let items = try await cluster.withClient { [self] client in
      let revision = try await Audit(client).revision(named: at)
      return try await client.range(
        prefix ? .prefix(bytes) : .key(bytes), at: revision ?? 0,
        serializable ? .serializable : .linearizable
      ).items
    }
    switch output {
    case .human:
      for item in items {
        print(
          prefix ? "\(printableLine(item.key)) = \(printable(item.value))" : printable(item.value))
      }
    case .json:
      printKeys(items.map { (String(decoding: $0.key, as: UTF8.self), $0.value) })
    }
    if items.isEmpty, !prefix { throw CommandFailure(.no, "there is no key '\(key)'") }
  }
}

struct PutCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "put", abstract: "Write one key by hand.",
    discussion: """
      Example:
        configsync put /scratch/note hello
      """)

  @Argument var key: String
  @Argument(help: "The value; - reads standard input.")
  var value: String
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    let bytes =
      value == "-" ? [UInt8](FileHandle.standardInput.readDataToEndOfFile()) : Array(value.utf8)
    try refuseReserved(.key(Array(key.utf8)))
    let key = Array(key.utf8)
    let revision = try await cluster.withClient { try await $0.put(key, bytes) }
    print("revision \(revision)")
  }
}

struct DelCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "del", abstract: "Delete a key, or every key under a prefix.",
    discussion: """
      Exit code 1: there was nothing to delete.

      Example:
        configsync del /scratch/note
      """)

  @Argument var key: String
  @Flag(help: "Every key that begins with KEY.")
  var prefix = false
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    let bytes = Array(key.utf8)
    try refuseReserved(prefix ? .prefix(bytes) : .key(bytes))
    let count = try await cluster.withClient { [prefix] client in
      try await client.delete(prefix ? .prefix(bytes) : .key(bytes))
    }
    print("\(count) deleted")
    if count == 0 { throw CommandFailure(.no, "") }
  }
}

struct WatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Print changes as they are committed, a revision at a time.",
    discussion: """
      Runs until it is interrupted, or until --count revisions have come.

      Example:
        configsync watch --prefix /production/
      """)

  @Argument(help: "The key, or the prefix with --prefix.")
  var key: String

  @Flag(help: "Every key that begins with KEY.")
  var prefix = false

  @Option(help: "The first revision to print. Default: the next one.")
  var fromRevision: Int64 = 0

  @Option(help: "End after so many revisions.")
  var count: Int?

  @OptionGroup var cluster: ClusterOptions

  func validate() throws {
    guard fromRevision >= 0 else { throw ValidationError("--from-revision is 0 or a revision") }
    guard count ?? 1 > 0 else { throw ValidationError("--count is at least 1") }
  }

  func run() async throws {
    let bytes = Array(key.utf8)
    let range: ClientRange = prefix ? .prefix(bytes) : .key(bytes)
    let remaining = Counter(count ?? .max)
    let start = fromRevision
    try await cluster.withClient { client in
      try await client.watch(range, from: start) { batch in
        let size = batch.events.count
        print("revision \(batch.revision): \(size) change\(size == 1 ? "" : "s")")
        for event in batch.events {
          switch event.kind {
          case .put: print("  \(printableLine(event.key)) = \(printable(event.value))")
          case .delete: print("  \(printableLine(event.key)) deleted")
          }
        }
        // Whoever reads a pipe sees each revision when it comes.
        fflush(nil)
        return remaining.decrement() > 0
      }
    }
  }
}

/// The program's own records answer for every commit: they are not written by hand.
func refuseReserved(_ range: ClientRange) throws {
  let reserved = Array(ReservedKeys.prefix.utf8)
  let touches =
    switch range {
    case .key(let key): key.starts(with: reserved)
    case .prefix(let prefix): prefix.starts(with: reserved) || reserved.starts(with: prefix)
    }
  guard touches else { return }
  throw CommandFailure(
    .no,
    "the keys under '\(ReservedKeys.prefix)' are the program's own, and are not written by hand")
}
