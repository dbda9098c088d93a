package import EtcdAPI
import Foundation
package import GRPCServer
import NIOHTTP1

/// Everything that is answered over HTTP/1.1: etcd's JSON gateway, health, version and metrics.
package struct HTTPGateway: Sendable {
  let services: GRPCServices
  let probe: MemberProbe
  let moreMetrics: @Sendable () -> String

  /// - Parameter moreMetrics: what else of this process is told, in Prometheus' text format.
  package init(
    services: GRPCServices, probe: MemberProbe,
    moreMetrics: @escaping @Sendable () -> String = { "" }
  ) {
    self.services = services
    self.probe = probe
    self.moreMetrics = moreMetrics
  }

  /// Answers one request. A client that has gone is told nothing.
  package func answer(_ request: HTTPRequest, _ writer: HTTPResponseWriter) async {
    do {
      if let path = HTTPGateway.gatewayPath(request.path) {
        try await transcode(path, request, writer)
      } else {
        try await answerPlain(request, writer)
      }
    } catch {
      // The connection is gone, or the response has begun: nothing more can be said.
    }
  }

  /// Answers what watches over a member ask for, and nothing of the store.
  package func answerProbes(_ request: HTTPRequest, _ writer: HTTPResponseWriter) async {
    // The connection is gone: nothing more can be said.
    try? await answerPlain(request, writer)
  }

  private static func gatewayPath(_ path: String) -> String? {
    for prefix in ["/v3/", "/v3beta/"] where path.hasPrefix(prefix) {
      return "/" + path.dropFirst(prefix.count)
    }
    return nil
  }

  // MARK: - The JSON gateway

  private static let jsonHeaders: HTTPHeaders = [
    "content-type": "application/json", "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST, GET, OPTIONS, PUT, DELETE",
    "access-control-allow-headers": "accept, content-type, authorization",
  ]

  private func transcode(
    _ path: String, _ request: HTTPRequest, _ writer: HTTPResponseWriter
  ) async throws {
    let unary = GatewayRoutes.unary[path]
    guard let route = unary ?? GatewayRoutes.streaming[path] else {
      return try await writer.respond(
        .notFound, ["content-type": "text/plain; charset=utf-8"], Array("Not Found\n".utf8))
    }
    if request.method == .OPTIONS {
      return try await writer.respond(.ok, HTTPGateway.jsonHeaders, [])
    }
    guard request.method == .POST else {
      let refused = GRPCStatus(.unimplemented, "Method Not Allowed")
      return try await writer.respond(
        .methodNotAllowed, HTTPGateway.jsonHeaders, refused.json)
    }
    let call = GRPCCall(path: route.method, metadata: HTTPGateway.metadata(of: request))
    if unary != nil {
      try await answerUnary(call, route, request, writer)
    } else {
      try await answerStream(call, route, request, writer)
    }
  }

  private static func metadata(of request: HTTPRequest) -> [String: String] {
    var metadata: [String: String] = [:]
    for name in ["authorization", "token", "grpc-metadata-hasleader"] {
      guard let value = request.headers.first(name: name) else { continue }
      metadata[name.replacingOccurrences(of: "grpc-metadata-", with: "")] = value
    }
    return metadata
  }

  private func answerUnary(
    _ call: GRPCCall, _ route: Transcoding, _ request: HTTPRequest, _ writer: HTTPResponseWriter
  ) async throws {
    do {
      let bytes = try route.request(request.body)
      let timeout = request.headers.first(name: "grpc-timeout").flatMap(parseTimeout)
      let result = await HTTPGateway.within(timeout) { await services.unary(call, bytes) }
      let response = try route.response(try result.get())
      try await writer.respond(.ok, HTTPGateway.jsonHeaders, response)
    } catch let status as GRPCStatus {
      try await writer.respond(status.httpStatus, HTTPGateway.jsonHeaders, status.json)
    }
  }

  private static func within(
    _ timeout: Duration?,
    _ body: @escaping @Sendable () async -> Result<[UInt8], GRPCStatus>
  ) async -> Result<[UInt8], GRPCStatus> {
    guard let timeout else { return await body() }
    let late = GRPCStatus(.deadlineExceeded, "context deadline exceeded")
    return await withTaskGroup(of: Result<[UInt8], GRPCStatus>.self) { group in
      group.addTask { await body() }
      group.addTask {
        // A cancelled sleep is not waited for any more.
        try? await Task.sleep(for: timeout)
        return .failure(late)
      }
      let first = await group.next() ?? .failure(late)
      group.cancelAll()
      return first
    }
  }

  /// One line a message, flushed at once; an error in the middle is the last line.
  private func answerStream(
    _ call: GRPCCall, _ route: Transcoding, _ request: HTTPRequest, _ writer: HTTPResponseWriter
  ) async throws {
    let (requests, feed) = AsyncStream.makeStream(of: [UInt8].self)
    do {
      for object in JSONText.objects(in: request.body) { feed.yield(try route.request(object)) }
    } catch {
      return try await writer.respond(error.httpStatus, HTTPGateway.jsonHeaders, error.json)
    }
    // A watch goes on until the client leaves; a renewal is one answer.
    if !route.method.hasSuffix("/Watch") { feed.finish() }
    try await writer.begin(.ok, HTTPGateway.jsonHeaders)
    let status = await withTaskCancellationHandler {
      await services.streaming(call, requests) { bytes in
        let message = try route.response(bytes)
        try await writer.piece(Array("{\"result\":".utf8) + message + Array("}\n".utf8))
      }
    } onCancel: {
      feed.finish()
    }
    if status.code != .ok {
      try await writer.piece(Array("{\"error\":".utf8) + status.json + Array("}\n".utf8))
    }
    try await writer.end()
  }
}
