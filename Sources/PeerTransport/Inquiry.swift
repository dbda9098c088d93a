package import Cluster
import NIOCore
import NIOPosix
import Raft

/// What a member tells one that wants to join.
package struct ClusterRoster: Hashable, Sendable {
  package var cluster: UInt64
  package var peers: [Peer]
}

/// Asks a member of a running cluster who belongs to it.
///
/// - Throws: the operating system's error, or `InquiryError` if the other side gives no roster within
///   `PeerLimits.inquirySeconds` once it is connected.
package func inquire(at address: PeerAddress) async throws -> ClusterRoster {
  let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  let answer = group.next().makePromise(of: ClusterRoster.self)
  do {
    let channel = try await address.connect(group: group) { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandlers(
          ByteToMessageHandler(PeerFrameDecoder()),
          InquiryHandler(answer, orFail: InquiryError(address: address)))
      }
    }.get()
    let timeout = channel.eventLoop.scheduleTask(in: .seconds(PeerLimits.inquirySeconds)) {
      answer.fail(InquiryError(address: address))
    }
    channel.writeAndFlush(ByteBuffer(bytes: PeerFrame.inquiry.encoded()), promise: nil)
    let roster = try await answer.futureResult.get()
    timeout.cancel()
    // The other side closes too, and may have been faster; whatever is left goes with the group.
    try await group.shutdownGracefully()
    return roster
  } catch {
    answer.fail(error)
    try await group.shutdownGracefully()
    throw error
  }
}

package struct InquiryError: Error, CustomStringConvertible {
  package var address: PeerAddress
  /// Its own words.
  package var reason: String?
  package var description: String {
    "\(address) did not say who its cluster is" + (reason.map { ": \($0)" } ?? "")
  }
}

private final class InquiryHandler: ChannelInboundHandler {
  typealias InboundIn = PeerFrame
  private let answer: EventLoopPromise<ClusterRoster>
  private let error: InquiryError

  init(_ answer: EventLoopPromise<ClusterRoster>, orFail error: InquiryError) {
    self.answer = answer
    self.error = error
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .roster(let roster):
      answer.succeed(ClusterRoster(cluster: roster.cluster, peers: roster.peers))
    case .refused(let reason):
      answer.fail(InquiryError(address: error.address, reason: reason))
    default: break
    }
  }

  /// Closed without a word: it is no member.
  func channelInactive(context: ChannelHandlerContext) {
    answer.fail(error)
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    answer.fail(error)
    context.close(promise: nil)
  }
}
