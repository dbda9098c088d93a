package import NIOHTTP1

/// A whole HTTP/1.1 request.
package struct HTTPRequest: Sendable {
  package var method: HTTPMethod
  /// Without the query.
  package var path: String
  /// What follows the question mark, undecoded.
  package var query: String
  package var headers: HTTPHeaders
  package var body: [UInt8]
}

/// Sends one response, whole or in pieces.
package struct HTTPResponseWriter: Sendable {
  enum Part: Sendable {
    case head(HTTPResponseStatus, HTTPHeaders)
    case body([UInt8])
    case end
  }
  let write: @Sendable (Part, CheckedContinuation<Void, any Error>) -> Void

  private func send(_ part: Part) async throws {
    try await withCheckedThrowingContinuation { write(part, $0) }
  }

  /// The response as a whole.
  ///
  /// - Throws: if the client has gone.
  package func respond(
    _ status: HTTPResponseStatus, _ headers: HTTPHeaders = [:], _ body: [UInt8]
  ) async throws {
    var headers = headers
    headers.replaceOrAdd(name: "content-length", value: String(body.count))
    try await send(.head(status, headers))
    if !body.isEmpty { try await send(.body(body)) }
    try await send(.end)
  }

  /// Begins a response whose pieces follow by `piece`, each flushed at once, and `end`.
  package func begin(_ status: HTTPResponseStatus, _ headers: HTTPHeaders) async throws {
    try await send(.head(status, headers))
  }

  /// Waits while the client is slow to take what was sent before.
  package func piece(_ bytes: [UInt8]) async throws { try await send(.body(bytes)) }
  package func end() async throws { try await send(.end) }
}

/// Answers HTTP/1.1 on the port of the gRPC services.
package typealias HTTPHandler = @Sendable (HTTPRequest, HTTPResponseWriter) async -> Void
