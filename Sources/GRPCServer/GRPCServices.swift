/// What the server knows of a call before its first message.
package struct GRPCCall: Sendable {
  /// `/package.Service/Method`.
  package var path: String
  /// Those header fields of the client that the server knows, names in lower case.
  package var metadata: [String: String]

  /// The others are not kept: every call brings some.
  static let knownFields = [
    ":path", "content-type", "grpc-encoding", "grpc-timeout", "token", "authorization", "hasleader",
  ]

  package init(path: String, metadata: [String: String]) {
    self.path = path
    self.metadata = metadata
  }
}

/// How one method answers.
package enum GRPCMethod: Sendable {
  package typealias Unary =
    @Sendable (GRPCCall, [UInt8]) async -> Result<[UInt8], GRPCStatus>
  package typealias Streaming =
    @Sendable (GRPCCall, AsyncStream<[UInt8]>, GRPCResponseWriter) async -> GRPCStatus

  case unary(Unary, runs: Place = .elsewhere)
  case streaming(Streaming)

  /// Where the body runs.
  package enum Place: Sendable {
    /// On the thread of the connection if the request is small, see `GRPCLimits.lightRequestBytes`: the body
    /// never blocks, and leaves by `offEventLoop` for what takes long.
    case onEventLoop
    /// On the shared pool.
    case elsewhere
  }
}

/// Does work that blocks or takes long away from the event loop that the caller may run on.
///
/// - Parameter body: `@concurrent`, since any other would begin on the caller's thread, and stay there until it
///   waits for something.
package func offEventLoop<Value: Sendable>(
  _ body: @concurrent @Sendable () async throws -> Value
) async rethrows -> Value {
  try await withTaskExecutorPreference(globalConcurrentExecutor) { try await body() }
}

/// The methods of a server, by path.
package struct GRPCServices: Sendable {
  private var methods: [String: (counter: CountedMethod, method: GRPCMethod)] = [:]

  package init() {}

  package mutating func add(_ path: String, _ method: GRPCMethod) {
    let counter = CountedMethod(method)
    methods[path] = (counter, counter.method)
  }

  /// What was counted of each method since the start, by path.
  package var counts: [(path: String, isStreaming: Bool, counts: GRPCCounts)] {
    methods.sorted { $0.key < $1.key }.map { path, entry in
      (path, entry.counter.isStreaming, entry.counter.counts)
    }
  }

  /// Full names of the services, sorted.
  package var serviceNames: [String] {
    Set(methods.keys.compactMap { $0.split(separator: "/").first.map(String.init) }).sorted()
  }

  /// Calls a unary method from within this process.
  package func unary(_ call: GRPCCall, _ request: [UInt8]) async -> Result<[UInt8], GRPCStatus> {
    switch method(at: call.path) {
    case .failure(let status): .failure(status)
    case .success(.unary(let body, _)): await body(call, request)
    case .success(.streaming):
      .failure(GRPCStatus(.unimplemented, "\(call.path) is a streaming method"))
    }
  }

  /// Calls a streaming method from within this process; `send` gets each answer, and may wait.
  package func streaming(
    _ call: GRPCCall, _ requests: AsyncStream<[UInt8]>,
    send: @escaping @Sendable ([UInt8]) async throws -> Void
  ) async -> GRPCStatus {
    switch method(at: call.path) {
    case .failure(let status): return status
    case .success(.streaming(let body)):
      let writer = GRPCResponseWriter { messages in
        for message in messages { try await send(message) }
      }
      return await body(call, requests, writer)
    case .success(.unary): return GRPCStatus(.unimplemented, "\(call.path) is a unary method")
    }
  }

  /// The method, or the status that etcd answers for one that is not there.
  func method(at path: String) -> Result<GRPCMethod, GRPCStatus> {
    if let found = methods[path] { return .success(found.method) }
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
