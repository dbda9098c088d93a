import Logging
import NIOCore
import NIOPosix
import Raft
import Synchronization

/// The connection on which this member sends messages to one other, kept up as long as it runs.
final class PeerLink: Sendable {
  private enum Phase {
    case idle
    /// Which of the pauses it is.
    case resting(Int)
    case connecting
    case connected(any Channel)
    case closed
  }

  private struct State {
    var phase = Phase.idle
    var channel: (any Channel)? {
      if case .connected(let channel) = phase { channel } else { nil }
    }
    var pause: RetryPause
    var pauses = 0
    var queuedBytes = 0
    /// Why the peer did not take this member, the last time that it said so.
    var refusal: String?
    /// The connection that ends now was refused.
    var isRefused = false
  }

  let peer: MemberID
  let address: PeerAddress
  private let hello: PeerFrame.Hello
  private let group: any EventLoopGroup
  private let logger: Logger
  private let lost: @Sendable () -> Void
  private let removed: @Sendable () -> Void
  private let state: Mutex<State>

  init(
    to address: PeerAddress, hello: PeerFrame.Hello, group: any EventLoopGroup, logger: Logger,
    pause: RetryPause = RetryPause(), lost: @escaping @Sendable () -> Void,
    removed: @escaping @Sendable () -> Void
  ) {
    state = Mutex(State(pause: pause))
    self.peer = hello.to
    self.address = address
    self.hello = hello
    self.group = group
    self.logger = logger
    self.lost = lost
    self.removed = removed
  }

  var channel: (any Channel)? { state.withLock(\.channel) }
  var isConnected: Bool { channel != nil }
  var isResting: Bool {
    state.withLock { state in if case .resting = state.phase { true } else { false } }
  }

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

  /// Connects, unless it has already begun to, or rests.
  func connect() {
    begin { phase in if case .idle = phase { true } else { false } }
  }

  /// Connects, though it rests: the peer has come by itself, so that it is there.
  func connectNow() {
    begin { phase in
      switch phase {
      case .idle, .resting: true
      case .connecting, .connected, .closed: false
      }
    }
  }

  private func begin(in isFit: (Phase) -> Bool) {
    let begins = state.withLock { state in
      guard isFit(state.phase) else { return false }
      state.phase = .connecting
      return true
    }
    guard begins else { return }
    let link = self
    address.connect(group: group, silentSeconds: PeerLimits.silentSeconds) { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandlers(
          ByteToMessageHandler(PeerFrameDecoder()), LinkHandler(link: link))
      }
    }.whenComplete { [self] result in
      switch result {
      case .success(let channel): opened(channel)
      case .failure: rest(after: .notOpened)
      }
    }
  }

  private func opened(_ channel: any Channel) {
    channel.writeAndFlush(ByteBuffer(bytes: PeerFrame.hello(hello).encoded()), promise: nil)
    let since = NIODeadline.now()
    let isClosed = state.withLock { state in
      if case .closed = state.phase { return true }
      state.phase = .connected(channel)
      state.queuedBytes = 0
      return false
    }
    // Only now: a channel that is closed already calls back at once.
    channel.closeFuture.whenComplete { [self] _ in
      let isRefused = state.withLock { state in
        defer { state.isRefused = false }
        return state.isRefused
      }
      rest(after: isRefused ? .refused : .closed(after: .now() - since))
      lost()
    }
    if isClosed { channel.close(promise: nil) }
  }

  /// Tries again after a pause, which differs between members.
  private func rest(after end: RetryPause.End) {
    let rest = state.withLock { state -> (longest: TimeAmount, number: Int)? in
      if case .closed = state.phase { return nil }
      state.pauses += 1
      state.phase = .resting(state.pauses)
      return (state.pause.next(after: end), state.pauses)
    }
    guard let rest else { return }
    let half = rest.longest.nanoseconds / 2
    group.next().scheduleTask(in: .nanoseconds(half + .random(in: 0...half))) { [self] in
      begin { phase in if case .resting(rest.number) = phase { true } else { false } }
    }
  }

  /// Says so once a reason.
  func refused(_ reason: String) {
    let isNew = state.withLock { state in
      state.isRefused = true
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
      defer { state.phase = .closed }
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
