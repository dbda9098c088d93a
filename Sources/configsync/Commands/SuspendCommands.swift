import ArgumentParser
import ConfigModel
import Foundation
import GitSource
import Reconciler
import Server

/// Who says something of a source: for the record.
struct OperatorOptions: ParsableArguments {
  @Option(help: "The source's name in the store.")
  var source = environment("SOURCE", "default")

  @Option(help: "Why: it is recorded.")
  var reason: String

  @Option(help: "Who says so. Default: the user of --user, or of this machine.")
  var by: String?

  func validate() throws {
    guard !reason.trimmingCharacters(in: .whitespaces).isEmpty else {
      throw ValidationError("--reason says why")
    }
    guard SourceName.isValid(source) else {
      throw ValidationError("--source is \(SourceName.rule)")
    }
    guard reason.utf8.count <= 4096, (by ?? "").utf8.count <= 256 else {
      throw ValidationError("--reason has at most 4096 bytes, and --by 256")
    }
  }

  func name(_ cluster: ClusterOptions) -> String {
    if let by, !by.isEmpty { return by }
    return cluster.operatorName
  }
}

extension ClusterOptions {
  /// Who runs the command: the user of the cluster, or of this machine.
  var operatorName: String {
    let user = user.prefix { $0 != ":" }
    return user.isEmpty ? NSUserName() : String(user)
  }
}

struct SuspendCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "suspend", abstract: "Let a source rest: nothing of it is applied until 'resume'.",
    discussion: """
      Holds for every reconciler of the source as soon as the command returns.

      Example:
        configsync suspend --source acme --reason 'incident 42'
      """)

  @OptionGroup var who: OperatorOptions
  @OptionGroup var cluster: ClusterOptions

  func run() async throws { try await who.setSuspended(true, cluster) }
}

struct ResumeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Let a suspended source go on.",
    discussion: """
      Example:
        configsync resume --source acme --reason 'incident 42 is over'
      """)

  @OptionGroup var who: OperatorOptions
  @OptionGroup var cluster: ClusterOptions

  func run() async throws { try await who.setSuspended(false, cluster) }
}

extension OperatorOptions {
  fileprivate func setSuspended(_ isSuspended: Bool, _ cluster: ClusterOptions) async throws {
    let (source, who, reason) = (source, name(cluster), reason)
    try await cluster.withClient { client in
      // It may be about to be applied for the first time.
      if try await !Audit(client).knows(source) {
        printError("configsync: the store knows no source '\(source)' so far: see 'status'")
      }
      try await SourceOperator(EtcdConfigTarget(client), calendar: .system)
        .setSuspended(isSuspended, of: source, by: who, reason: reason)
    }
    print("source \(source) is \(isSuspended ? "suspended" : "resumed") by \(printableLine(who))")
  }
}

struct RejectCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reject", abstract: "Mark a commit so that it is skipped.",
    discussion: """
      A later commit is applied, and takes the changes along unless it reverts
      them. Exit code 1: the commit was applied already.

      Example:
        configsync reject 4f9d0c1 --reason 'breaks the load balancer'
      """)

  @Argument(help: "The commit: its whole id, or what the repository knows it by.")
  var commit: String
  @OptionGroup var repository: RepositoryOptions
  @OptionGroup var who: OperatorOptions
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    let id: CommitID
    if let whole = CommitID(commit) {
      id = whole
    } else {
      do {
        id = try repository.open().resolve(commit)
      } catch let error as GitError {
        throw CommandFailure(.unknown, "\(error)")
      }
    }
    let (source, name, reason) = (who.source, who.name(cluster), who.reason)
    try await cluster.withClient { client in
      try await SourceOperator(EtcdConfigTarget(client), calendar: .system)
        .reject(id, of: source, by: name, reason: reason)
    }
    print("commit \(id.short) is skipped by source \(source) from now on")
  }
}
