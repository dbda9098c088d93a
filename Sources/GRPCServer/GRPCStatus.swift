/// The outcome of a call (https://grpc.io/docs/guides/status-codes/).
package struct GRPCStatus: Error, Hashable, Sendable {
  package enum Code: Int, CaseIterable, Sendable {
    case ok = 0
    case cancelled, unknown, invalidArgument, deadlineExceeded, notFound, alreadyExists
    case permissionDenied, resourceExhausted, failedPrecondition, aborted, outOfRange
    case unimplemented, internalError, unavailable, dataLoss, unauthenticated
  }

  package var code: Code
  package var message: String

  package init(_ code: Code, _ message: String = "") {
    self.code = code
    self.message = message
  }

  package static let ok = GRPCStatus(.ok)

  /// The message as `grpc-message` carries it: printable ASCII, the rest percent-encoded.
  var encodedMessage: String {
    let digits = Array("0123456789ABCDEF".utf8)
    var encoded: [UInt8] = []
    for byte in message.utf8 {
      if byte >= 0x20, byte <= 0x7e, byte != UInt8(ascii: "%") {
        encoded.append(byte)
      } else {
        encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: encoded, as: UTF8.self)
  }
}

/// The limits of one listener.
package struct GRPCLimits: Hashable, Sendable {
  /// One request message.
  package var messageBytes = 66 << 20
  package var concurrentStreams: UInt32 = 10_000
  /// Header fields of one request, names and values.
  package var headerBytes = 64 << 10
  /// Response bytes that a stream holds before its writer must wait.
  package var streamBufferBytes = 1 << 20
  /// Request messages of a stream that wait to be read.
  package var waitingRequests = 1_000
  /// Bytes of those, unless one alone is larger.
  package var waitingRequestBytes = 8 << 20
  /// Bytes of requests that are not whole yet, or not answered, of one connection.
  package var connectionRequestBytes = 256 << 20
  /// The same of all connections together; twice as many for requests up to `lightRequestBytes`.
  package var requestBytes = 512 << 20
  /// Connections of a listener; more are closed at once.
  package var connections = 10_000
  /// What a client may send ahead on one stream, and on the whole connection.
  package var streamWindowBytes: Int32 = 1 << 20
  package var connectionWindowBytes: Int32 = 16 << 20
  /// A new connection, and a request that has begun, must be whole after this.
  package var requestSeconds: Int64 = 30
  /// Clients may ping this often while calls are open, and while none is; etcd's.
  package var pingSeconds: Int64 = 5
  package var idlePingSeconds: Int64 = 7200
  /// A client of which nothing was heard for so long is pinged, and is gone if it does not answer; etcd's.
  package var keepAliveSeconds: Int64 = 7200
  package var keepAliveTimeoutSeconds: Int64 = 20
  /// The request of a unary call, and each of a streaming one, must be whole after this.
  package var unaryRequestSeconds: Int64 = 300
  /// Unary requests up to this are handled on the thread of their connection if their method says so.
  package var lightRequestBytes = 64 << 10
  /// Calls that are under way when the listener shuts down may take this long.
  package var drainSeconds: Int64 = 5
  /// An HTTP/1.1 connection without a request is closed after this.
  package var idleSeconds: Int64 = 120

  package init() {}
}
