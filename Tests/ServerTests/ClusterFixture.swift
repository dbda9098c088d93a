import Foundation
import Logging
import Server
import TestSupport

/// Three members in this process, on ports that were free a moment ago.
struct ClusterFixture: Sendable {
  let folder: TemporaryFolder
  var members: [ServerOptions]

  init(count: Int = 3) throws {
    folder = try TemporaryFolder()
    let ports = try freePorts(count * 2)
    let cluster = (0..<count).map { "m\($0)=http://127.0.0.1:\(ports[$0])" }
      .joined(separator: ",")
    members = (0..<count).map { [folder] index in
      var options = ServerOptions()
      options.name = "m\(index)"
      options.dataDirectory = folder.path + "/m\(index)"
      options.listenPeerURLs = ["http://127.0.0.1:\(ports[index])"]
      options.listenClientURLs = ["http://127.0.0.1:\(ports[count + index])"]
      options.initialCluster = cluster
      options.snapshotCount = 100
      options.heartbeatMilliseconds = 50
      options.electionMilliseconds = 500
      options.clientThreads = 1
      // The least that bcrypt knows: the tests are not about how slow it is.
      options.bcryptCost = 4
      return options
    }
  }

  var endpoints: [String] { members.flatMap(\.listenClientURLs) }

  /// Runs `body` beside the members, and stops them afterwards.
  func run<Result: Sendable>(
    _ body: @escaping @Sendable (RunningCluster) async throws -> Result
  ) async throws -> Result {
    let running = RunningCluster(fixture: self)
    do {
      for index in members.indices { try await running.start(index) }
      let result = try await body(running)
      await running.stopAll()
      return result
    } catch {
      await running.stopAll()
      throw error
    }
  }
}

/// Members that can be stopped and started again.
actor RunningCluster {
  nonisolated let fixture: ClusterFixture
  private var tasks: [Int: Task<Void, any Error>] = [:]

  init(fixture: ClusterFixture) { self.fixture = fixture }

  /// Starts a member, and returns once it listens.
  ///
  /// - Throws: why it doesn't.
  func start(_ index: Int) async throws {
    var logger = Logger(label: "m\(index)") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .error
    let member = logger
    let options = fixture.members[index]
    let (started, signal) = AsyncStream.makeStream(of: Void.self)
    let task = Task {
      defer { signal.finish() }
      try await ConfigSyncServer(
        options, logger: member, failStop: { fatalError("\($0)") },
        started: { _ in signal.yield() }
      ).run()
    }
    tasks[index] = task
    for await _ in started { return }
    try await task.value
  }

  /// Stops a member as a cancelled task does; it has flushed nothing that was not durable.
  func stop(_ index: Int) async {
    tasks[index]?.cancel()
    _ = await tasks[index]?.result
    tasks[index] = nil
  }

  func stopAll() async {
    for index in fixture.members.indices { await stop(index) }
  }
}

extension Logger {
  /// Says nothing.
  static var quiet: Logger { Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() } }
}
