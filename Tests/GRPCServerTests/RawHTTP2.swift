import Foundation
import Synchronization
import TestSupport

/// A client that sends HTTP/2 frames as a test wants them, and reads what comes (RFC 9113).
final class RawHTTP2: Sendable {
  struct Frame: Sendable {
    var type: UInt8
    var flags: UInt8
    var stream: UInt32
    var payload: [UInt8]
    var endsStream: Bool { flags & 1 != 0 }
  }

  enum Kind {
    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let settings: UInt8 = 4
    static let ping: UInt8 = 6
    static let goAway: UInt8 = 7
  }

  private let descriptor: Int32
  private let received = Mutex<[UInt8]>([])
  /// Reading waits on a thread of its own, not on one that the server needs.
  private let queue = DispatchQueue(label: "raw-http2")

  init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    let isConnected =
      withLoopbackAddress(port: port) { Foundation.connect(descriptor, $0, $1) } == 0
    guard isConnected else { throw POSIXError(.ECONNREFUSED) }
    write(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8))
    send(Kind.settings)
  }

  deinit { close(descriptor) }

  private func write(_ bytes: [UInt8]) {
    _ = bytes.withUnsafeBytes {
      Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
    }
  }

  func send(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) {
    let count = UInt32(payload.count)
    write(
      [UInt8(count >> 16), UInt8(count >> 8 & 255), UInt8(count & 255), type, flags]
        + [24, 16, 8, 0].map { UInt8(stream >> $0 & 255) } + payload)
  }

  /// Begins a call; header fields as literals without indexing (RFC 7541, section 6.2.2).
  func call(_ path: String, stream: UInt32, headers: [String: String] = [:]) {
    let fields =
      [
        (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "test"),
        ("content-type", "application/grpc"), ("te", "trailers"),
      ] + headers.sorted { $0.key < $1.key }
    var block: [UInt8] = []
    for (name, value) in fields {
      block += [0, UInt8(name.utf8.count)] + name.utf8 + [UInt8(value.utf8.count)] + value.utf8
    }
    send(Kind.headers, flags: 4, stream: stream, block)
  }

  /// Sends a message and ends the request.
  func message(_ bytes: [UInt8], compressed: UInt8 = 0, stream: UInt32) {
    let count = UInt32(bytes.count)
    send(
      Kind.data, flags: 1, stream: stream,
      [compressed] + [24, 16, 8, 0].map { UInt8(count >> $0 & 255) } + bytes)
  }

  /// The next frame; nil once the server has closed the connection.
  private func next() async -> Frame? {
    while true {
      if let frame = received.withLock({ RawHTTP2.takeFrame(&$0) }) { return frame }
      let piece = await withCheckedContinuation { continuation in
        queue.async { [descriptor] in
          var piece = [UInt8](repeating: 0, count: 65536)
          let count = recv(descriptor, &piece, piece.count, 0)
          continuation.resume(returning: Array(piece.prefix(max(0, count))))
        }
      }
      guard !piece.isEmpty else { return nil }
      received.withLock { $0 += piece }
    }
  }

  private static func takeFrame(_ received: inout [UInt8]) -> Frame? {
    guard received.count >= 9 else { return nil }
    let length = received[0..<3].reduce(0) { $0 << 8 | Int($1) }
    guard received.count >= 9 + length else { return nil }
    defer { received.removeFirst(9 + length) }
    return Frame(
      type: received[3], flags: received[4],
      stream: received[5..<9].reduce(0) { $0 << 8 | UInt32($1) } & 0x7fff_ffff,
      payload: Array(received[9..<9 + length]))
  }

  /// Frames until one satisfies the condition, that one last; all that come if none does.
  func frames(until isLast: (Frame) -> Bool) async -> [Frame] {
    var frames: [Frame] = []
    while let frame = await next() {
      frames.append(frame)
      if isLast(frame) { break }
    }
    return frames
  }
}
