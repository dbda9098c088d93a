import GRPCServer
import NIOHTTP1

/// Answers small requests over HTTP/1.1, one address at a time.
public final class PlainListener: Sendable {
  struct Answer: Sendable {
    var status: Int
    var contentType: String
    var body: String

    init(_ status: Int, contentType: String = "text/plain", _ body: String) {
      self.status = status
      self.contentType = contentType
      self.body = body
    }
  }

  private static let connections = 256
  private static let requestSeconds: Int64 = 10
  /// Bytes of the body of a request that needs none.
  private static let emptyBodyLimit = 1 << 10

  private let listener: GRPCListener

  /// - Parameters:
  ///   - address: HOST:PORT.
  ///   - bodyLimit: bytes of a request's body.
  /// - Throws: `ListenAddressError` for an address that is none; the operating system's error if it can't be listened on.
  init(
    on address: String, bodyLimit: Int, answer: @escaping @Sendable (HTTPRequest) -> Answer
  ) async throws {
    guard let colon = address.lastIndex(of: ":"),
      let port = UInt16(address[address.index(after: colon)...])
    else { throw ListenAddressError(address: address) }
    var host = String(address[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    var limits = GRPCLimits()
    limits.messageBytes = bodyLimit
    limits.connections = PlainListener.connections
    limits.requestSeconds = PlainListener.requestSeconds
    limits.connectionRequestBytes = bodyLimit
    listener = try await GRPCListener(
      services: GRPCServices(),
      http: { request, writer in
        let answer = answer(request)
        // A client that does not wait for the answer has been heard all the same.
        try? await writer.respond(
          HTTPResponseStatus(statusCode: answer.status), ["content-type": answer.contentType],
          Array(answer.body.utf8))
      }, addresses: [(host.isEmpty ? "0.0.0.0" : host, Int(port))], threads: 1, limits: limits)
  }

  public var port: Int { listener.ports.first ?? 0 }

  public func shutDown() async throws { try await listener.shutDown() }
}

public struct ListenAddressError: Error, Hashable, CustomStringConvertible {
  public var address: String
  public var description: String { "'\(address)' is no address to listen at: HOST:PORT" }
}

extension PlainListener {
  /// Serves webhooks.
  public convenience init(_ endpoint: WebhookEndpoint, on address: String) async throws {
    try await self.init(on: address, bodyLimit: WebhookEndpoint.bodyLimit) { request in
      let answer = endpoint.answer(
        method: request.method.rawValue, path: request.path, body: request.body,
        header: { name in
          let values = request.headers[name]
          return values.count == 1 ? values[0] : nil
        })
      return Answer(answer.rawValue, "\(answer)\n")
    }
  }

  /// Serves metrics at `/metrics`, and at `/livez` that the process lives.
  public convenience init(_ metrics: ReconcilerMetrics, on address: String) async throws {
    try await self.init(on: address, bodyLimit: PlainListener.emptyBodyLimit) { request in
      switch request.path.prefix(while: { $0 != "?" }) {
      case "/metrics":
        Answer(200, contentType: "text/plain; version=0.0.4; charset=utf-8", metrics.wholeText)
      case "/livez", "/health": Answer(200, "ok\n")
      default: Answer(404, "404 page not found\n")
      }
    }
  }
}
