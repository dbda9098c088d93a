package import Cluster
import Dispatch
package import Logging
import NIOCore
import NIOPosix
package import Raft

/// Carries messages and snapshots between members over TCP, one connection each way.
package final class TCPTransport: Transport {
  private let configuration: ClusterConfiguration
  private let group: MultiThreadedEventLoopGroup
  private let loop: any EventLoop
  private let register: MemberRegister
  private let snapshotQueue = DispatchQueue(
    label: "configsync.snapshot.send", attributes: .concurrent)
  private let logger: Logger
  private let listener: any Channel

  /// Binds `address` at once, so that a start on a taken port fails before anything else runs.
  ///
  /// - Throws: the operating system's error.
  package init(
    _ configuration: ClusterConfiguration, listeningOn address: PeerAddress,
    delegate: some TransportDelegate, logger: Logger
  ) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    self.configuration = configuration
    self.group = group
    loop = group.next()
    self.logger = logger
    let (cluster, own) = (configuration.clusterID, configuration.id)
    let register = MemberRegister(own: own) { peer, address in
      let hello = PeerFrame.Hello(
        cluster: cluster, from: own, to: peer, urls: configuration.peerURLs)
      return PeerLink(
        to: address, hello: hello, group: group, logger: logger,
        lost: { delegate.unreachable(peer) }, removed: { delegate.wasRemoved() })
    }
    self.register = register
    listener = try await ServerBootstrap(group: group)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
      // What the other side has left without a word is noticed by the system's own probes.
      .childChannelOption(.socketOption(.so_keepalive), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandlers(
            ByteToMessageHandler(PeerFrameDecoder(limitOfFurther: PeerLimits.frameBytes)),
            PeerReceiver(
              cluster: cluster, own: own, register: register, delegate: delegate,
              logger: logger))
        }
      }
      .bind(host: address.host, port: address.port).get()
    register.update(configuration.contacts, removed: [])
  }

  package var port: Int? { listener.localAddress?.port }

  package func send(_ messages: [Message]) {
    for (peer, batch) in Dictionary(grouping: messages, by: \.to) {
      guard let link = register.link(to: peer) else { continue }
      for part in batch.split(atBytes: PeerLimits.frameTargetBytes) {
        link.send(.messages(part))
      }
    }
  }

  package func afterSending(_ work: @escaping @Sendable () -> Void) {
    // All links live on the one loop, and what is sent goes by way of it.
    loop.execute(work)
  }

  package func send(_ message: LeaseMessage) {
    register.link(to: message.to)?.send(.lease(message))
  }

  package func membersChanged(_ members: [Peer], removed: Set<MemberID>) {
    register.update(members, removed: removed)
  }

  package func sendSnapshot(
    _ snapshot: OutgoingSnapshot, completion: @escaping @Sendable (Bool) -> Void
  ) {
    guard let link = register.link(to: snapshot.to) else { return completion(false) }
    let hello = PeerFrame.Hello(
      cluster: configuration.clusterID, from: configuration.id, to: snapshot.to,
      urls: configuration.peerURLs)
    let stream = SnapshotStream(
      snapshot: snapshot, address: link.address, hello: hello, group: group)
    let logger = logger
    snapshotQueue.async {
      do {
        completion(try stream.run())
      } catch {
        logger.warning(
          "a snapshot did not arrive",
          metadata: ["to": "\(snapshot.to)", "error": "\(error)"])
        completion(false)
      }
    }
  }

  package func shutDown() async throws {
    register.close()
    try await listener.close().get()
    try await group.shutdownGracefully()
  }
}
