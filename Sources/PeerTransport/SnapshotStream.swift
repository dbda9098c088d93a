import BinaryCoding
import Cluster
import Dispatch
import Foundation
import NIOCore
import NIOPosix
import Raft
import Synchronization

/// Sends one snapshot on a connection of its own, from a thread of its own: each chunk waits until
/// the one before it is on its way.
struct SnapshotStream: Sendable {
  let snapshot: OutgoingSnapshot
  let address: PeerAddress
  let hello: PeerFrame.Hello
  let group: any EventLoopGroup

  /// - Returns: whether the receiver has it whole and checked. Blocks the calling thread.
  func run() throws -> Bool {
    let verdict = group.next().makePromise(of: Bool.self)
    let channel: any Channel
    do {
      channel = try address.connect(group: group) { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandlers(
            ByteToMessageHandler(PeerFrameDecoder()), VerdictHandler(verdict))
        }
      }.wait()
    } catch {
      verdict.fail(error)
      throw error
    }
    defer { channel.close(promise: nil) }
    do {
      try send(on: channel)
    } catch {
      verdict.fail(error)
    }
    let timeout = channel.eventLoop.scheduleTask(in: .seconds(PeerLimits.snapshotReplySeconds)) {
      verdict.succeed(false)
    }
    defer { timeout.cancel() }
    return try verdict.futureResult.wait()
  }

  private func send(on channel: any Channel) throws {
    func write(_ frame: PeerFrame) throws {
      // A peer that takes nothing for so long is given up: the write then fails.
      let limit = TimeAmount.seconds(PeerLimits.snapshotChunkSeconds)
      let stalled = channel.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
      defer { stalled.cancel() }
      try channel.writeAndFlush(ByteBuffer(bytes: frame.encoded())).wait()
    }
    let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: snapshot.path))
    defer { try? file.close() }
    let size = try file.seekToEnd()
    try file.seek(toOffset: 0)
    try write(.hello(hello))
    try write(.snapshotBegin(term: snapshot.term, mark: snapshot.mark, bytes: size))
    var crc: UInt32 = 0
    while let chunk = try file.read(upToCount: PeerLimits.snapshotChunkBytes), !chunk.isEmpty {
      let bytes = [UInt8](chunk)
      crc = crc32c(bytes[...], continuing: crc)
      try write(.snapshotChunk(bytes))
    }
    try write(.snapshotEnd(crc: crc))
  }
}

private final class VerdictHandler: ChannelInboundHandler {
  typealias InboundIn = PeerFrame
  private let verdict: EventLoopPromise<Bool>

  init(_ verdict: EventLoopPromise<Bool>) { self.verdict = verdict }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .verdict(let accepted): verdict.succeed(accepted)
    default: verdict.succeed(false)
    }
  }

  func channelInactive(context: ChannelHandlerContext) { verdict.succeed(false) }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    verdict.fail(error)
    context.close(promise: nil)
  }
}
