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
    help: "Where webhooks are taken: HOST:PORT; the path is /hooks/NAME, of --name or 'default'.")
  var listenWebhooks: String?

  @Option(help: "Who sends them: github, gitlab, gitea, bitbucket or generic.")
  var webhookForge = ForgeKind.generic

  @Option(help: "A file with the secret of the webhooks.")
  var webhookSecretFile: String?

  @OptionGroup var feedback: FeedbackOptions
  @OptionGroup var arguments: ReconcileArguments
  @OptionGroup var trust: TrustOptions
  @OptionGroup var cluster: ClusterOptions
  @OptionGroup var logging: LoggingOptions

  func validate() throws {
    guard (0.1...86_400).contains(interval) else {
      throw ValidationError("--interval is from 0.1 to 86400 seconds")
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
    let file = try config.map(DaemonSettings.read) ?? single()
    let followed = try file.sources.map { try follow($0, file) }
    let endpoint = try endpoint(file, followed)
    let feedback: Feedback
    do {
      feedback = try Feedback(file.statuses, logger: logger)
    } catch {
      throw CommandFailure(.unknown, "\(error)")
    }
    let cluster = cluster
    try await runService(logger) {
      try await cluster.withClient { client in
        try await Self.serve(endpoint, at: file.webhookAddress) {
          await withTaskGroup(of: Void.self) { group in
            group.addTask { await cancelWhenShutDown { await feedback.run() } }
            for source in followed {
              group.addTask {
                await source.loop(client).run(
                  logger: source.logger, announcer: feedback.announcer(of: source.name))
              }
            }
          }
        }
      }
    }
  }

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

  private func follow(_ entry: DaemonFile.Source, _ file: DaemonFile) throws -> FollowedSource {
    var logger = logging.makeLogger("configsync.run")
    guard config != nil else {
      return FollowedSource(
        name: entry.name,
        source: try source.open(branch: branch, trusting: trust.signers),
        cache: try cache.makeCache(), options: arguments.options(), interval: entry.interval,
        logger: logger)
    }
    logger[metadataKey: "source"] = "\(entry.name)"
    var options = ReconcileOptions(
      name: entry.name, history: entry.history, requiresSignatures: entry.requiresSignatures,
      drift: entry.drift)
    options.acceptsRewrite = false
    return FollowedSource(
      name: entry.name,
      source: try source.open(
        entry.url, branch: entry.branch, with: entry.credentials, trusting: file.signers),
      cache: try cache.makeCache(in: entry.name), options: options, interval: entry.interval,
      logger: logger)
  }

  private func endpoint(
    _ file: DaemonFile, _ followed: [FollowedSource]
  ) throws -> WebhookEndpoint {
    let hooks = try file.hooks.compactMap { hook -> WebhookEndpoint.Hook? in
      guard let source = followed.first(where: { $0.name == hook.source }) else { return nil }
      guard let secret = try? SecretFile.read(hook.secretFile),
        let verifier = WebhookVerifier(hook.kind, secret: Array(secret.utf8))
      else {
        throw CommandFailure(
          .unknown, "'\(hook.secretFile)' holds no secret of at least eight bytes")
      }
      return .init(source: source.name, verifier: verifier, doorbell: source.doorbell)
    }
    return WebhookEndpoint(hooks) { Int64(Date().timeIntervalSince1970) }
  }

  /// Takes webhooks while `body` runs.
  private static func serve(
    _ endpoint: WebhookEndpoint, at address: String?, _ body: () async throws -> Void
  ) async throws {
    guard let address else { return try await body() }
    let listener: WebhookListener
    do {
      listener = try await WebhookListener(endpoint, on: address)
    } catch {
      throw CommandFailure(.unknown, "can't take webhooks at '\(address)': \(error)")
    }
    do {
      try await body()
    } catch {
      try await listener.shutDown()
      throw error
    }
    try await listener.shutDown()
  }
}

/// A source with all that its loop needs.
private struct FollowedSource: Sendable {
  var name: String
  var source: GitConfigSource
  var cache: CompileCache
  var options: ReconcileOptions
  var interval: Duration
  var logger: Logger
  var doorbell = Doorbell()

  func loop(_ client: ConfigClient) -> ReconcileLoop {
    let reconciler = SourceReconciler(
      source: source, target: EtcdConfigTarget(client), calendar: .system, cache: cache)
    return ReconcileLoop(reconciler, options: options, interval: interval, doorbell: doorbell)
  }
}

/// Reads the daemon's file, and tells what is wrong with it at its place.
private enum DaemonSettings {
  static func read(_ path: String) throws -> DaemonFile {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw CommandFailure(.unknown, "there is no file '\(path)', or it can't be read")
    }
    let bytes = [UInt8](data)
    let (file, diagnostics) = DaemonFileReader.read(bytes, named: path)
    if !diagnostics.isEmpty {
      let style: HumanRenderer.Style = isatty(STDERR_FILENO) == 1 ? .colored : .plain
      printError(HumanRenderer(style) { $0 == path ? bytes : nil }.render(diagnostics))
    }
    guard let file else { throw CommandFailure(.unknown, "'\(path)' is invalid") }
    return file
  }
}
