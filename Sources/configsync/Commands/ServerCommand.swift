import ArgumentParser
import Foundation
import Logging
import Server

struct ServerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "server", abstract: "Run one member of the cluster.",
    discussion: """
      Example, a cluster of one:
        configsync server --name a --data-dir a.data
      that also reconciles a repository while it leads:
        configsync server --name a --data-dir a.data \
          --source https://git.example.com/config.git

      The flags are named as etcd names them.
      """)

  @Option(help: "The member's name, as --initial-cluster has it.")
  var name = environment("NAME", "default")

  @Option(help: "Where the member keeps its log and state. Default: NAME.configsync.")
  var dataDir = environment("DATA_DIR", "")

  @Option(help: "URLs to listen on for clients.")
  var listenClientUrls = environment("LISTEN_CLIENT_URLS", "http://localhost:2379")

  @Option(help: "URLs that clients reach this member at. Default: those it listens on.")
  var advertiseClientUrls = environment("ADVERTISE_CLIENT_URLS", "")

  @Option(help: "URLs to answer health and metrics on besides the clients'.")
  var listenMetricsUrls = environment("LISTEN_METRICS_URLS", "")

  @Option(help: "The URL to listen on for other members.")
  var listenPeerUrls = environment("LISTEN_PEER_URLS", "http://localhost:2380")

  @Option(help: "URLs that other members reach this one at. Default: those it listens on.")
  var initialAdvertisePeerUrls = environment("INITIAL_ADVERTISE_PEER_URLS", "")

  @Option(help: "NAME=URL of every member, comma-separated. Default: this one alone.")
  var initialCluster = environment("INITIAL_CLUSTER", "")

  @Option(help: "Keeps clusters apart that were set up with the same URLs.")
  var initialClusterToken = environment("INITIAL_CLUSTER_TOKEN", "etcd-cluster")

  @Option(help: "'new', or 'existing' for a member that was added to a running cluster.")
  var initialClusterState = environment("INITIAL_CLUSTER_STATE", "new")

  @Option(help: "Applied entries after which the log is cut.")
  var snapshotCount: UInt64 = environment("SNAPSHOT_COUNT", 10_000)

  @Option(help: "Bytes of the database above which writes are refused; 0 for etcd's default.")
  var quotaBackendBytes: Int64 = environment("QUOTA_BACKEND_BYTES", 0)

  @Option(help: "'simple', or 'jwt,sign-method=ES256,priv-key=FILE,ttl=5m'.")
  var authToken = environment("AUTH_TOKEN", "simple")

  @Option(help: "Seconds that a simple token counts after its last use.")
  var authTokenTtl = environment("AUTH_TOKEN_TTL", 300)

  @Option(help: "How slow passwords are to check: the binary logarithm of bcrypt's rounds.")
  var bcryptCost = environment("BCRYPT_COST", 10)

  @Option(help: "Seconds after which a watch is told that it misses nothing, if it asked for that.")
  var watchProgressNotifyInterval = environment("WATCH_PROGRESS_NOTIFY_INTERVAL", 600)

  @Option(help: "What --auto-compaction-retention counts: 'periodic' or 'revision'.")
  var autoCompactionMode = environment("AUTO_COMPACTION_MODE", "periodic")

  @Option(
    help: "History that is kept: a time like 1h30m or a number of hours; or of revisions. 0: all.")
  var autoCompactionRetention = environment("AUTO_COMPACTION_RETENTION", "0")

  @Option(help: "How often the members' states are compared: a time like 1h or 30m; 0 for never.")
  var corruptCheckTime = environment("CORRUPT_CHECK_TIME", "1h")

  @Option(help: "Operations of one level of a transaction.")
  var maxTxnOps = environment("MAX_TXN_OPS", 100_000)

  @Option(help: "Bytes of one request.")
  var maxRequestBytes = environment("MAX_REQUEST_BYTES", 64 << 20)

  @Option(help: "Milliseconds between heartbeats.")
  var heartbeatInterval = environment("HEARTBEAT_INTERVAL", 100)

  @Option(help: "Milliseconds without a leader before a member campaigns.")
  var electionTimeout = environment("ELECTION_TIMEOUT", 1000)

  @OptionGroup var source: MemberSourceOptions
  @OptionGroup var logging: LoggingOptions

  func run() async throws {
    var options = ServerOptions()
    options.name = name
    options.dataDirectory = dataDir.isEmpty ? "\(name).configsync" : dataDir
    options.listenClientURLs = listenClientUrls.commaSeparated
    options.listenMetricsURLs = listenMetricsUrls.commaSeparated
    options.advertiseClientURLs = advertiseClientUrls.commaSeparated
    options.listenPeerURLs = listenPeerUrls.commaSeparated
    options.initialAdvertisePeerURLs = initialAdvertisePeerUrls.commaSeparated
    options.initialCluster = initialCluster
    options.initialClusterToken = initialClusterToken
    guard let state = InitialClusterState(rawValue: initialClusterState) else {
      throw ValidationError("--initial-cluster-state is 'new' or 'existing'")
    }
    options.initialClusterState = state
    options.snapshotCount = snapshotCount
    options.quotaBackendBytes = quotaBackendBytes
    options.watchProgressSeconds = watchProgressNotifyInterval
    options.corruptCheckTime = corruptCheckTime
    options.maxTxnOps = maxTxnOps
    options.maxRequestBytes = maxRequestBytes
    options.autoCompactionMode = autoCompactionMode
    options.autoCompactionRetention = autoCompactionRetention
    options.authToken = authToken
    options.authTokenTTL = authTokenTtl
    options.bcryptCost = bcryptCost
    options.heartbeatMilliseconds = heartbeatInterval
    options.electionMilliseconds = electionTimeout
    let logger = logging.makeLogger("configsync.\(name)")
    let reconciler = source.reconciler(in: options.dataDirectory, logger: logger)
    // The port may be one that the system chooses.
    let host = options.listenClientURLs.first.map { url in
      url.lastIndex(of: ":").map { String(url[..<$0]) } ?? url
    }
    let (ports, started) = AsyncStream.makeStream(of: [Int].self)
    let server = ConfigSyncServer(
      options, logger: logger, failStop: { stop($0, logger: logger) },
      started: { started.yield($0) }, moreMetrics: { reconciler?.metricsText ?? "" })
    try await runService(logger) {
      try await withThrowingTaskGroup(of: Void.self) { group in
        if let reconciler {
          group.addTask {
            for await port in ports.compactMap(\.first) {
              await reconciler.run(beside: "\(host ?? "http://127.0.0.1"):\(port)")
            }
          }
        }
        try await server.run()
        group.cancelAll()
      }
    }
  }
}

/// Ends the process: the disk has failed, and nothing more may be promised.
func stop(_ error: any Error, logger: Logger) {
  logger.critical("the member stops: its disk failed", metadata: ["error": "\(error)"])
  exit(2)
}
