import NIOCore
import NIOPosix
import Synchronization

/// Serves gRPC over HTTP/2, and what else there is over HTTP/1.1, in clear text on one or more
/// addresses.
package final class GRPCListener: Sendable {
  private let group: MultiThreadedEventLoopGroup
  private let channels: [any Channel]
  private let connections: Connections
  private let executors: EventLoopExecutors
  private let drainSeconds: Int64

  /// Binds every address at once.
  ///
  /// - Throws: the operating system's error; then nothing is bound.
  package init(
    services: GRPCServices, http: HTTPHandler? = nil, addresses: [(host: String, port: Int)],
    threads: Int, limits: GRPCLimits = GRPCLimits()
  ) async throws {
    group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
    let open = Connections()
    let executors = EventLoopExecutors(group)
    let budget = RequestBudget(limit: limits.requestBytes)
    (connections, drainSeconds, self.executors) = (open, limits.drainSeconds, executors)
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 1024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          // A client that opens more and more must not take the descriptors that the disk needs.
          let count = open.add(channel)
          channel.closeFuture.whenComplete { _ in open.remove(channel) }
          guard count <= limits.connections else { throw TooManyConnections() }
          try channel.pipeline.syncOperations.addHandler(
            ProtocolChoice(
              services: services, http: http, limits: limits, budget: budget,
              executor: executors[channel.eventLoop]))
        }
      }
    var bound: [any Channel] = []
    do {
      for address in addresses {
        bound.append(try await bootstrap.bind(host: address.host, port: address.port).get())
      }
    } catch {
      for channel in bound { channel.close(promise: nil) }
      executors.close()
      try await group.shutdownGracefully()
      throw error
    }
    channels = bound
  }

  package var ports: [Int] { channels.compactMap { $0.localAddress?.port } }

  /// Takes no further connections and calls, ends the calls that would go on for ever, and waits for the
  /// others, `GRPCLimits.drainSeconds` at most.
  package func drain() async {
    for channel in channels where channel.isActive { try? await channel.close().get() }
    let open = connections.all
    for channel in open { channel.pipeline.fireUserInboundEventTriggered(DrainEvent()) }
    let patience = drainSeconds
    await withTaskGroup(of: Void.self) { group in
      group.addTask { for channel in open { try? await channel.closeFuture.get() } }
      group.addTask {
        // Cut short by the other's end.
        try? await Task.sleep(for: .seconds(patience))
        for channel in open { channel.close(promise: nil) }
      }
      await group.next()
      group.cancelAll()
    }
  }

  /// Drains, and ends every connection that is left.
  package func shutDown() async throws {
    await drain()
    executors.close()
    try await group.shutdownGracefully()
  }
}

/// Tells a connection that the server is about to stop.
struct DrainEvent: Sendable {}

/// Those that are open.
private final class Connections: Sendable {
  private let open = Mutex<[ObjectIdentifier: any Channel]>([:])

  var all: [any Channel] { open.withLock { Array($0.values) } }

  /// - Returns: how many there are with it.
  func add(_ channel: any Channel) -> Int {
    open.withLock { open in
      open[ObjectIdentifier(channel)] = channel
      return open.count
    }
  }

  func remove(_ channel: any Channel) {
    open.withLock { $0[ObjectIdentifier(channel)] = nil }
  }
}

/// Closes a connection before anything of it is read.
private struct TooManyConnections: Error {}
