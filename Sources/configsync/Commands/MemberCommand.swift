import ArgumentParser
import ConfigSyncClient

struct MemberCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "member", abstract: "Show and change who belongs to the cluster.",
    discussion: """
      One change at a time, each in effect before the next begins. A member is added first and
      started afterwards; one that is gone for good is removed first and replaced afterwards.

      Example, a fourth member:
        configsync member add d --peer-urls http://10.0.0.4:2380
        configsync server --name d --initial-cluster-state existing ...
      """,
    subcommands: [List.self, Add.self, Remove.self, Update.self, Promote.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the members.",
      discussion: """
        Example:
          configsync member list
        """)
    @Option(name: .shortAndLong, help: "human or json.") var output = OutputFormat.human
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let members = try await cluster.withClient { try await $0.members() }
      try show(members, as: output)
    }
  }

  struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Add a member, before it starts for the first time.",
      discussion: """
        A learner receives the log without a vote, so that it can catch up before it counts.

        Example:
          configsync member add d --peer-urls http://10.0.0.4:2380 --learner
        """)
    @Argument(help: "The name that the member will have: its --name.") var name: String
    @Option(help: "Where the others reach it, comma-separated.") var peerUrls: String
    @Flag(help: "Add it without a vote; 'member promote' gives it one.") var learner = false
    @Option(name: .shortAndLong, help: "human or json.") var output = OutputFormat.human
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let (name, urls) = (name, peerUrls.commaSeparated)
      let role: ClientMemberRole = learner ? .learner : .voter
      let (added, members) = try await cluster.withClient { client in
        guard try await client.members().allSatisfy({ $0.name != name }) else {
          throw CommandFailure(.no, "a member is named '\(name)' already")
        }
        return try await client.addMember(peerURLs: urls, as: role)
      }
      if output == .json { return try show(members, as: .json) }
      // One that was added and never started has told no name: it is not asked.
      let others = members.filter { $0.id != added.id && !$0.name.isEmpty }
        .map { "\($0.name)=\($0.peerURLs.joined(separator: ","))" }
      let own = urls.map { "\(name)=\($0)" }
      print("added \(hex(added.id))\(learner ? " as a learner" : ""). Start it with:")
      print("  configsync server --name \(name) --initial-cluster-state existing \\")
      print("    --initial-advertise-peer-urls \(urls.joined(separator: ",")) \\")
      print("    --initial-cluster \((others + own).joined(separator: ",")) ...")
    }
  }

  struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Remove a member for good.",
      discussion: """
        Example:
          configsync member remove 8211f1d0f64f3269
        """)
    @Argument(help: "The member's id or name.") var member: String
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let member = member
      let id = try await cluster.withClient { client in
        let id = try await find(member, client)
        _ = try await client.removeMember(id)
        return id
      }
      print("removed \(hex(id))")
    }
  }

  struct Update: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Change where the others reach a member.",
      discussion: """
        Example:
          configsync member update d --peer-urls http://10.0.0.9:2380
        """)
    @Argument(help: "The member's id or name.") var member: String
    @Option(help: "Where the others reach it, comma-separated.") var peerUrls: String
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let (member, urls) = (member, peerUrls.commaSeparated)
      let id = try await cluster.withClient { client in
        let id = try await find(member, client)
        _ = try await client.updateMember(id, peerURLs: urls)
        return id
      }
      print("updated \(hex(id))")
    }
  }

  struct Promote: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Give a learner that has caught up a vote.",
      discussion: """
        Example:
          configsync member promote d
        """)
    @Argument(help: "The member's id or name.") var member: String
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let member = member
      let id = try await cluster.withClient { client in
        let id = try await find(member, client)
        _ = try await client.promoteMember(id)
        return id
      }
      print("promoted \(hex(id))")
    }
  }
}

struct MoveLeaderCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "move-leader", abstract: "Hand leadership to another member.",
    discussion: """
      Give all endpoints, so that the leader is among them.

      Example:
        configsync move-leader b --endpoints http://a:2379,http://b:2379,http://c:2379
      """)
  @Argument(help: "The id or name of the member that is to lead.") var member: String
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    let member = member
    let (from, id) = try await cluster.withClient { client in
      let id = try await find(member, client)
      return (try await client.moveLeader(to: id), id)
    }
    print("leadership moved from \(hex(from)) to \(hex(id))")
  }
}

private struct ShownMember: Encodable {
  var id: String
  var name: String
  var isLearner: Bool
  var isStarted: Bool
  var peerURLs: [String]
  var clientURLs: [String]
}

private func show(_ members: [ClientMember], as output: OutputFormat) throws {
  let shown = members.map { member in
    ShownMember(
      id: hex(member.id), name: member.name, isLearner: member.isLearner,
      isStarted: !member.name.isEmpty, peerURLs: member.peerURLs, clientURLs: member.clientURLs)
  }
  if output == .json { return try printJSON(["members": shown]) }
  printTable(
    [["ID", "NAME", "ROLE", "PEER URLS", "CLIENT URLS"]]
      + shown.map { member in
        [
          member.id, member.isStarted ? printableLine(member.name) : "(not started)",
          member.isLearner ? "learner" : "voter",
          printableLine(member.peerURLs.joined(separator: ",")),
          printableLine(member.clientURLs.joined(separator: ",")),
        ]
      })
}

/// The member that an id, in hexadecimal, or a name means.
private func find(_ text: String, _ client: ConfigClient) async throws -> UInt64 {
  let members = try await client.members()
  let named = members.filter { $0.name == text }
  if named.count == 1 { return named[0].id }
  guard named.isEmpty else {
    throw CommandFailure(.no, "\(named.count) members are named '\(text)': give an id")
  }
  guard let id = UInt64(text, radix: 16), members.contains(where: { $0.id == id }) else {
    throw CommandFailure(
      .no,
      "no member has the name or id '\(text)'. One that has not started yet has no name: 'member "
        + "list' shows its id")
  }
  return id
}

private func hex(_ id: UInt64) -> String { String(id, radix: 16) }
