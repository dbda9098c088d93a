import Cluster
import Logging
import NIOCore
import NIOPosix
import Raft
import Testing

@testable import PeerTransport

/// When the connection to another member is made anew.
struct PeerLinkTests {
  @Test func pausesGrowUntilAConnectionLasts() {
    var pause = RetryPause()
    func next(_ end: RetryPause.End) -> Int64 { pause.next(after: end).nanoseconds / 1_000_000 }
    #expect(next(.notOpened) == 100)
    #expect(next(.notOpened) == 200)
    // One that is accepted and closed again is no better than none.
    #expect(next(.closed(after: .milliseconds(1))) == 400)
    #expect(next(.closed(after: .milliseconds(1_999))) == 800)
    for _ in 0..<100 { _ = next(.notOpened) }
    #expect(next(.notOpened) == 2_000)
    #expect(next(.closed(after: .seconds(2))) == 100)
    #expect(next(.refused) == 30_000)
    #expect(next(.notOpened) == 200)
  }

  /// A member in the making: it refuses everybody, and tells how often it was called.
  private final class Refuser: ChannelInboundHandler, Sendable {
    typealias InboundIn = PeerFrame
    typealias OutboundOut = ByteBuffer
    let calls: AsyncStream<Void>.Continuation
    init(_ calls: AsyncStream<Void>.Continuation) { self.calls = calls }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      calls.yield()
      let refusal = ByteBuffer(bytes: PeerFrame.refused(reason: "not yet").encoded())
      context.writeAndFlush(wrapOutboundOut(refusal)).whenComplete {
        [channel = context.channel] _ in channel.close(promise: nil)
      }
    }
  }

  private func refuser(_ calls: AsyncStream<Void>.Continuation) async throws -> any Channel {
    try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandlers(
            ByteToMessageHandler(PeerFrameDecoder()), Refuser(calls))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
  }

  private func register(restingFor rest: TimeAmount) -> MemberRegister {
    MemberRegister(own: MemberID(1)) { peer, address in
      PeerLink(
        to: address, hello: .init(cluster: 7, from: MemberID(1), to: peer, urls: []),
        group: MultiThreadedEventLoopGroup.singleton,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        pause: RetryPause(afterRefusal: rest), lost: {}, removed: {})
    }
  }

  /// Whoever was put right comes, and need not be looked for: the rest after its refusal would be an hour here.
  @Test(.timeLimit(.minutes(5))) func whoComesByItselfIsAnsweredAtOnce() async throws {
    let (calls, signal) = AsyncStream.makeStream(of: Void.self)
    let listener = try await refuser(signal)
    let port = try #require(listener.localAddress?.port)
    let peer = Peer(id: MemberID(2), name: "", urls: ["http://127.0.0.1:\(port)"])
    let register = register(restingFor: .hours(1))
    register.update([peer], removed: [])
    let link = try #require(register.link(to: peer.id))
    var count = 0
    for await _ in calls {
      count += 1
      if count == 3 { break }
      while !link.isResting { await Task.yield() }
      register.introduce(peer)
    }
    register.close()
    try await listener.close()
  }

  @Test func whoAsksAndIsRefusedHearsWhy() async throws {
    let (_, signal) = AsyncStream.makeStream(of: Void.self)
    let listener = try await refuser(signal)
    let address = PeerAddress(
      host: "127.0.0.1", port: try #require(listener.localAddress?.port))
    let error = await #expect(throws: InquiryError.self) { _ = try await inquire(at: address) }
    #expect(error?.description == "\(address) did not say who its cluster is: not yet")
    try await listener.close()
  }

  /// What a dead connection would send again would go out up to two minutes after the other side is back; that the
  /// system ends it sooner is a setting of each link.
  @Test(.timeLimit(.minutes(5))) func aLinkIsNotKeptWhereNobodyAcknowledges() async throws {
    let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(listener.localAddress?.port)
    let peer = Peer(id: MemberID(2), name: "", urls: ["http://127.0.0.1:\(port)"])
    let register = register(restingFor: .hours(1))
    register.update([peer], removed: [])
    let link = try #require(register.link(to: peer.id))
    while !link.isConnected { await Task.yield() }
    let options = try #require(link.channel as? any SocketOptionProvider)
    let milliseconds: CInt = try await options.unsafeGetSocketOption(
      level: .tcp, name: PeerAddress.userTimeout
    ).get()
    #expect(milliseconds == 5_000)
    register.close()
    try await listener.close()
  }
}
