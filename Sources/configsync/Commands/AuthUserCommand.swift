import ArgumentParser
import ConfigSyncClient

struct AuthUserCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "user", abstract: "Show and change users.",
    subcommands: [
      List.self, Show.self, Add.self, Delete.self, Password.self, GiveRole.self, TakeRole.self,
    ])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the users.",
      discussion: """
        Example:
          configsync auth user list --user root
        """)
    @Option(name: .shortAndLong, help: "human or json.") var output = OutputFormat.human
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let users = try await cluster.withClient { try await $0.users() }
      if output == .json { return try printJSON(["users": users]) }
      for user in users { print(printableLine(user)) }
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print a user's roles.",
      discussion: """
        Example:
          configsync auth user show alice --user root
        """)
    @Argument(help: "The user.") var name: String
    @Option(name: .shortAndLong, help: "human or json.") var output = OutputFormat.human
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let name = name
      let roles = try await cluster.withClient { try await $0.roles(of: name) }
      if output == .json { return try printJSON(["roles": roles]) }
      for role in roles { print(printableLine(role)) }
    }
  }

  struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Add a user; asks for the password unless one is given.",
      discussion: """
        Example:
          configsync auth user add alice
        """)
    @Argument(help: "The user.") var name: String
    @Option(help: "The new password.") var newPassword: String?
    @Flag(help: "A user who can't log in by a password.") var noPassword = false
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let password = noPassword ? nil : try newPassword ?? askNewPassword(of: name)
      let name = name
      try await cluster.withClient { try await $0.addUser(name, password: password) }
      print("added user \(printableLine(name))")
    }
  }

  struct Delete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Delete a user: their tokens count no more.",
      discussion: """
        Example:
          configsync auth user delete alice --user root
        """)
    @Argument(help: "The user.") var name: String
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let name = name
      try await cluster.withClient { try await $0.deleteUser(name) }
      print("deleted user \(printableLine(name))")
    }
  }

  struct Password: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Change a password: tokens from before count no more.",
      discussion: """
        Example:
          configsync auth user password alice --user root
        """)
    @Argument(help: "The user.") var name: String
    @Option(help: "The new password.") var newPassword: String?
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let password = try newPassword ?? askNewPassword(of: name)
      let name = name
      try await cluster.withClient { try await $0.changePassword(of: name, to: password) }
      print("changed the password of \(printableLine(name))")
    }
  }

  struct GiveRole: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Give a user a role.",
      discussion: """
        Example:
          configsync auth user give-role alice payments --user root
        """)
    @Argument(help: "The user.") var name: String
    @Argument(help: "The role.") var role: String
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let (name, role) = (name, role)
      try await cluster.withClient { try await $0.giveRole(role, to: name) }
      print("\(printableLine(name)) has the role \(printableLine(role))")
    }
  }

  struct TakeRole: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Take a role from a user.",
      discussion: """
        Example:
          configsync auth user take-role alice payments --user root
        """)
    @Argument(help: "The user.") var name: String
    @Argument(help: "The role.") var role: String
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let (name, role) = (name, role)
      try await cluster.withClient { try await $0.takeRole(role, from: name) }
      print("\(printableLine(name)) has the role \(printableLine(role)) no more")
    }
  }
}

/// Asks twice, since nobody sees what is typed.
private func askNewPassword(of name: String) throws -> String {
  let first = try askPassword("New password of \(name): ", or: "--new-password PASSWORD")
  guard try askPassword("Again: ", or: "--new-password PASSWORD") == first else {
    throw CommandFailure(.no, "the two passwords differ")
  }
  return first
}
