import ArgumentParser
import ConfigModel
import ConfigSyncClient
import Foundation

struct StatusCommand: AsyncParsableCommand {
  private struct Member: Encodable {
    var endpoint: String
    var member: String?
    var isLeader: Bool?
    var revision: Int64?
    var term: UInt64?
    var error: String?
  }
  private struct Source: Encodable {
    var name: String
    var commit: String
    var revision: Int64
    /// running, or what stops it.
    var state: String
    var message: String?
    var since: String?
    /// Which daemon works, where one holds a lease.
    var daemon: String?
    var refused: [Refusal]
  }
  private struct Refusal: Encodable {
    var commit: String
    var author: String
    var subject: String
    var finding: String
  }
  private struct Shown: Encodable {
    var members: [Member]
    var sources: [Source]
    /// Newest first.
    var events: [RecordedEvent]
  }

  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show the members, the sources, what was refused, and what happened last.",
    discussion: """
      Exit code 1: the newest commit of a source was refused, or something stops a source; 2: the
      cluster can't be read.

      Example:
        configsync status
      """)

  @Option(name: .shortAndLong, help: "human or json.")
  var output = OutputFormat.human
  @Option(help: "How many of the last events are shown.")
  var events = 5
  @OptionGroup var cluster: ClusterOptions

  func validate() throws {
    guard (0...10_000).contains(events) else {
      throw ValidationError("--events is from 0 to 10000")
    }
  }

  func run() async throws {
    let limit = events
    let shown = try await cluster.withClient { client in
      let members = await client.statuses().map(Self.member)
      let audit = Audit(client)
      let refusals = try await audit.refusals()
      var heads = try await audit.heads()
      // A source whose every commit was refused has no head, and is shown all the same.
      let states = try await audit.states()
      let leases = try await audit.leases()
      for source in Set(refusals.map(\.source) + states.keys).subtracting(heads.map(\.source))
        .sorted()
      {
        heads.append((source, "none", 0))
      }
      let sources = heads.map {
        Self.source($0, refusals, states[$0.source], leases[$0.source])
      }
      let events = limit > 0 ? try await audit.events(atMost: limit) : []
      return Shown(members: members, sources: sources, events: events)
    }
    switch output {
    case .json: try printJSON(shown)
    case .human: print(shown)
    }
    if shown.sources.contains(where: { !$0.refused.isEmpty || $0.message != nil }) {
      throw CommandFailure(.no, "")
    }
  }

  private static func member(_ endpoint: EndpointStatus) -> Member {
    switch endpoint.status {
    case .success(let status):
      Member(
        endpoint: endpoint.endpoint, member: String(status.member, radix: 16),
        isLeader: status.leader == status.member, revision: status.revision, term: status.term,
        error: status.errors.first)
    case .failure(let error): Member(endpoint: endpoint.endpoint, error: error.description)
    }
  }

  /// Refusals count while nothing newer was applied over them.
  private static func source(
    _ head: (source: String, commit: String, revision: Int64), _ refusals: [RefusedCommit],
    _ state: StateRecord?, _ daemon: String?
  ) -> Source {
    let open = refusals.filter { $0.source == head.source && $0.revision > head.revision }
    return Source(
      name: head.source, commit: head.commit, revision: head.revision,
      state: state?.kind.rawValue ?? "running", message: state?.message, since: state?.since,
      daemon: daemon,
      refused: open.map { refusal in
        let first = refusal.record.findings.first
        return Refusal(
          commit: refusal.record.facts.commit.text, author: refusal.record.facts.author.name,
          subject: refusal.record.facts.subject,
          finding: first.map { "\($0.file):\($0.line):\($0.column): \($0.message)" } ?? "")
      })
  }

  private func print(_ shown: Shown) {
    printTable(
      [["ENDPOINT", "MEMBER", "ROLE", "REVISION", "TERM", ""]]
        + shown.members.map { member in
          [
            member.endpoint, member.member ?? "-",
            member.isLeader.map { $0 ? "leader" : "follower" } ?? "-",
            member.revision.map(String.init) ?? "-", member.term.map { String($0) } ?? "-",
            member.error ?? "",
          ]
        })
    Swift.print()
    printTable(
      [["SOURCE", "COMMIT", "REVISION", "STATE", "REFUSED", "DAEMON"]]
        + shown.sources.map {
          [
            printableLine($0.name), printableLine(String($0.commit.prefix(9))),
            String($0.revision), $0.state, String($0.refused.count),
            printableLine($0.daemon ?? "-"),
          ]
        })
    for source in shown.sources {
      guard let message = source.message else { continue }
      Swift.print()
      Swift.print(
        printableLine("\(source.name) is \(source.state) since \(source.since ?? ""): \(message)")
      )
    }
    if !shown.events.isEmpty {
      Swift.print()
      printTable(
        [["EVENT", "SOURCE", "REVISION", "TIME", "BY", "COMMIT", ""]]
          + shown.events.map { event in
            [
              event.event, event.source, String(event.revision), event.time, event.by ?? "-",
              event.commit.map { String($0.prefix(9)) } ?? "-", event.message,
            ].map(printableLine)
          })
    }
    for refusal in shown.sources.flatMap(\.refused) {
      Swift.print(
        "\nrefused \(refusal.commit.prefix(9)) by \(printableLine(refusal.author)): "
          + "\(printableLine(refusal.subject))\n  \(printableLine(refusal.finding))"
      )
    }
  }
}
