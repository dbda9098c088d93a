import ArgumentParser
import ConfigSyncClient

struct AuthRoleCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "role", abstract: "Show and change roles.",
    subcommands: [
      List.self, Show.self, Add.self, Delete.self, Grant.self, Revoke.self,
    ])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the roles.",
      discussion: """
        Example:
          configsync auth role list --user root
        """)
    @Option(name: .shortAndLong, help: "human or json.") var output = OutputFormat.human
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let roles = try await cluster.withClient { try await $0.roles() }
      if output == .json { return try printJSON(["roles": roles]) }
      for role in roles { print(printableLine(role)) }
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print what a role allows.",
      discussion: """
        Example:
          configsync auth role show payments --user root
        """)
    @Argument(help: "The role.") var name: String
    @Option(name: .shortAndLong, help: "human or json.") var output = OutputFormat.human
    @OptionGroup var cluster: ClusterOptions

    private struct Shown: Encodable {
      var kind: String
      var from: String
      var to: String?
    }

    func run() async throws {
      let name = name
      let permissions = try await cluster.withClient { try await $0.permissions(of: name) }
      let shown = permissions.map { permission in
        Shown(
          kind: permission.kind.rawValue, from: printableLine(permission.key),
          to: permission.end.isEmpty
            ? nil : permission.end == [0] ? "" : printableLine(permission.end))
      }
      if output == .json { return try printJSON(["permissions": shown]) }
      printTable(
        [["MAY", "KEYS"]]
          + shown.map { [$0.kind, AuthRoleCommand.text(from: $0.from, to: $0.to)] })
    }
  }

  private static func text(from: String, to: String?) -> String {
    guard let to else { return from }
    return to.isEmpty ? "\(from) and every key after it" : "\(from) up to \(to)"
  }

  struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Add a role.",
      discussion: """
        Example:
          configsync auth role add payments --user root
        """)
    @Argument(help: "The role.") var name: String
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let name = name
      try await cluster.withClient { try await $0.addRole(name) }
      print("added role \(printableLine(name))")
    }
  }

  struct Delete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Delete a role, and take it from everyone who has it.",
      discussion: """
        Example:
          configsync auth role delete payments --user root
        """)
    @Argument(help: "The role.") var name: String
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let name = name
      try await cluster.withClient { try await $0.deleteRole(name) }
      print("deleted role \(printableLine(name))")
    }
  }

  struct Grant: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Let a role read or write a key, or every key under a prefix.",
      discussion: """
        Example:
          configsync auth role grant payments readwrite --prefix /production/payments/
        """)
    @Argument(help: "The role.") var name: String
    @Argument(help: "read, write or readwrite.") var kind: GrantedAccess
    @Argument(help: "The key, or the prefix with --prefix.") var key: String
    @Flag(help: "Every key that begins with KEY.") var prefix = false
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let (name, kind, range) = (name, kind.kind, AuthRoleCommand.range(key, prefix))
      try await cluster.withClient {
        try await $0.grant(ClientPermission(kind, range), to: name)
      }
      let verb = kind == .readWrite ? "read and write" : kind.rawValue
      print(
        "\(printableLine(name)) may \(verb) \(prefix ? "keys under " : "")\(printableLine(key))")
    }
  }

  struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Take back what was granted for the same key or prefix.",
      discussion: """
        Example:
          configsync auth role revoke payments --prefix /production/payments/
        """)
    @Argument(help: "The role.") var name: String
    @Argument(help: "The key, or the prefix with --prefix.") var key: String
    @Flag(help: "Every key that begins with KEY.") var prefix = false
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let (name, range) = (name, AuthRoleCommand.range(key, prefix))
      try await cluster.withClient { try await $0.revoke(range, from: name) }
      print("revoked what \(printableLine(name)) had on \(printableLine(key))")
    }
  }

  private static func range(_ key: String, _ isPrefix: Bool) -> ClientRange {
    isPrefix ? .prefix(Array(key.utf8)) : .key(Array(key.utf8))
  }
}

/// What may be granted, as the command line has it.
enum GrantedAccess: String, ExpressibleByArgument {
  case read, write, readwrite

  var kind: ClientPermission.Kind {
    switch self {
    case .read: .read
    case .write: .write
    case .readwrite: .readWrite
    }
  }
}
