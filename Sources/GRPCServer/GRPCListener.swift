import NIOCore
import NIOPosix
import Synchronization

/// Serves gRPC over HTTP/2, and what else there is over HTTP/1.1, in clear text on one or more
/// addresses.
package final class GRPCListener: Sendable {
  private let group: MultiThreadedEventLoopGroup
  private let channels: [any Channel]

  /// Binds every address at once.
  ///
  /// - Throws: the operating system's error; then nothing is bound.
  package init(
    services: GRPCServices, http: HTTPHandler? = nil, addresses: [(host: String, port: Int)],
    threads: Int, limits: GRPCLimits = GRPCLimits()
  ) async throws {
    group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
    let open = ConnectionCount()
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 1024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          // A client that opens more and more must not take the descriptors that the disk needs.
          let count = open.count.add(1, ordering: .relaxed).newValue
          channel.closeFuture.whenComplete { _ in open.count.subtract(1, ordering: .relaxed) }
          guard count <= limits.connections else { throw TooManyConnections() }
          try channel.pipeline.syncOperations.addHandler(
            ProtocolChoice(services: services, http: http, limits: limits))
        }
      }
    var bound: [any Channel] = []
    do {
      for address in addresses {
        bound.append(try await bootstrap.bind(host: address.host, port: address.port).get())
      }
    } catch {
      for channel in bound { channel.close(promise: nil) }
      try await group.shutdownGracefully()
      throw error
    }
    channels = bound
  }

  package var ports: [Int] { channels.compactMap { $0.localAddress?.port } }

  /// Stops listening and closes every connection.
  package func shutDown() async throws {
    for channel in channels { try await channel.close().get() }
    try await group.shutdownGracefully()
  }
}

private final class ConnectionCount: Sendable { let count = Atomic(0) }

/// Closes a connection before anything of it is read.
private struct TooManyConnections: Error {}
