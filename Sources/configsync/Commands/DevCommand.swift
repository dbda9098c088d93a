import ArgumentParser
import Foundation
import Logging
import Reconciler
import Server

struct DevCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dev", abstract: "Run a cluster and a reconciler in one process, to try things.",
    discussion: """
      Example:
        configsync dev --repo my-config
      then, in another terminal:
        configsync watch --prefix /
      """)

  @OptionGroup var repository: RepositoryOptions

  @Option(help: "Members of the cluster: 1, 3 or 5.")
  var members = environment("MEMBERS", 3)

  @Option(help: "Where the members keep their data.")
  var dataDir = environment("DATA_DIR", "configsync.dev")

  @Option(help: "The client port of the first member; the others' follow.")
  var port = environment("PORT", 2379)

  @Option(help: "Seconds between looks at the repository.")
  var interval = environment("INTERVAL", 1.0)

  @OptionGroup var arguments: ReconcileArguments
  @OptionGroup var trust: TrustOptions
  @OptionGroup var logging: LoggingOptions

  func validate() throws {
    guard [1, 3, 5].contains(members) else { throw ValidationError("--members is 1, 3 or 5") }
    guard (1...65_000).contains(port) else { throw ValidationError("--port is up to 65000") }
    guard interval > 0 else { throw ValidationError("--interval is above 0") }
  }

  func run() async throws {
    let logger = logging.makeLogger("configsync.dev")
    let source = GitConfigSource(try repository.open(), trusting: trust.signers)
    let settings = (0..<members).map(options)
    let endpoints = settings.flatMap(\.listenClientURLs)
    let (reconcile, interval) = (arguments.options(), Duration.seconds(interval))
    let logging = logging
    do {
      try FileManager.default.createDirectory(
        atPath: dataDir, withIntermediateDirectories: true)
    } catch {
      throw CommandFailure(.unknown, "can't make '\(dataDir)': \(error.localizedDescription)")
    }
    try await runService(logger) {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for options in settings {
          let logger = logging.makeLogger("configsync.\(options.name)")
          group.addTask {
            do {
              try await ConfigSyncServer(
                options, logger: logger, failStop: { stop($0, logger: logger) }
              ).run()
            } catch let removed as RemovedError {
              // The others go on without it.
              logger.error("\(removed)")
            }
          }
        }
        group.addTask {
          try await ClusterOptions.withClient(endpoints) { client in
            let reconciler = SourceReconciler(
              source: source, target: EtcdConfigTarget(client), calendar: .system)
            await ReconcileLoop(reconciler, options: reconcile, interval: interval)
              .run(logger: logger)
          }
        }
        logger.notice("ready", metadata: ["endpoints": "\(endpoints.joined(separator: ","))"])
        // The first that fails ends all.
        while try await group.next() != nil {}
      }
    }
  }

  private func options(_ index: Int) -> ServerOptions {
    var options = ServerOptions()
    let peerPort = { port + members + $0 }
    options.name = "member\(index + 1)"
    options.dataDirectory = "\(dataDir)/\(options.name)"
    options.listenClientURLs = ["http://127.0.0.1:\(port + index)"]
    options.listenPeerURLs = ["http://127.0.0.1:\(peerPort(index))"]
    options.initialCluster = (0..<members).map { other in
      "member\(other + 1)=http://127.0.0.1:\(peerPort(other))"
    }.joined(separator: ",")
    options.initialClusterToken = "dev"
    options.clientThreads = 1
    return options
  }
}
