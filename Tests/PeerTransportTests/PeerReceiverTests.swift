import Cluster
import Logging
import NIOCore
import NIOEmbedded
import NIOPosix
import Raft
import Testing

@testable import PeerTransport

/// What a connection that another member has opened is answered, and when it is closed.
struct PeerReceiverTests {
  private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func connection() throws -> EmbeddedChannel {
    let quiet = quiet
    let register = MemberRegister(own: MemberID(1)) { peer, address in
      PeerLink(
        to: address, hello: .init(cluster: 7, from: MemberID(1), to: peer, urls: []),
        group: MultiThreadedEventLoopGroup.singleton, logger: quiet, lost: {}, removed: {})
    }
    let channel = EmbeddedChannel()
    try channel.pipeline.syncOperations.addHandlers(
      ByteToMessageHandler(PeerFrameDecoder(limitOfFurther: PeerLimits.frameBytes)),
      PeerReceiver(
        cluster: 7, own: MemberID(1), register: register, delegate: Nobody(), logger: quiet))
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    return channel
  }

  private func hello(cluster: UInt64 = 7, to: UInt64 = 1) -> [UInt8] {
    PeerFrame.hello(.init(cluster: cluster, from: MemberID(2), to: MemberID(to), urls: []))
      .encoded()
  }

  /// What the decoder says of wrong bytes the handlers are told, which is looked at, and whoever writes them, too.
  private func arrive(_ bytes: [UInt8], at channel: EmbeddedChannel) {
    _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
    channel.embeddedEventLoop.run()
  }

  /// Why the other side is refused; nil if it is not.
  private func refusal(of bytes: [UInt8]) throws -> String? {
    let channel = try connection()
    arrive(bytes, at: channel)
    let answer = try channel.readOutbound(as: ByteBuffer.self)
    #expect((answer != nil) == !channel.isActive, "whoever is refused is not kept")
    guard let answer else { return nil }
    guard
      case .refused(let reason) = try PeerFrame(
        decoding: Array(answer.readableBytesView.dropFirst(4)))
    else { return "another answer" }
    return reason
  }

  @Test func whoIsOfAnotherClusterOrVersionIsToldSo() throws {
    #expect(try refusal(of: hello()) == nil)
    #expect(try refusal(of: hello(cluster: 8))?.contains("cluster 8") == true)
    #expect(try refusal(of: hello(to: 3))?.contains("member 3") == true)
    // The magic is after length and kind: its last byte is the version.
    var old = hello()
    old[12] -= 1
    #expect(try refusal(of: old)?.contains("another version") == true)
  }

  /// What is no hello is closed without a word.
  @Test func whoIsNoMemberIsClosed() throws {
    for bytes in [Array("GET / HTTP/1.1\r\n\r\n".utf8), PeerFrame.removed.encoded(), [0, 0, 0, 0]] {
      let channel = try connection()
      arrive(bytes, at: channel)
      #expect(!channel.isActive)
      #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
    }
  }

  /// A stranger can make a member hold no more than a greeting, and that not for long.
  @Test func aGreetingIsShortAndComesSoon() throws {
    func announcement(of bytes: Int) -> [UInt8] {
      withUnsafeBytes(of: UInt32(bytes).littleEndian) { Array($0) }
    }
    var channel = try connection()
    arrive(announcement(of: PeerLimits.greetingBytes), at: channel)
    #expect(channel.isActive)
    channel.embeddedEventLoop.advanceTime(by: .seconds(PeerLimits.greetingSeconds - 1))
    #expect(channel.isActive)
    channel.embeddedEventLoop.advanceTime(by: .seconds(1))
    #expect(!channel.isActive)
    channel = try connection()
    arrive(announcement(of: PeerLimits.greetingBytes + 1), at: channel)
    #expect(!channel.isActive)
    // Once it is known who sends, a frame may be larger and take its time.
    channel = try connection()
    arrive(hello() + announcement(of: PeerLimits.frameBytes), at: channel)
    channel.embeddedEventLoop.advanceTime(by: .seconds(10 * PeerLimits.greetingSeconds))
    #expect(channel.isActive)
    channel = try connection()
    arrive(hello() + announcement(of: PeerLimits.frameBytes + 1), at: channel)
    #expect(!channel.isActive)
  }

  /// Once a connection is open nothing is read as a hello of another version.
  @Test func anOpenConnectionEndsWithItsFirstWrongFrame() throws {
    let channel = try connection()
    try channel.writeInbound(ByteBuffer(bytes: hello()))
    #expect(channel.isActive)
    var old = hello()
    old[12] -= 1
    arrive(old, at: channel)
    #expect(!channel.isActive)
    #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
  }
}

/// A member to which nothing is delivered.
private final class Nobody: TransportDelegate {
  func received(_ messages: [Message]) {}
  func received(_ message: LeaseMessage) {}
  func unreachable(_ member: MemberID) {}
  func wasRemoved() {}
  func roster() -> [Peer] { [] }
  func incomingSnapshotPath(from member: MemberID) -> String { "" }
  func receivedSnapshot(
    from member: MemberID, term: Term, mark: SnapshotMark, path: String,
    accepted: @escaping @Sendable (Bool) -> Void
  ) { accepted(false) }
}
