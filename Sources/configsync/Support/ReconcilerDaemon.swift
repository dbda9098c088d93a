import Compiler
import ConfigModel
import ConfigSyncClient
import Foundation
import GitSource
import Logging
import Reconciler
import Server

/// A source with all that its loop needs.
struct FollowedSource: Sendable {
  private static let firstRetry = Duration.seconds(1)
  private static let longestRetry = Duration.seconds(60)

  var name: String
  let open: @Sendable () throws -> GitConfigSource
  var cache: CompileCache
  var options: ReconcileOptions
  var interval: Duration
  var logger: Logger
  var doorbell = Doorbell()
  let figures: SourceFigures

  /// - Parameter open: is tried again while it fails.
  init(
    name: String, cache: CompileCache, options: ReconcileOptions, interval: Duration,
    logger: Logger, open: @escaping @Sendable () throws -> GitConfigSource
  ) {
    (self.name, self.open, self.cache) = (name, open, cache)
    (self.options, self.interval, self.logger) = (options, interval, logger)
    figures = SourceFigures(name, now: FreezeCalendar.system.now)
  }

  /// Reconciles until the process is asked to end.
  func run(
    _ client: ConfigClient, lease: (any SourceLease)?, announcer: Announcer
  ) async {
    await cancelWhenShutDown {
      guard let source = await opened() else { return }
      let reconciler = SourceReconciler(
        source: source, target: EtcdConfigTarget(client), calendar: .system, cache: cache)
      await ReconcileLoop(
        reconciler, options: options, interval: interval, doorbell: doorbell, lease: lease
      ).run(logger: logger, announcer: announcer, figures: figures)
    }
  }

  /// A repository that is not there yet, or is another process's, keeps no other source waiting.
  ///
  /// - Returns: nil once the task is cancelled.
  private func opened() async -> GitConfigSource? {
    var retry = FollowedSource.firstRetry
    while !Task.isCancelled {
      do {
        return try open()
      } catch {
        logger.error(
          "the source can't be opened: it is tried again",
          metadata: ["error": "\(error)", "retry": "\(retry)"])
        figures.note(.failed(error, retryAfter: retry))
      }
      do { try await Task.sleep(for: retry) } catch { return nil }
      retry = min(retry * 2, FollowedSource.longestRetry)
    }
    return nil
  }
}

/// The sources that a process follows, the webhooks that it takes, and who is told.
struct ReconcilerDaemon: Sendable {
  private let followed: [FollowedSource]
  private let webhooks: WebhookEndpoint
  private let webhookAddress: String?
  private let metricsAddress: String?
  private let feedback: Feedback

  /// - Throws: `CommandFailure` for what the file names and can't be used.
  init(
    _ file: DaemonFile, _ followed: [FollowedSource], metricsAddress: String? = nil, logger: Logger
  ) throws {
    self.followed = followed
    self.metricsAddress = metricsAddress
    webhooks = try ReconcilerDaemon.endpoint(file, followed)
    webhookAddress = file.webhookAddress
    do {
      feedback = try Feedback(file.statuses, logger: logger)
    } catch {
      throw CommandFailure(.unknown, "\(error)")
    }
  }

  /// What a file says, each source with mirrors and a cache of its own.
  init(
    _ file: DaemonFile, opener: SourceOpener, cache: (_ name: String) throws -> CompileCache,
    metricsAddress: String? = nil, logger: Logger
  ) throws {
    let followed = try file.sources.map { entry in
      var logger = logger
      logger[metadataKey: "source"] = "\(entry.name)"
      let signers = file.signers
      return FollowedSource(
        name: entry.name, cache: try cache(entry.name),
        options: ReconcileOptions(
          name: entry.name, history: entry.history, requiresSignatures: entry.requiresSignatures,
          drift: entry.drift),
        interval: entry.interval, logger: logger
      ) {
        try opener.open(
          entry.url, branch: entry.branch, history: entry.history, with: entry.credentials,
          trusting: signers)
      }
    }
    try self.init(file, followed, metricsAddress: metricsAddress, logger: logger)
  }

  /// Who this process is, for people.
  static var processName: String {
    var bytes = [CChar](repeating: 0, count: 256)
    let isKnown = gethostname(&bytes, bytes.count - 1) == 0
    let name = String(
      decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return "\(isKnown ? name : "?"):\(getpid())"
  }

  /// Reconciles until the process is asked to end.
  ///
  /// - Throws: `CommandFailure` if webhooks can't be taken.
  func run(_ client: ConfigClient, lease: (any SourceLease)?) async throws {
    let listeners = try await listen()
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await cancelWhenShutDown { await feedback.run() } }
      for source in followed {
        group.addTask {
          await source.run(
            client, lease: lease, announcer: feedback.announcer(of: source.name))
        }
      }
    }
    for listener in listeners { try await listener.shutDown() }
  }

  /// What is known of its sources, for `/metrics`.
  var metrics: ReconcilerMetrics { ReconcilerMetrics(followed.map(\.figures), feedback) }

  private func listen() async throws -> [PlainListener] {
    var listeners: [PlainListener] = []
    do {
      if let webhookAddress {
        listeners.append(try await PlainListener(webhooks, on: webhookAddress))
      }
      if let metricsAddress {
        listeners.append(try await PlainListener(metrics, on: metricsAddress))
      }
      return listeners
    } catch {
      let isFirst = listeners.isEmpty && webhookAddress != nil
      for listener in listeners { try await listener.shutDown() }
      throw CommandFailure(
        .unknown,
        isFirst
          ? "can't take webhooks at '\(webhookAddress ?? "")': \(error)"
          : "can't tell metrics at '\(metricsAddress ?? "")': \(error)")
    }
  }

  private static func endpoint(
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
    return WebhookEndpoint(hooks, now: FreezeCalendar.system.now)
  }
}

/// Reads the daemon's file, and tells what is wrong with it at its place.
enum DaemonSettings {
  static func read(_ path: String) throws -> DaemonFile {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw CommandFailure(.unknown, "there is no file '\(path)', or it can't be read")
    }
    let bytes = [UInt8](data)
    let (file, diagnostics) = DaemonFileReader.read(bytes, named: path)
    if !diagnostics.isEmpty {
      let style: HumanRenderer.Style = isatty(STDERR_FILENO) == 1 ? .colored : .plain
      // Without the lines: a secret may stand in them by mistake, and this goes to the log.
      printError(HumanRenderer(style) { _ in nil }.render(diagnostics))
    }
    guard let file else { throw CommandFailure(.unknown, "'\(path)' is invalid") }
    return file
  }
}
