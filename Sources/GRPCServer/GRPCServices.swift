/// What the server knows of a call before its first message.
package struct GRPCCall: Sendable {
  /// `/package.Service/Method`.
  package var path: String
  /// The header fields that the client sent, names in lower case.
  package var metadata: [String: String]
}

/// How one method answers.
package enum GRPCMethod: Sendable {
  package typealias Unary =
    @Sendable (GRPCCall, [UInt8]) async -> Result<[UInt8], GRPCStatus>
  package typealias Streaming =
    @Sendable (GRPCCall, AsyncStream<[UInt8]>, GRPCResponseWriter) async -> GRPCStatus

  case unary(Unary)
  case streaming(Streaming)
}

/// The methods of a server, by path.
package struct GRPCServices: Sendable {
  private var methods: [String: GRPCMethod] = [:]

  package init() {}

  package mutating func add(_ path: String, _ method: GRPCMethod) { methods[path] = method }

  /// The method, or the status that etcd answers for one that is not there.
  func method(at path: String) -> Result<GRPCMethod, GRPCStatus> {
    if let method = methods[path] { return .success(method) }
    let parts = path.split(separator: "/", omittingEmptySubsequences: true)
    guard parts.count == 2 else {
      return .failure(GRPCStatus(.unimplemented, "malformed method name: \"\(path)\""))
    }
    let isKnown = methods.keys.contains { $0.hasPrefix("/\(parts[0])/") }
    return .failure(
      GRPCStatus(
        .unimplemented,
        isKnown
          ? "unknown method \(parts[1]) for service \(parts[0])" : "unknown service \(parts[0])"))
  }
}
