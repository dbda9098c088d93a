import BinaryCoding
import NIOCore

/// Cuts the stream of a connection into frames; a frame too large or malformed is an error.
struct PeerFrameDecoder: ByteToMessageDecoder {
  typealias InboundOut = PeerFrame

  mutating func decode(
    context: ChannelHandlerContext, buffer: inout ByteBuffer
  ) throws -> DecodingState {
    guard
      let length = buffer.getInteger(at: buffer.readerIndex, endianness: .little, as: UInt32.self)
    else { return .needMoreData }
    guard length > 0, length <= PeerLimits.frameBytes else {
      throw DecodingFailure("a frame of \(length) bytes")
    }
    guard buffer.readableBytes >= 4 + Int(length) else { return .needMoreData }
    buffer.moveReaderIndex(forwardBy: 4)
    guard let body = buffer.readBytes(length: Int(length)) else { return .needMoreData }
    context.fireChannelRead(wrapInboundOut(try PeerFrame(decoding: body)))
    return .continue
  }

  mutating func decodeLast(
    context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
  ) throws -> DecodingState { .needMoreData }
}
