import Logging
import NIOCore
import NIOPosix
import Raft
import Synchronization

/// The connection on which this member sends messages to one other, kept up as long as it runs.
final class PeerLink: Sendable {
  private struct State {
    var channel: (any Channel)?
    var isConnecting = false
    var isClosed = false
    var failures = 0
    var queuedBytes = 0
    /// Why the peer did not take this member, the last time that it said so.
    var refusal: String?
    /// The connection that ends now was refused.
    var isRefused = false
  }

  private static let firstRetry = TimeAmount.milliseconds(100)
  private static let longestRetry = TimeAmount.seconds(2)
  /// After a refusal: what it needs is a person.
  private static let refusedRetry = TimeAmount.seconds(30)

  let peer: MemberID
  let address: PeerAddress
  private let hello: PeerFrame.Hello
  private let group: any EventLoopGroup
  private let logger: Logger
  private let lost: @Sendable () -> Void
  private let removed: @Sendable () -> Void
  private let state = Mutex(State())

  init(
    to address: PeerAddress, hello: PeerFrame.Hello, group: any EventLoopGroup, logger: Logger,
    lost: @escaping @Sendable () -> Void, removed: @escaping @Sendable () -> Void
  ) {
    self.peer = hello.to
    self.address = address
    self.hello = hello
    self.group = group
    self.logger = logger
    self.lost = lost
    self.removed = removed
  }

  var isConnected: Bool { state.withLock { $0.channel != nil } }

  func send(_ frame: PeerFrame) {
    let bytes = frame.encoded()
    let channel = state.withLock { state -> (any Channel)? in
      guard let channel = state.channel,
        state.queuedBytes + bytes.count <= PeerLimits.queuedBytes
      else { return nil }
      state.queuedBytes += bytes.count
      return channel
    }
    guard let channel else {
      connect()
      return lost()
    }
    // Always by way of the loop: what its own thread sends must not overtake what others have sent before.
    channel.eventLoop.execute { [self] in
      channel.writeAndFlush(ByteBuffer(bytes: bytes)).whenComplete { [self] result in
        state.withLock { $0.queuedBytes -= bytes.count }
        if case .failure = result { lost() }
      }
    }
  }

  func connect() {
    let mayConnect = state.withLock { state in
      guard state.channel == nil, !state.isConnecting, !state.isClosed else { return false }
      state.isConnecting = true
      return true
    }
    guard mayConnect else { return }
    let link = self
    address.connect(group: group) { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandlers(
          ByteToMessageHandler(PeerFrameDecoder()), LinkHandler(link: link))
      }
    }.whenComplete { [self] result in
      switch result {
      case .success(let channel): opened(channel)
      case .failure: retry()
      }
    }
  }

  private func opened(_ channel: any Channel) {
    channel.writeAndFlush(ByteBuffer(bytes: PeerFrame.hello(hello).encoded()), promise: nil)
    let isClosed = state.withLock { state in
      state.isConnecting = false
      state.channel = channel
      state.failures = 0
      state.queuedBytes = 0
      return state.isClosed
    }
    // Only now: a channel that is closed already calls back at once.
    channel.closeFuture.whenComplete { [self] _ in
      state.withLock { $0.channel = nil }
      lost()
      retry()
    }
    if isClosed { channel.close(promise: nil) }
  }

  /// Tries again after a pause that doubles with each failure, and differs between members.
  private func retry() {
    let failures = state.withLock { state in
      state.isConnecting = true
      state.failures += 1
      defer { state.isRefused = false }
      return state.isClosed ? nil : (count: state.failures, isRefusal: state.isRefused)
    }
    guard let failures else { return }
    let doubled = PeerLink.firstRetry.nanoseconds << min(failures.count - 1, 10)
    let pause =
      failures.isRefusal
      ? PeerLink.refusedRetry.nanoseconds : min(doubled, PeerLink.longestRetry.nanoseconds)
    let jitter = Int64.random(in: 0...pause / 2)
    group.next().scheduleTask(in: .nanoseconds(pause / 2 + jitter)) { [self] in
      state.withLock { $0.isConnecting = false }
      connect()
    }
  }

  /// Says so once a reason.
  func refused(_ reason: String) {
    let isNew = state.withLock { state in
      // Another version needs nobody, once the other member is upgraded, too: then it is wanted soon.
      state.isRefused = reason != PeerFrame.Hello.versionRefusal
      defer { state.refusal = reason }
      return state.refusal != reason
    }
    guard isNew else { return }
    logger.error(
      "a member refuses this one", metadata: ["peer": "\(peer)", "reason": "\(reason)"])
  }

  /// The peer knows that this member belongs to the cluster no more.
  func wasRemoved() { removed() }

  func close() {
    let channel = state.withLock { state in
      state.isClosed = true
      return state.channel
    }
    channel?.close(promise: nil)
  }
}

/// Reads what a peer says on a connection that this member opened: why it does not take it.
private final class LinkHandler: ChannelInboundHandler {
  typealias InboundIn = PeerFrame
  private let link: PeerLink

  init(link: PeerLink) { self.link = link }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .refused(let reason): link.refused(reason)
    case .removed: link.wasRemoved()
    default: break
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}
