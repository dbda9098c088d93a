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

  @OptionGroup var repository: RepositoryOptions
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
    let repository = try repository.open()
    let source = GitConfigSource(repository, branch: branch, trusting: trust.signers)
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

extension ReconcileLoop {
  /// Runs until it is cancelled, and logs what happens.
  func log(to logger: Logger) async {
    let told = Mutex<Set<CommitID>>([])
    let frozen = Mutex<Freeze?>(nil)
    await cancelWhenShutDown {
      await run(on: ContinuousClock()) { facts, result in
        // A refused commit is looked at again each time; it is news once.
        guard told.withLock({ $0.insert(facts.commit).inserted }) else { return }
        Self.log(facts, result, to: logger)
      } ended: { outcome in
        switch outcome {
        case .finished(let report):
          if let freeze = report.freeze, Self.isNew(freeze, frozen) {
            logger.notice(
              "changes are frozen",
              metadata: ["window": "\(freeze.window)", "until": "\(freeze.endText)"])
          }
          logger.debug("in step", metadata: ["head": "\(report.head?.short ?? "none")"])
        case .failed(let error, let pause):
          logger.warning(
            "reconciling failed", metadata: ["error": "\(error)", "retry": "\(pause)"])
        case .stalled(let error):
          logger.error("reconciling stopped until someone decides", metadata: ["error": "\(error)"])
        }
      }
    }
  }

  private static func isNew(_ freeze: Freeze, _ told: borrowing Mutex<Freeze?>) -> Bool {
    told.withLock { last in
      defer { last = freeze }
      return last != freeze
    }
  }

  private static func log(_ facts: CommitFacts, _ result: CommitResult, to logger: Logger) {
    switch result {
    case .applied(let revision, let plan):
      logger.notice(
        "applied a commit",
        metadata: [
          "commit": "\(facts.commit.short)", "revision": "\(revision)",
          "puts": "\(plan.puts.count)", "deletes": "\(plan.deletes.count)",
          "author": "\(facts.author.name)",
        ])
    case .refused(let diagnostics):
      let first = diagnostics.first { $0.severity == .error }
      let place = first.map { "\($0.span.file):\($0.span.start.line):\($0.span.start.column)" }
      logger.error(
        "refused a commit",
        metadata: [
          "commit": "\(facts.commit.short)", "at": "\(place ?? "-")",
          "finding": "\(first?.message ?? "-")",
          "errors": "\(diagnostics.count { $0.severity == .error })",
        ])
    }
  }
}
