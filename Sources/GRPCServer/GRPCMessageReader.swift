/// Cuts the data of a stream into gRPC messages: a compression flag, a length, the bytes.
struct GRPCMessageReader {
  /// The flag and the length.
  static let prefixBytes = 5
  /// Room that is kept for the next message.
  private static let keptBytes = 64 << 10
  /// How compressed messages are, as `grpc-encoding` says.
  var encoding = "identity"
  private var buffer: [UInt8] = []
  private var start = 0

  /// Adds `data`; `take` then returns what is complete.
  mutating func append(_ data: UnsafeBufferPointer<UInt8>) {
    // What was taken is dropped once it is most of the buffer.
    if start > buffer.count / 2 {
      buffer.removeFirst(start)
      start = 0
    }
    buffer.append(contentsOf: data)
  }

  var isEmpty: Bool { start == buffer.count }

  /// The next whole message and how many bytes it was on the wire, or nil if more data is needed.
  ///
  /// - Throws: a message above `limit`, known by its length before its bytes are gathered, or one that
  ///   is compressed in another way than gzip's.
  mutating func take(limit: Int) throws(GRPCStatus) -> (message: [UInt8], wireBytes: Int)? {
    let prefix = GRPCMessageReader.prefixBytes
    guard buffer.count - start >= prefix else { return nil }
    let length = buffer[start + 1..<start + prefix].reduce(0) { $0 << 8 | Int($1) }
    guard length <= limit else {
      throw GRPCStatus(
        .resourceExhausted, "grpc: received message larger than max (\(length) vs. \(limit))")
    }
    let isCompressed = buffer[start] != 0
    if isCompressed, encoding != "gzip" || buffer[start] != 1 {
      throw GRPCStatus(
        .unimplemented, "grpc: Decompressor is not installed for grpc-encoding \"\(encoding)\"")
    }
    guard buffer.count - start >= prefix + length else { return nil }
    defer {
      start += prefix + length
      if start == buffer.count {
        // A large message would be kept twice for as long as its call is under way.
        buffer.removeAll(keepingCapacity: start <= GRPCMessageReader.keptBytes)
        start = 0
      }
    }
    let bytes = buffer[start + prefix..<start + prefix + length]
    return (isCompressed ? try gunzip(bytes, limit: limit) : Array(bytes), prefix + length)
  }

  static func frame(_ message: [UInt8]) -> [UInt8] { frame([message]) }

  /// Several messages, one behind the other.
  static func frame(_ messages: [[UInt8]]) -> [UInt8] {
    var framed: [UInt8] = []
    framed.reserveCapacity(messages.reduce(0) { $0 + $1.count + 5 })
    for message in messages {
      let count = UInt32(message.count).bigEndian
      framed.append(0)
      withUnsafeBytes(of: count) { framed.append(contentsOf: $0) }
      framed.append(contentsOf: message)
    }
    return framed
  }
}

/// Reads `grpc-timeout`: at most eight digits and a unit.
package func parseTimeout(_ text: String) -> Duration? {
  guard let unit = text.last, let value = Int64(text.dropLast()), value >= 0,
    text.count <= 9
  else { return nil }
  return switch unit {
  case "H": .seconds(value * 3600)
  case "M": .seconds(value * 60)
  case "S": .seconds(value)
  case "m": .milliseconds(value)
  case "u": .microseconds(value)
  case "n": .nanoseconds(value)
  default: nil
  }
}
