import ArgumentParser
import Compiler
import ConfigSyncClient
import GitSource
import Logging
import Reconciler
import Server
import Synchronization

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
  func reconciler(in folder: String, logger: Logger) -> MemberReconciler? {
    guard !source.isEmpty || !sourceConfig.isEmpty else { return nil }
    let options = self
    return MemberReconciler(logger: logger) { try options.open(in: folder, logger: logger) }
  }

  /// - Throws: `CommandFailure` for what can't be used.
  private func open(
    in folder: String, logger: Logger
  ) throws -> (ReconcilerDaemon, ClientCredentials?) {
    let opener = SourceOpener(
      mirrorFolder: folder + "/mirrors", fetchSeconds: SourceOpener.usualSeconds)
    let credentials = try credentials()
    guard sourceConfig.isEmpty else {
      let daemon = try ReconcilerDaemon(
        DaemonSettings.read(sourceConfig), opener: opener, cache: { _ in .init() }, logger: logger)
      return (daemon, credentials)
    }
    let opened = try opener.open(
      source, branch: sourceBranch, history: .head, with: GitCredentials(),
      trusting: TrustedSigners())
    var file = DaemonFile()
    file.sources = [DaemonFile.Source(name: "default", url: source)]
    let followed = FollowedSource(
      name: "default", cache: .init(), options: .init(), interval: file.sources[0].interval,
      logger: logger
    ) { opened }
    return (try ReconcilerDaemon(file, [followed], logger: logger), credentials)
  }

  private func credentials() throws -> ClientCredentials? {
    guard !sourceUser.isEmpty else { return nil }
    do {
      return ClientCredentials(
        user: sourceUser, password: try SecretFile.read(sourcePasswordFile))
    } catch {
      throw CommandFailure(.unknown, "\(error)")
    }
  }
}

/// A reconciler in the process of a member, that works while the member leads. Nothing that is wrong with it ends the
/// member: it is tried again.
final class MemberReconciler: Sendable {
  typealias Opened = (daemon: ReconcilerDaemon, credentials: ClientCredentials?)

  private static let firstRetry = Duration.seconds(1)
  private static let longestRetry = Duration.seconds(60)

  private let logger: Logger
  private let open: @Sendable () throws -> Opened
  private let metrics = Mutex<ReconcilerMetrics?>(nil)

  init(logger: Logger, open: @escaping @Sendable () throws -> Opened) {
    self.logger = logger
    self.open = open
  }

  /// What is known of its sources, for `/metrics`.
  var metricsText: String { metrics.withLock { $0?.text ?? "" } }

  /// Runs until the process is asked to end.
  ///
  /// - Parameter endpoint: of this member.
  func run(beside endpoint: String) async {
    await cancelWhenShutDown {
      var retry = MemberReconciler.firstRetry
      while !Task.isCancelled {
        do {
          let opened = try self.open()
          self.metrics.withLock { $0 = opened.daemon.metrics }
          try await ClusterOptions.withClient([endpoint], credentials: opened.credentials) {
            try await opened.daemon.run($0, lease: LeadershipLease($0))
          }
          return
        } catch {
          guard !Task.isCancelled else { return }
          self.logger.error(
            "nothing is reconciled here: it is tried again",
            metadata: ["error": "\(error)", "retry": "\(retry)"])
          do { try await Task.sleep(for: retry) } catch { return }
          retry = min(retry * 2, MemberReconciler.longestRetry)
        }
      }
    }
  }
}
