import ArgumentParser
import ConfigModel
import Foundation
import Logging
import Reconciler
import Server
import Synchronization

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Keep the store in step with a repository: the daemon.",
    discussion: """
      Looks for new commits every --interval, and after a failure again with growing pauses.

      Example:
        configsync run --repo my-config --interval 5
      """)

  @OptionGroup var source: SourceOptions
  @OptionGroup var cache: CacheOptions

  @Option(help: "The branch to follow. Default: the one checked out.")
  var branch = environment("BRANCH", "HEAD")

  @Option(help: "Seconds between looks at the repository.")
  var interval = environment("INTERVAL", 30.0)

  @OptionGroup var arguments: ReconcileArguments
  @OptionGroup var trust: TrustOptions
  @OptionGroup var cluster: ClusterOptions
  @OptionGroup var logging: LoggingOptions

  func validate() throws {
    guard interval > 0, interval < 86_400 else {
      throw ValidationError("--interval is between 0 and 86400 seconds")
    }
  }

  func run() async throws {
    let logger = logging.makeLogger("configsync.run")
    let source = try source.open(branch: branch, trusting: trust.signers)
    let cache = try cache.makeCache()
    let (options, interval, cluster) = (arguments.options(), Duration.seconds(interval), cluster)
    try await runService(logger) {
      try await cluster.withClient { client in
        let reconciler = SourceReconciler(
          source: source, target: EtcdConfigTarget(client), calendar: .system, cache: cache)
        await ReconcileLoop(reconciler, options: options, interval: interval).log(to: logger)
      }
    }
  }
}
