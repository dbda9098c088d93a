import ArgumentParser
import Foundation
import Jsonnet

/// The command line of the project: one subcommand a file.
@main
struct ConfigSync: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "configsync",
    abstract: "Keeps a replicated key-value store in step with a Git repository.",
    groupedSubcommands: [
      CommandGroup(
        name: "Configuration:",
        subcommands: [
          InitCommand.self, ValidateCommand.self, BuildCommand.self, TestCommand.self,
          DiffCommand.self, PlanCommand.self, SchemaCommand.self, RollbackCommand.self,
          RejectCommand.self,
          SuspendCommand.self, ResumeCommand.self,
        ]),
      CommandGroup(
        name: "Reconciling:",
        subcommands: [ApplyCommand.self, RunCommand.self, StatusCommand.self, DevCommand.self]),
      CommandGroup(
        name: "Audit:",
        subcommands: [
          LogCommand.self, HistoryCommand.self, BlameCommand.self, ShowCommand.self,
        ]),
      CommandGroup(
        name: "Store:",
        subcommands: [
          ServerCommand.self, GetCommand.self, PutCommand.self, DelCommand.self, TxnCommand.self,
          WatchCommand.self,
        ]),
      CommandGroup(
        name: "Operation:",
        subcommands: [
          MemberCommand.self, MoveLeaderCommand.self, SnapshotCommand.self, AuthCommand.self,
          CheckCommand.self, EndpointCommand.self, CompactCommand.self, DefragCommand.self,
          LeaseCommand.self, LockCommand.self,
        ]),
    ])

  /// Ends with the exit codes of the contract: 0 fine, 1 the answer is no, 2 it is not known.
  static func main() async {
    // Before anything else is made: an evaluator has nothing to lose.
    if CommandLine.arguments.dropFirst() == [JsonnetWorker.argument] { return JsonnetWorker.run() }
    do {
      var command = try parseAsRoot()
      // Whoever asks for help is told how else to say it.
      if type(of: command).configuration.commandName != "help" { try EnvironmentProblems.check() }
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
      try checkStandardOutput()
    } catch var failure as CommandFailure {
      // The report of what is wrong is an answer, too.
      if case .no = failure.kind {
        do { try checkStandardOutput() } catch let lost as CommandFailure { failure = lost } catch {
        }
      }
      if !failure.description.isEmpty { printError("configsync: \(failure.description)") }
      Foundation.exit(failure.kind.rawValue)
    } catch {
      let isRequest = exitCode(for: error) == .success
      let text = fullMessage(for: error)
      if isRequest { print(text) } else { printError(text) }
      Foundation.exit(isRequest ? 0 : CommandFailure.Kind.unknown.rawValue)
    }
  }
}
