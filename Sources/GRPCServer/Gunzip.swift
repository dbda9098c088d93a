import CZlib

/// Unpacks gzip (RFC 1952).
///
/// - Throws: `GRPCStatus` for what is no gzip or ends too early, and for more than `limit` bytes, before they
///   are there.
func gunzip(_ bytes: ArraySlice<UInt8>, limit: Int) throws(GRPCStatus) -> [UInt8] {
  var stream = z_stream()
  // 16 more than the largest window means gzip alone.
  let windowBits = MAX_WBITS + 16
  guard
    inflateInit2_(&stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
  else { throw GRPCStatus(.internalError, "grpc: no memory to decompress") }
  defer { inflateEnd(&stream) }
  var input = Array(bytes)
  var output: [UInt8] = []
  var piece = [UInt8](repeating: 0, count: 64 << 10)
  var code = Z_OK
  input.withUnsafeMutableBufferPointer { input in
    stream.next_in = input.baseAddress
    stream.avail_in = UInt32(input.count)
    while code == Z_OK, output.count <= limit {
      piece.withUnsafeMutableBufferPointer { piece in
        stream.next_out = piece.baseAddress
        stream.avail_out = UInt32(piece.count)
        code = inflate(&stream, Z_NO_FLUSH)
        output += piece.prefix(piece.count - Int(stream.avail_out))
      }
    }
  }
  guard output.count <= limit else {
    throw GRPCStatus(
      .resourceExhausted, "grpc: received message after decompression larger than max \(limit)")
  }
  guard code == Z_STREAM_END, stream.avail_in == 0 else {
    throw GRPCStatus(.internalError, "grpc: failed to decompress the received message")
  }
  return output
}
