import NIOCore

/// One call on a connection, on its event loop.
final class GRPCStream {
  let id: Int32
  var path = ""
  var metadata: [String: String] = [:]
  var headerBytes = 0
  var reader = GRPCMessageReader()
  /// The single message of a unary call, until the client ends its side.
  var unaryRequest: [UInt8]?
  var requests: RequestQueue?
  /// Bytes of the message that is coming; of a unary one until it is answered.
  var requestBytes = 0
  var method: GRPCMethod?
  var isStreaming: Bool { if case .streaming = method { true } else { false } }
  var task: Task<Void, Never>?
  var deadline: Scheduled<Void>?
  /// Ends a unary call whose request does not become whole.
  var patience: Scheduled<Void>?
  /// Response bytes that wait for the client's window.
  var output: [ArraySlice<UInt8>] = []
  var outputBytes = 0
  /// Set once the call has ended; sent after the output.
  var status: GRPCStatus?
  var hasSentHeaders = false
  /// The client has sent all that it will.
  var hasEnded = false
  /// The data source is asleep and must be resumed for new output.
  var isDeferred = false
  var writers: [CheckedContinuation<Void, any Error>] = []

  init(id: Int32) { self.id = id }

  func append(_ bytes: [UInt8]) {
    output.append(bytes[...])
    outputBytes += bytes.count
  }

  /// Copies waiting bytes into `target`, as many as fit.
  func take(into target: UnsafeMutablePointer<UInt8>, capacity: Int) -> Int {
    var copied = 0
    while copied < capacity, let first = output.first {
      let count = min(capacity - copied, first.count)
      first.prefix(count).withUnsafeBufferPointer {
        if let base = $0.baseAddress { (target + copied).update(from: base, count: count) }
      }
      copied += count
      if count == first.count {
        output.removeFirst()
      } else {
        output[0] = first.dropFirst(count)
      }
    }
    outputBytes -= copied
    return copied
  }

  /// Takes a header field, if it is one that is known; false if all of them are too long.
  func take(
    _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, limit: Int
  ) -> Bool {
    headerBytes += name.count + value.count
    guard headerBytes <= limit else { return false }
    if let key = GRPCCall.knownFields.first(where: { $0.utf8.elementsEqual(name) }) {
      let text = String(decoding: value, as: UTF8.self)
      if key == ":path" { path = text } else { metadata[key] = text }
    }
    return true
  }

  /// Gives up what has come of the request.
  ///
  /// - Returns: how many bytes that was.
  func dropRequest() -> Int {
    defer { (requestBytes, unaryRequest, reader) = (0, nil, GRPCMessageReader()) }
    return requestBytes
  }

  func endPatience() {
    patience?.cancel()
    patience = nil
  }

  func resumeWriters() {
    let waiting = writers
    writers = []
    for writer in waiting { writer.resume() }
  }

  func end(_ error: any Error) {
    deadline?.cancel()
    patience?.cancel()
    task?.cancel()
    requests?.finish()
    let waiting = writers
    writers = []
    for writer in waiting { writer.resume(throwing: error) }
  }
}

extension TimeAmount {
  /// A time of a client's, which may be longer than this type can tell.
  init(bounding time: Duration) {
    let (seconds, attoseconds) = time.components
    self = .nanoseconds(min(seconds, 1 << 32) * 1_000_000_000 + attoseconds / 1_000_000_000)
  }
}

/// Sends the messages of a streaming call.
package struct GRPCResponseWriter: Sendable {
  private let transmit: @Sendable ([[UInt8]]) async throws -> Void

  /// - Parameter transmit: takes messages, and returns once the next may come.
  init(_ transmit: @escaping @Sendable ([[UInt8]]) async throws -> Void) {
    self.transmit = transmit
  }

  /// Sends one message; waits while the client is slow to take what was sent before.
  ///
  /// - Throws: `GRPCStatus` if the call has ended.
  package func send(_ message: [UInt8]) async throws {
    try await transmit([message])
  }

  /// The same for several, in their order, at once: for many small ones that is much faster.
  package func send(all messages: [[UInt8]]) async throws {
    if !messages.isEmpty { try await transmit(messages) }
  }
}
