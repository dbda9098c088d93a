import Cluster
import EtcdAPI
import GRPCServer
package import Logging
import PeerTransport
import ServiceLifecycle

/// One cluster member with its listeners: runs until it is cancelled or shut down.
package struct ConfigSyncServer: Sendable {
  private let options: ServerOptions
  private let logger: Logger
  private let failStop: @Sendable (any Error) -> Void
  private let started: @Sendable ([Int]) -> Void

  /// - Parameters:
  ///   - failStop: ends the process when the member's disk fails.
  ///   - started: is told the client ports, once they are bound.
  package init(
    _ options: ServerOptions, logger: Logger, failStop: @escaping @Sendable (any Error) -> Void,
    started: @escaping @Sendable ([Int]) -> Void = { _ in }
  ) {
    self.options = options
    self.logger = logger
    self.failStop = failStop
    self.started = started
  }

  /// - Throws: `OptionsError`, why the data directory can't be used, or why no port can be bound.
  package func run() async throws {
    let configuration = try await options.clusterConfiguration()
    let clientAddresses = try options.clientAddresses
    let peerAddress = try options.peerAddress
    let member = try ClusterMember(configuration, logger: logger, failStop: failStop)
    let transport = try await listening(on: "\(peerAddress)") {
      try await TCPTransport(
        configuration, listeningOn: peerAddress, delegate: member, logger: logger)
    }
    let listener: GRPCListener
    do {
      listener = try await listening(
        on: clientAddresses.map(\.description).joined(separator: ", ")
      ) {
        try await GRPCListener(
          services: etcdServices(for: member),
          addresses: clientAddresses.map { ($0.host, $0.port) }, threads: options.clientThreads)
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
    await cancelWhenGracefulShutdown { await member.run(transport: transport) }
    try await listener.shutDown()
    try await transport.shutDown()
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
