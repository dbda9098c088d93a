import ArgumentParser
import ConfigSyncClient

struct CompactCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compact", abstract: "Forget the history before a revision.",
    discussion: """
      The revision, and everything after it, can still be read.

      Example:
        configsync compact 1200
      """)
  @Argument(help: "The oldest revision that is kept, or a commit that the store has applied.")
  var revision: String
  @Flag(help: "Return once the member has removed what it forgets.") var physical = false
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    let (text, waits) = (revision, physical)
    let compacted = try await cluster.withClient { client in
      guard let revision = try await Audit(client).revision(named: text) else {
        throw CommandFailure(.no, "no revision is named '\(text)'")
      }
      try await client.compact(at: revision, waitsForRemoval: waits)
      return revision
    }
    print("the oldest revision is \(compacted)")
  }
}

struct DefragCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "defrag", abstract: "Give free pages of each endpoint's database back.",
    discussion: """
      One member after the other; each serves nothing meanwhile.

      Example:
        configsync defrag --endpoints http://a:2379,http://b:2379,http://c:2379
      """)
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    let results = try await cluster.withClient { await $0.defragment() }
    try report(results) { _ in "defragmented" }
  }
}

struct EndpointCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "endpoint", abstract: "Show what each endpoint says of itself.",
    subcommands: [Health.self, Status.self, HashKV.self])

  struct Health: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Read through a majority at each endpoint.",
      discussion: """
        Exit code 1: one of them did not answer.

        Example:
          configsync endpoint health
        """)
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let results = try await cluster.withClient { await $0.readTimes() }
      try report(results) { "healthy, a read took \(milliseconds($0))" }
    }
  }

  struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print revision, leader, term and size of each endpoint.",
      discussion: """
        Example:
          configsync endpoint status -o json
        """)
    @Option(name: .shortAndLong, help: "human or json.") var output = OutputFormat.human
    @OptionGroup var cluster: ClusterOptions

    private struct Shown: Encodable {
      var endpoint: String
      var member: String
      var isLeader: Bool
      var revision: Int64
      var term: UInt64
      var appliedIndex: UInt64
      var databaseBytes: Int64
      var errors: [String]
    }

    func run() async throws {
      let statuses = try await cluster.withClient { await $0.statuses() }
      var shown: [Shown] = []
      var failures: [ClientError] = []
      for status in statuses {
        switch status.status {
        case .success(let found):
          shown.append(
            Shown(
              endpoint: status.endpoint, member: String(found.member, radix: 16),
              isLeader: found.member == found.leader, revision: found.revision, term: found.term,
              appliedIndex: found.appliedIndex, databaseBytes: found.databaseBytes,
              errors: found.errors))
        case .failure(let error): failures.append(error)
        }
      }
      switch output {
      case .json: try printJSON(["endpoints": shown])
      case .human:
        printTable(
          [["ENDPOINT", "MEMBER", "ROLE", "REVISION", "TERM", "INDEX", "BYTES", "ERRORS"]]
            + shown.map { status in
              [
                status.endpoint, status.member, status.isLeader ? "leader" : "follower",
                "\(status.revision)", "\(status.term)", "\(status.appliedIndex)",
                "\(status.databaseBytes)", status.errors.joined(separator: "; "),
              ]
            })
      }
      if let first = failures.first { throw CommandFailure(.unknown, "\(first)") }
    }
  }

  struct HashKV: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "hashkv", abstract: "Print each endpoint's hash of the store.",
      discussion: """
        Members that are equal have equal hashes at one revision. Exit code 1: they differ.

        Example:
          configsync endpoint hashkv --revision 1200
        """)
    @Option(help: "The revision; the newest that all have if none is given.") var revision: Int64 =
      0
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let wanted = revision
      let results = try await cluster.withClient { client in
        try await hashes(of: client, at: wanted)
      }
      try report(results) { result in
        "\(result.hash)"
          + (result.compactRevision > 0 ? " at the compaction of \(result.compactRevision)" : "")
      }
      if try differ(results) { throw CommandFailure(.no, "the members differ") }
    }
  }
}

struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Check that the members are well, led and equal.",
    discussion: """
      Exit code 1: something is wrong.

      Example:
        configsync check --endpoints http://a:2379,http://b:2379,http://c:2379
      """)
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    let problems = try await cluster.withClient { client in
      var problems: [String] = []
      for (endpoint, result) in await client.readTimes() {
        if case .failure(let error) = result {
          problems.append("\(endpoint) does not serve: \(error)")
        }
      }
      var leaders: Set<UInt64> = []
      for case (let endpoint, .success(let status)) in await client.statuses().map({
        ($0.endpoint, $0.status)
      }) {
        leaders.insert(status.leader)
        problems += status.errors.map { "\(endpoint): \($0)" }
      }
      if leaders.count > 1 { problems.append("the members do not agree who leads") }
      let found = try await hashes(of: client, at: 0)
      for (endpoint, result) in found {
        if case .failure(let error) = result {
          problems.append("\(endpoint) has no hash: \(error)")
        }
      }
      if try differ(found) { problems.append("the members hold different things") }
      return problems
    }
    for problem in problems { printError(printableLine(problem)) }
    guard problems.isEmpty else { throw CommandFailure(.no, "the cluster is not well") }
    print("every endpoint serves, they agree who leads, and hold the same")
  }
}

/// Hashes of all endpoints at one revision: the oldest of their newest unless one is given.
private func hashes(
  of client: ConfigClient, at revision: Int64
) async throws -> [(endpoint: String, result: Result<ClientHash, ClientError>)] {
  let newest = await client.statuses().compactMap { try? $0.status.get().revision }
  return await client.hashes(at: revision > 0 ? revision : newest.min() ?? 0)
}

/// Whether members with the same compaction have different hashes.
private func differ(
  _ results: [(endpoint: String, result: Result<ClientHash, ClientError>)]
) throws -> Bool {
  let found = results.compactMap { try? $0.result.get() }
  return Dictionary(grouping: found, by: \.compactRevision).values.contains { hashes in
    Set(hashes.map(\.hash)).count > 1
  }
}

/// Prints a line an endpoint.
///
/// - Throws: `CommandFailure` if one of them failed.
private func report<Value>(
  _ results: [(endpoint: String, result: Result<Value, ClientError>)], _ text: (Value) -> String
) throws {
  var failed = 0
  for (endpoint, result) in results {
    switch result {
    case .success(let value): print("\(endpoint): \(text(value))")
    case .failure(let error):
      failed += 1
      printError("\(endpoint): failed: \(printableLine("\(error)"))")
    }
  }
  if failed > 0 {
    throw CommandFailure(.no, "\(failed) of \(results.count) endpoints have failed")
  }
}

private func milliseconds(_ duration: Duration) -> String {
  let tenths = Int(duration / .microseconds(100))
  return "\(tenths / 10).\(tenths % 10) ms"
}
