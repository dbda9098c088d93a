import GRPCServer
import NIOHTTP1

/// Serves webhooks over HTTP/1.1.
public final class WebhookListener: Sendable {
  private static let connections = 256
  private static let requestSeconds: Int64 = 10

  private let listener: GRPCListener

  /// - Throws: `WebhookAddressError` for an address that is none; the operating system's error if it can't be listened on.
  public init(_ endpoint: WebhookEndpoint, on address: String) async throws {
    guard let colon = address.lastIndex(of: ":"),
      let port = UInt16(address[address.index(after: colon)...])
    else { throw WebhookAddressError(address: address) }
    var limits = GRPCLimits()
    limits.messageBytes = WebhookEndpoint.bodyLimit
    limits.connections = WebhookListener.connections
    limits.requestSeconds = WebhookListener.requestSeconds
    limits.connectionRequestBytes = WebhookEndpoint.bodyLimit
    listener = try await GRPCListener(
      services: GRPCServices(),
      http: { request, writer in
        let answer = endpoint.answer(
          method: request.method.rawValue, path: request.path, body: request.body,
          header: { name in
            let values = request.headers[name]
            return values.count == 1 ? values[0] : nil
          })
        // A client that does not wait for the answer has been heard all the same.
        try? await writer.respond(
          HTTPResponseStatus(statusCode: answer.rawValue), ["content-type": "text/plain"],
          Array("\(answer)\n".utf8))
      }, addresses: [(String(address[..<colon]), Int(port))], threads: 1, limits: limits)
  }

  public var port: Int { listener.ports.first ?? 0 }

  public func shutDown() async throws { try await listener.shutDown() }
}

public struct WebhookAddressError: Error, Hashable, CustomStringConvertible {
  public var address: String
  public var description: String { "'\(address)' is no address to take webhooks at: HOST:PORT" }
}
