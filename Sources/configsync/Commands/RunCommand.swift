public import ArgumentParser
import Compiler
import ConfigModel
import ConfigSyncClient
import Foundation
public import GitSource
import Logging
import Reconciler
import Server

extension ForgeKind: ExpressibleByArgument {}

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Keep the store in step with a repository: the daemon.",
    discussion: """
      Looks for new commits every --interval, when a webhook comes, and after a
      failure again with growing pauses; and puts keys back that somebody else has
      changed, as soon as they change. Several sources are named in a file
      (--config), with all that their branches must not decide themselves.

      Example:
        configsync run --repo my-config --interval 5
        configsync run --repo https://git.example.com/config.git \\
          --git-password-file token --listen-webhooks 127.0.0.1:9000 \\
          --webhook-forge gitea --webhook-secret-file secret
        configsync run --config /etc/configsync/run.yaml
      """)

  @Option(help: "A file that names the sources, instead of the flags of a single one.")
  var config: String?

  @OptionGroup var source: SourceOptions
  @OptionGroup var cache: CacheOptions

  @Option(help: "The branch, tag or commit to follow. Default: the one checked out.")
  var branch = environment("BRANCH", "HEAD")

  @Option(help: "Seconds between looks at the repository.")
  var interval = environment("INTERVAL", 30.0)

  @Option(
    help: """
      Of several daemons of one source one works: seconds until another takes over from one \
      that has died. 0: all of them work.
      """)
  var leaseTtl = environment("LEASE_TTL", 15)

  @Option(
    help: "Where webhooks are taken: HOST:PORT; the path is /hooks/NAME, of --name or 'default'.")
  var listenWebhooks: String?

  @Option(help: "Who sends them: github, gitlab, gitea, bitbucket or generic.")
  var webhookForge = ForgeKind.generic

  @Option(help: "A file with the secret of the webhooks.")
  var webhookSecretFile: String?

  @Option(help: "Where metrics are told: HOST:PORT; the path is /metrics.")
  var listenMetrics = environment("LISTEN_METRICS", "")

  @OptionGroup var feedback: FeedbackOptions
  @OptionGroup var arguments: ReconcileArguments
  @OptionGroup var trust: TrustOptions
  @OptionGroup var cluster: ClusterOptions
  @OptionGroup var logging: LoggingOptions

  func validate() throws {
    guard (0.1...86_400).contains(interval) else {
      throw ValidationError("--interval is from 0.1 to 86400 seconds")
    }
    guard (0...3600).contains(leaseTtl) else {
      throw ValidationError("--lease-ttl is from 0 to 3600 seconds")
    }
    if config != nil {
      guard !arguments.requireSignatures, trust.signers.isEmpty, listenWebhooks == nil,
        arguments.name == nil, feedback.isEmpty
      else {
        throw ValidationError(
          "what flags say of names, signatures, webhooks and statuses stands in the file of --config"
        )
      }
    }
    guard (listenWebhooks == nil) == (webhookSecretFile == nil) else {
      throw ValidationError("--listen-webhooks and --webhook-secret-file go together")
    }
  }

  func run() async throws {
    let logger = logging.makeLogger("configsync.run")
    let daemon = try daemon(logger)
    let (cluster, seconds) = (cluster, Int64(leaseTtl))
    try await runService(logger) {
      try await cluster.withClient { client in
        guard seconds > 0 else { return try await daemon.run(client, lease: nil) }
        let lease = EtcdSourceLease(
          client, name: ReconcilerDaemon.processName, seconds: seconds,
          now: FreezeCalendar.system.uptime)
        try await withThrowingTaskGroup(of: Void.self) { group in
          // It is given back once nothing is reconciled any more.
          group.addTask { await lease.keep(on: ContinuousClock()) }
          try await daemon.run(client, lease: lease)
          group.cancelAll()
        }
      }
    }
  }

  private func daemon(_ logger: Logger) throws -> ReconcilerDaemon {
    if let config {
      return try ReconcilerDaemon(
        DaemonSettings.read(config), opener: source.opener, cache: cache.makeCache,
        metricsAddress: metricsAddress, logger: logger)
    }
    let file = try single()
    let opened = try source.open(
      branch: branch, history: arguments.history, trusting: trust.signers)
    let followed = FollowedSource(
      name: file.sources[0].name, cache: try cache.makeCache(), options: arguments.options(),
      interval: .seconds(interval), logger: logger
    ) { opened }
    return try ReconcilerDaemon(file, [followed], metricsAddress: metricsAddress, logger: logger)
  }

  private var metricsAddress: String? { listenMetrics.isEmpty ? nil : listenMetrics }

  /// What the flags say.
  private func single() throws -> DaemonFile {
    var file = DaemonFile()
    var source = DaemonFile.Source(name: arguments.name ?? "default", url: self.source.repo)
    source.branch = branch
    source.interval = .seconds(interval)
    file.sources = [source]
    file.statuses = try feedback.destinations(of: source)
    file.signers = trust.signers
    file.webhookAddress = listenWebhooks
    if let webhookSecretFile {
      file.hooks = [.init(source: source.name, kind: webhookForge, secretFile: webhookSecretFile)]
    }
    return file
  }
}
