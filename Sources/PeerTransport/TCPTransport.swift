package import Cluster
import Dispatch
package import Logging
import NIOCore
import NIOPosix
package import Raft
import Synchronization

/// Carries messages and snapshots between members over TCP, one connection each way.
package final class TCPTransport: Transport {
  private let configuration: ClusterConfiguration
  private let group: MultiThreadedEventLoopGroup
  private let links: [MemberID: PeerLink]
  private let addresses: [MemberID: PeerAddress]
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
    self.logger = logger
    var addresses: [MemberID: PeerAddress] = [:]
    var links: [MemberID: PeerLink] = [:]
    for peer in configuration.peers where peer.id != configuration.id {
      guard let target = peer.urls.lazy.compactMap(PeerAddress.init(url:)).first else { continue }
      addresses[peer.id] = target
      let hello = PeerFrame.Hello(
        cluster: configuration.clusterID, from: configuration.id, to: peer.id)
      let id = peer.id
      links[id] = PeerLink(to: target, hello: hello, group: group, logger: logger) {
        delegate.unreachable(id)
      }
    }
    self.addresses = addresses
    self.links = links
    let members = Set(configuration.peers.map(\.id))
    let (cluster, own) = (configuration.clusterID, configuration.id)
    listener = try await ServerBootstrap(group: group)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandlers(
            ByteToMessageHandler(PeerFrameDecoder()),
            PeerReceiver(
              cluster: cluster, own: own, members: members, delegate: delegate, logger: logger))
        }
      }
      .bind(host: address.host, port: address.port).get()
    for link in links.values { link.connect() }
  }

  package var port: Int? { listener.localAddress?.port }

  package func send(_ messages: [Message]) {
    for (peer, batch) in Dictionary(grouping: messages, by: \.to) {
      for part in batch.split(atBytes: PeerLimits.frameTargetBytes) { links[peer]?.send(part) }
    }
  }

  package func sendSnapshot(
    _ snapshot: OutgoingSnapshot, completion: @escaping @Sendable (Bool) -> Void
  ) {
    guard let address = addresses[snapshot.to] else { return completion(false) }
    let hello = PeerFrame.Hello(
      cluster: configuration.clusterID, from: configuration.id, to: snapshot.to)
    let stream = SnapshotStream(
      snapshot: snapshot, address: address, hello: hello, group: group)
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
    for link in links.values { link.close() }
    try await listener.close().get()
    try await group.shutdownGracefully()
  }
}
