import BinaryCoding
import NIOCore

/// Cuts the stream of a connection into frames; a frame too large or malformed is an error.
struct PeerFrameDecoder: ByteToMessageDecoder {
  typealias InboundOut = PeerFrame

  /// Bytes that the next frame may have.
  private var limit = PeerLimits.greetingBytes
  private let limitOfFurther: Int

  /// - Parameter limitOfFurther: bytes of each frame behind the first, which is a greeting or the answer to one.
  init(limitOfFurther: Int = PeerLimits.greetingBytes) { self.limitOfFurther = limitOfFurther }

  mutating func decode(
    context: ChannelHandlerContext, buffer: inout ByteBuffer
  ) throws -> DecodingState {
    guard
      let length = buffer.getInteger(at: buffer.readerIndex, endianness: .little, as: UInt32.self)
    else { return .needMoreData }
    guard length > 0, length <= limit else {
      throw DecodingFailure("a frame of \(length) bytes")
    }
    guard buffer.readableBytes >= 4 + Int(length) else { return .needMoreData }
    buffer.moveReaderIndex(forwardBy: 4)
    guard let body = buffer.readBytes(length: Int(length)) else { return .needMoreData }
    limit = limitOfFurther
    context.fireChannelRead(wrapInboundOut(try PeerFrame(decoding: body)))
    return .continue
  }

  mutating func decodeLast(
    context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
  ) throws -> DecodingState { .needMoreData }
}
