import ArgumentParser
import Compiler
import ConfigSyncClient
import GitSource
import Logging
import Reconciler
import Server

/// What a member of the cluster reconciles while it leads.
struct MemberSourceOptions: ParsableArguments {
  @Option(help: "A repository that the cluster's leader reconciles: a path, or a URL.")
  var source = environment("SOURCE", "")

  @Option(help: "The branch, tag or commit of --source.")
  var sourceBranch = environment("SOURCE_BRANCH", "HEAD")

  @Option(help: "A file that names the sources, as 'run --config' has it, instead of --source.")
  var sourceConfig = environment("SOURCE_CONFIG", "")

  @Option(help: "Who reconciles, where the cluster has permissions switched on.")
  var sourceUser = environment("SOURCE_USER", "")

  @Option(help: "A file with the password of --source-user.")
  var sourcePasswordFile = environment("SOURCE_PASSWORD_FILE", "")

  func validate() throws {
    guard source.isEmpty || sourceConfig.isEmpty else {
      throw ValidationError("--source and --source-config exclude each other")
    }
    guard sourceUser.isEmpty == sourcePasswordFile.isEmpty else {
      throw ValidationError("--source-user and --source-password-file go together")
    }
  }

  /// - Parameter folder: the member's, where mirrors of remote repositories are kept.
  /// - Returns: nil if the member reconciles nothing.
  /// - Throws: `CommandFailure` for what can't be used.
  func reconciler(in folder: String, logger: Logger) throws -> MemberReconciler? {
    guard !source.isEmpty || !sourceConfig.isEmpty else { return nil }
    let opener = SourceOpener(mirrorFolder: folder + "/mirrors", fetchSeconds: 120)
    let daemon: ReconcilerDaemon
    if sourceConfig.isEmpty {
      let opened = try opener.open(
        source, branch: sourceBranch, history: .head, with: GitCredentials(),
        trusting: TrustedSigners())
      var file = DaemonFile()
      file.sources = [DaemonFile.Source(name: "default", url: source)]
      let followed = FollowedSource(
        name: "default", source: opened, cache: .init(), options: .init(),
        interval: file.sources[0].interval, logger: logger)
      daemon = try ReconcilerDaemon(file, [followed], logger: logger)
    } else {
      daemon = try ReconcilerDaemon(
        DaemonSettings.read(sourceConfig), opener: opener, cache: { _ in .init() }, logger: logger)
    }
    var credentials: ClientCredentials?
    if !sourceUser.isEmpty {
      do {
        credentials = ClientCredentials(
          user: sourceUser, password: try SecretFile.read(sourcePasswordFile))
      } catch {
        throw CommandFailure(.unknown, "\(error)")
      }
    }
    return MemberReconciler(daemon: daemon, credentials: credentials)
  }
}

/// A reconciler in the process of a member, that works while the member leads.
struct MemberReconciler: Sendable {
  var daemon: ReconcilerDaemon
  var credentials: ClientCredentials?

  func run(beside endpoint: String) async throws {
    try await ClusterOptions.withClient([endpoint], credentials: credentials) { client in
      try await daemon.run(client, lease: LeadershipLease(client))
    }
  }
}
