import Cluster
import EtcdAPI
import GRPCServer
import Gateway
package import Logging
import PeerTransport
import ServiceLifecycle

/// One cluster member with its listeners: runs until it is cancelled or shut down.
package struct ConfigSyncServer: Sendable {
  private let options: ServerOptions
  private let logger: Logger
  private let failStop: @Sendable (any Error) -> Void
  private let started: @Sendable ([Int]) -> Void
  private let moreMetrics: @Sendable () -> String

  /// - Parameters:
  ///   - failStop: ends the process when the member's disk fails.
  ///   - started: is told the client ports, once they are bound.
  ///   - moreMetrics: what else of this process `/metrics` tells.
  package init(
    _ options: ServerOptions, logger: Logger, failStop: @escaping @Sendable (any Error) -> Void,
    started: @escaping @Sendable ([Int]) -> Void = { _ in },
    moreMetrics: @escaping @Sendable () -> String = { "" }
  ) {
    self.moreMetrics = moreMetrics
    self.options = options
    self.logger = logger
    self.failStop = failStop
    self.started = started
  }

  /// - Throws: `OptionsError`, why the data directory can't be used, or why no port can be bound;
  ///   `RemovedError` once the member belongs to its cluster no more.
  package func run() async throws {
    let configuration = try await options.clusterConfiguration()
    let serviceOptions = try options.serviceOptions
    let clientAddresses = try options.clientAddresses
    let metricsAddresses = try options.metricsAddresses
    let peerAddress = try options.peerAddress
    let (removal, signal) = AsyncStream.makeStream(of: Void.self)
    let member = try ClusterMember(
      configuration, environment: .eventLoops(), logger: logger, failStop: failStop,
      removed: { signal.finish() })
    let services = try await etcdServices(for: member, options: serviceOptions)
    if try member.isRemoved() { throw RemovedError(directory: configuration.dataDirectory) }
    let transport = try await listening(on: "\(peerAddress)") {
      try await TCPTransport(
        configuration, listeningOn: peerAddress, delegate: member, logger: logger)
    }
    let gateway = HTTPGateway(
      services: services, probe: MemberProbe(member), moreMetrics: moreMetrics)
    let listener: GRPCListener
    var watched: GRPCListener?
    do {
      listener = try await listen(
        at: clientAddresses, services, gateway.answer, threads: options.clientThreads)
      if !metricsAddresses.isEmpty {
        watched = try await listen(
          at: metricsAddresses, GRPCServices(), gateway.answerProbes, threads: 1)
      }
    } catch {
      try await transport.shutDown()
      throw error
    }
    logger.info(
      "member started",
      metadata: [
        "name": "\(options.name)", "member": "\(configuration.id)",
        "cluster": "\(String(configuration.clusterID, radix: 16))",
        "clients": "\(listener.ports)",
      ])
    started(listener.ports)
    let pause = configuration.electionTimeout
    let wasRemoved = await ConfigSyncServer.runUntilStopped(member, behind: listener) {
      await ConfigSyncServer.run(member, over: transport, until: removal, andFor: pause)
    }
    try await listener.shutDown()
    try await watched?.shutDown()
    try await transport.shutDown()
    if wasRemoved { throw RemovedError(directory: configuration.dataDirectory) }
  }

  /// Runs until `body` ends or the service is asked to stop: then what was asked is answered, and somebody
  /// else leads, before the member goes.
  private static func runUntilStopped(
    _ member: ClusterMember, behind listener: GRPCListener,
    _ body: @escaping @Sendable () async -> Bool
  ) async -> Bool {
    await withTaskGroup(of: Bool?.self) { group in
      group.addTask { await body() }
      group.addTask {
        // Cancelled if that is not asked for.
        do { try await gracefulShutdown() } catch { return nil }
        await listener.drain()
        await member.handOverLeadership()
        return nil
      }
      let first = await group.next() ?? nil
      group.cancelAll()
      if let first { return first }
      for await result in group { if let result { return result } }
      return false
    }
  }

  /// Runs until it is cancelled, or the member was removed: then a little longer, so that whoever asked
  /// for that and the others hear of it.
  ///
  /// - Returns: whether it was removed.
  private static func run(
    _ member: ClusterMember, over transport: TCPTransport, until removal: AsyncStream<Void>,
    andFor pause: Duration
  ) async -> Bool {
    await withTaskGroup(of: Bool.self) { group in
      group.addTask {
        await member.run(transport: transport)
        return false
      }
      group.addTask {
        for await _ in removal {}
        do { try await Task.sleep(for: pause) } catch { return false }
        return true
      }
      let wasRemoved = await group.next() ?? false
      group.cancelAll()
      return wasRemoved
    }
  }

  private func listen(
    at addresses: [PeerAddress], _ services: GRPCServices, _ http: @escaping HTTPHandler,
    threads: Int
  ) async throws -> GRPCListener {
    try await listening(on: addresses.map(\.description).joined(separator: ", ")) {
      var limits = GRPCLimits()
      let descriptors = DescriptorLimit.raise() - DescriptorLimit.reserved
      limits.connections = max(1, min(limits.connections, descriptors))
      return try await GRPCListener(
        services: services, http: http, addresses: addresses.map { ($0.host, $0.port) },
        threads: threads, limits: limits)
    }
  }

  private func listening<Listener>(
    on address: String, _ bind: () async throws -> Listener
  ) async throws -> Listener {
    do {
      return try await bind()
    } catch {
      throw OptionsError("can't listen on \(address): \(error)")
    }
  }
}

/// The member was removed from its cluster for good.
package struct RemovedError: Error, CustomStringConvertible {
  package var directory: String
  package var description: String {
    "this member was removed from its cluster for good. Nobody needs \(directory) any more; to bring "
      + "a member back, add a new one ('configsync member add') and start it in an empty --data-dir"
  }
}
