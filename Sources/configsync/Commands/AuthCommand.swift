import ArgumentParser
import ConfigSyncClient

struct AuthCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "auth", abstract: "Say who may read and write what.",
    discussion: """
      Permissions are off until 'auth enable', which needs a user 'root' with the role 'root'.
      From then on each command needs --user.

      Example, a team with keys of its own:
        configsync auth user add root && configsync auth user give-role root root
        configsync auth role add payments
        configsync auth role grant payments readwrite --prefix /production/payments/
        configsync auth user add alice && configsync auth user give-role alice payments
        configsync auth enable
      """,
    subcommands: [
      Status.self, Enable.self, Disable.self, AuthUserCommand.self, AuthRoleCommand.self,
    ])

  struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print whether permissions are on.",
      discussion: """
        Example:
          configsync auth status --user root
        """)
    @Option(name: .shortAndLong, help: "human or json.") var output = OutputFormat.human
    @OptionGroup var cluster: ClusterOptions

    private struct Shown: Encodable {
      var isEnabled: Bool
      var revision: UInt64
    }

    func run() async throws {
      let (isEnabled, revision) = try await cluster.withClient { try await $0.authStatus() }
      if output == .json { return try printJSON(Shown(isEnabled: isEnabled, revision: revision)) }
      print("permissions are \(isEnabled ? "on" : "off"), changed \(revision - 1) times")
    }
  }

  struct Enable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Switch permissions on.",
      discussion: """
        Example:
          configsync auth enable
        """)
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      try await cluster.withClient { try await $0.setAuth(enabled: true) }
      print("permissions are on")
    }
  }

  struct Disable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Switch permissions off: everybody may do everything.",
      discussion: """
        Example:
          configsync auth disable --user root
        """)
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      try await cluster.withClient { try await $0.setAuth(enabled: false) }
      print("permissions are off")
    }
  }
}
