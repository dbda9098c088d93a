import BinaryCoding
import Cluster
import Foundation
import Logging
import NIOCore
import Raft

/// One connection that another member has opened.
final class PeerReceiver: ChannelInboundHandler {
  typealias InboundIn = PeerFrame
  typealias OutboundOut = ByteBuffer

  /// What may come next.
  private enum State {
    case expectsHello
    case open(from: MemberID)
    case receivesSnapshot(IncomingSnapshot)
    case closed
  }

  private struct IncomingSnapshot {
    var from: MemberID
    var term: Term
    var mark: SnapshotMark
    var bytesLeft: UInt64
    var crc: UInt32 = 0
    var path: String
    var file: FileHandle
  }

  private let cluster: UInt64
  private let own: MemberID
  private let register: MemberRegister
  private let delegate: any TransportDelegate
  private let logger: Logger
  private var state = State.expectsHello
  private var patience: Scheduled<Void>?

  init(
    cluster: UInt64, own: MemberID, register: MemberRegister, delegate: any TransportDelegate,
    logger: Logger
  ) {
    self.cluster = cluster
    self.own = own
    self.register = register
    self.delegate = delegate
    self.logger = logger
  }

  func channelActive(context: ChannelHandlerContext) {
    let channel = context.channel
    patience = context.eventLoop.scheduleTask(in: .seconds(PeerLimits.greetingSeconds)) {
      channel.close(promise: nil)
    }
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    do {
      try receive(unwrapInboundIn(data), context: context)
    } catch {
      errorCaught(context: context, error: error)
    }
  }

  private func receive(_ frame: PeerFrame, context: ChannelHandlerContext) throws {
    patience?.cancel()
    switch (state, frame) {
    case (.expectsHello, .hello(let hello)): greet(hello, context: context)
    case (.expectsHello, .inquiry):
      let roster = PeerFrame.Roster(cluster: cluster, peers: delegate.roster())
      reply(.roster(roster), context: context)
    // A member that was removed while it was connected is not heard any more.
    case (.open(let from), _) where register.isRemoved(from):
      refuseRemoved(from, context: context)
    case (.open(let from), .messages(let messages)):
      guard messages.allSatisfy({ $0.from == from && $0.to == own }) else {
        throw DecodingFailure("a message of another member")
      }
      delegate.received(messages)
    case (.open(let from), .lease(let message)):
      guard message.from == from, message.to == own else {
        throw DecodingFailure("a message of another member")
      }
      delegate.received(message)
    case (.open(let from), .snapshotBegin(let term, let mark, let bytes)):
      let path = delegate.incomingSnapshotPath(from: from)
      guard FileManager.default.createFile(atPath: path, contents: nil),
        let file = FileHandle(forWritingAtPath: path)
      else { throw DecodingFailure("can't write \(path)") }
      state = .receivesSnapshot(
        IncomingSnapshot(
          from: from, term: term, mark: mark, bytesLeft: bytes, path: path, file: file))
    case (.receivesSnapshot(var snapshot), .snapshotChunk(let bytes)):
      guard bytes.count <= snapshot.bytesLeft else {
        throw DecodingFailure("a snapshot is longer than announced")
      }
      try snapshot.file.write(contentsOf: bytes)
      snapshot.bytesLeft -= UInt64(bytes.count)
      snapshot.crc = crc32c(bytes[...], continuing: snapshot.crc)
      state = .receivesSnapshot(snapshot)
    case (.receivesSnapshot(let snapshot), .snapshotEnd(let crc)):
      try finish(snapshot, crc: crc, context: context)
    default: throw DecodingFailure("a frame that doesn't belong here")
    }
  }

  private func refuseRemoved(_ member: MemberID, context: ChannelHandlerContext) {
    logger.info("told a member that it was removed", metadata: ["member": "\(member)"])
    reply(.removed, context: context)
  }

  private func greet(_ hello: PeerFrame.Hello, context: ChannelHandlerContext) {
    if hello.cluster == cluster, hello.to == own, register.isRemoved(hello.from) {
      return refuseRemoved(hello.from, context: context)
    }
    let problem: String? =
      if hello.cluster != cluster {
        "it is of cluster \(String(hello.cluster, radix: 16)), this is "
          + String(cluster, radix: 16)
      } else if hello.to != own {
        "it asks for member \(hello.to), this is \(own)"
      } else {
        nil
      }
    if let problem { return refuse(problem, context: context) }
    // One that this member does not know may have been added while it was away.
    register.introduce(Peer(id: hello.from, name: "", urls: hello.urls))
    state = .open(from: hello.from)
  }

  private func refuse(_ problem: String, context: ChannelHandlerContext) {
    logger.warning("refused a member", metadata: ["reason": "\(problem)"])
    reply(.refused(reason: problem), context: context)
  }

  /// The last word on this connection.
  private func reply(_ frame: PeerFrame, context: ChannelHandlerContext) {
    state = .closed
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: frame.encoded())))
      .whenComplete { [channel = context.channel] _ in channel.close(promise: nil) }
  }

  private func finish(
    _ snapshot: IncomingSnapshot, crc: UInt32, context: ChannelHandlerContext
  ) throws {
    try snapshot.file.close()
    state = .closed
    guard snapshot.bytesLeft == 0, crc == snapshot.crc else {
      throw DecodingFailure("a snapshot arrived damaged")
    }
    let channel = context.channel
    delegate.receivedSnapshot(
      from: snapshot.from, term: snapshot.term, mark: snapshot.mark, path: snapshot.path
    ) { accepted in
      let frame = PeerFrame.verdict(accepted: accepted).encoded()
      channel.writeAndFlush(ByteBuffer(bytes: frame), promise: nil)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    patience?.cancel()
    if case .receivesSnapshot(let snapshot) = state {
      // The rest will never come; the file is overwritten or removed later.
      try? snapshot.file.close()
    }
    state = .closed
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    logger.debug("closed a peer connection", metadata: ["error": "\(error)"])
    // Members of all versions can read that they are refused, and say so once: else both would look for each other in
    // silence. Here it is not worth a line: any stranger can bring it about.
    if case .expectsHello = state, error as? DecodingFailure == PeerFrame.Hello.otherVersion {
      return reply(.refused(reason: PeerFrame.Hello.versionRefusal), context: context)
    }
    context.close(promise: nil)
  }
}
