import ArgumentParser
import ConfigModel
import ConfigSyncClient
import Foundation

/// A commit as one line of `log -o json` and its kin.
struct PrintedCommit: Encodable {
  var revision: Int64
  var source: String?
  var commit: String?
  var author: String?
  var email: String?
  var time: String?
  var subject: String?

  init(revision: Int64, _ applied: AppliedCommit?) {
    self.revision = revision
    source = applied?.source
    commit = applied?.record.facts.commit.text
    author = applied?.record.facts.author.name
    email = applied?.record.facts.author.email
    time = applied?.record.facts.author.time
    subject = applied?.record.facts.subject
  }

  /// Commit, author and time; what no commit made has none.
  var cells: [String] {
    [
      commit.map { String($0.prefix(9)) } ?? "-", printableLine(author ?? "by hand"),
      time ?? "-",
    ]
  }
}

struct LogCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "log", abstract: "List the commits that the store has applied, newest first.",
    discussion: """
      Example:
        configsync log --limit 5
      """)

  @Option(help: "How many to print.")
  var limit = 50
  @Option(name: .shortAndLong, help: "human or json.")
  var output = OutputFormat.human
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    let commits = try await cluster.withClient { try await Audit($0).commits() }
    let shown = commits.prefix(max(0, limit))
    switch output {
    case .json:
      try printJSON(shown.map { PrintedCommit(revision: $0.revision, $0) })
    case .human:
      printTable(
        shown.map { commit in
          let printed = PrintedCommit(revision: commit.revision, commit)
          let counts = commit.record.counts
          return [String(commit.revision)] + printed.cells
            + ["+\(counts.puts) -\(counts.deletes)"]
            + [printableLine(printed.subject ?? "")]
        })
      if commits.count > shown.count { print("… and \(commits.count - shown.count) more") }
    }
  }
}

struct BlameCommand: AsyncParsableCommand {
  private struct Row: Encodable {
    var key: String
    var change: PrintedCommit
  }

  static let configuration = CommandConfiguration(
    commandName: "blame", abstract: "Tell for each key under a prefix which commit wrote it.",
    discussion: """
      Example:
        configsync blame /production/
      """)

  @Argument(help: "The prefix. Default: every key.")
  var prefix = "/"
  @Option(name: .shortAndLong, help: "human or json.")
  var output = OutputFormat.human
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    let bytes = Array(prefix.utf8)
    let (items, byRevision) = try await cluster.withClient { client in
      (try await client.range(.prefix(bytes)).items, try await Audit(client).commitsByRevision())
    }
    let rows = items.filter { !$0.key.starts(with: Array(ReservedKeys.prefix.utf8)) }.map { item in
      Row(
        key: String(decoding: item.key, as: UTF8.self),
        change: PrintedCommit(revision: item.modRevision, byRevision[item.modRevision]))
    }
    switch output {
    case .json: try printJSON(rows)
    case .human:
      printTable(
        rows.map { [String($0.change.revision)] + $0.change.cells + [printableLine($0.key)] })
    }
  }
}

struct HistoryCommand: AsyncParsableCommand {
  private struct Row: Encodable {
    var change: PrintedCommit
    /// nil for a deletion.
    var value: PrintedValue?
  }

  /// Versions that are looked for.
  private static let limit = 1000

  static let configuration = CommandConfiguration(
    commandName: "history", abstract: "List the values that a key has had, newest first.",
    discussion: """
      Example:
        configsync history /production/api/replicas
      """)

  @Argument var key: String
  @Option(name: .shortAndLong, help: "human or json.")
  var output = OutputFormat.human
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    let bytes = Array(key.utf8)
    let (events, byRevision) = try await cluster.withClient { client in
      (try await Self.events(of: bytes, client), try await Audit(client).commitsByRevision())
    }
    guard !events.isEmpty else { throw CommandFailure(.no, "there never was a key '\(key)'") }
    let rows = events.map { event in
      Row(
        change: PrintedCommit(revision: event.modRevision, byRevision[event.modRevision]),
        value: event.kind == .delete ? nil : PrintedValue(event.value))
    }
    switch output {
    case .json: try printJSON(rows)
    case .human:
      printTable(
        rows.map { row in
          [String(row.change.revision)] + row.change.cells
            + [row.value.map { printableLine($0.bytes) } ?? "(deleted)"]
        })
    }
  }

  /// The changes of the key, newest first: the newest version, and back from each to the one
  /// before it.
  private static func events(
    of key: [UInt8], _ client: ConfigClient
  ) async throws -> [ClientEvent] {
    let now = try await client.range(.key(key)).revision
    let collected = Collector()
    // A watch from the first revision to the present is the history, deletions included.
    let marker = try await client.range(.key(key), at: now).items.first
    if marker == nil, now <= 1 { return [] }
    do {
      try await client.history(of: .key(key), through: now) { collected.add($0.events) }
    } catch let error as ClientError {
      guard let oldest = error.compactRevision else { throw error }
      printError("configsync: \(error.description): older values are not known")
      try await client.history(of: .key(key), from: oldest, through: now) {
        collected.add($0.events)
      }
    }
    return Array(collected.events.suffix(limit).reversed())
  }
}

struct ShowCommand: AsyncParsableCommand {
  private struct Change: Encodable {
    var key: String
    var kind: String
    var value: PrintedValue?
    var previous: PrintedValue?
  }
  private struct Shown: Encodable {
    var change: PrintedCommit
    var keys: [Change]
  }

  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show what a revision, or a commit, changed.",
    discussion: """
      Example:
        configsync show 42
      """)

  @Argument(help: "A revision, or a commit that the store has applied.")
  var name: String
  @Option(name: .shortAndLong, help: "human or json.")
  var output = OutputFormat.human
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    let name = name
    let (revision, commit, events) = try await cluster.withClient { client in
      let audit = Audit(client)
      guard let revision = try await audit.revision(named: name) else {
        throw CommandFailure(.unknown, "name a revision or a commit")
      }
      let commit = try await audit.commitsByRevision()[revision]
      let now = try await client.range(.key([0])).revision
      guard revision <= now, revision > 1 else {
        throw CommandFailure(.no, "there is no revision \(revision)")
      }
      let collected = Collector()
      try await client.history(of: .prefix([]), from: revision, through: revision) {
        collected.add($0.events)
      }
      return (revision, commit, collected.events)
    }
    let changes = events.filter { !$0.key.starts(with: Array(ReservedKeys.prefix.utf8)) }
    let header = PrintedCommit(revision: revision, commit)
    switch output {
    case .json: try printJSON(Shown(change: header, keys: changes.map(Self.change)))
    case .human:
      print("revision \(revision)  \(header.cells.joined(separator: "  "))")
      if let subject = header.subject { print("    \(printableLine(subject))") }
      for event in changes { show(event) }
    }
  }

  private static func change(_ event: ClientEvent) -> Change {
    Change(
      key: String(decoding: event.key, as: UTF8.self), kind: event.kind == .put ? "put" : "delete",
      value: event.kind == .put ? PrintedValue(event.value) : nil,
      previous: event.previous.map { PrintedValue($0) })
  }

  private func show(_ event: ClientEvent) {
    let key = printableLine(event.key)
    let (old, new) = (event.previous.map { printableLine($0) }, printableLine(event.value))
    switch (event.kind, old) {
    case (.put, nil): print("  + \(key) = \(new)")
    case (.put, let old?): print("  ~ \(key) = \(old) -> \(new)")
    case (.delete, let old): print("  - \(key)\(old.map { " = \($0)" } ?? "")")
    }
  }
}
