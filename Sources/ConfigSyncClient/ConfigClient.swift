import EtcdProtos
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCProtobuf
import NIOCore
import Synchronization

/// Runs `body` with a client of the cluster, and ends its connections afterwards.
///
/// - Parameters:
///   - endpoints: `HOST:PORT` or `http://HOST:PORT`, tried in turn.
///   - credentials: who the client is, where the cluster has permissions switched on.
///   - timeout: how long one request may take, the answers of followers that wait for a leader
///     included.
/// - Throws: `ClientError` for an endpoint that can't be one, and what `body` throws.
public func withConfigClient<Result: Sendable>(
  endpoints: [String], credentials: ClientCredentials? = nil, timeout: Duration = .seconds(10),
  _ body: @Sendable (ConfigClient) async throws -> Result
) async throws -> Result {
  let login = Login(credentials, timeout: timeout)
  let connections = try endpoints.map { try Connection($0, login: login) }
  guard !connections.isEmpty else { throw ClientError(.unreachable, "no endpoint is given") }
  return try await withThrowingTaskGroup(of: Void.self) { group in
    for connection in connections {
      group.addTask {
        // An endpoint that is away must not end the others; its requests say what is wrong.
        try? await connection.client.runConnections()
      }
    }
    defer {
      for connection in connections { connection.client.beginGracefulShutdown() }
      // One that is taken and never answered would be waited for without end.
      group.cancelAll()
    }
    return try await body(ConfigClient(connections, login: login, timeout: timeout))
  }
}

typealias ConnectionTransport = HTTP2ClientTransport.Posix

/// One endpoint and its connection.
final class Connection: Sendable {
  /// The other side is asked whether it is there after this; etcd's servers take a question every five seconds.
  private static let quietTime = Duration.seconds(30)
  private static let answerTime = Duration.seconds(120)

  let endpoint: String
  let client: GRPCClient<ConnectionTransport>

  init(_ endpoint: String, login: Login) throws {
    var address = endpoint
    if address.hasPrefix("http://") { address = String(address.dropFirst(7)) }
    if address.hasSuffix("/") { address = String(address.dropLast()) }
    guard !address.contains("@") else {
      throw ClientError(.unreachable, "an endpoint names no user: who asks is said beside it")
    }
    guard !address.contains("://"), let colon = address.lastIndex(of: ":"),
      let port = Int(address[address.index(after: colon)...]), (1...65535).contains(port)
    else {
      throw ClientError(.unreachable, "'\(endpoint)' is not of the form http://HOST:PORT")
    }
    self.endpoint = endpoint
    var host = String(address[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    let transport = try HTTP2ClientTransport.Posix(
      target: .dns(host: host, port: port), transportSecurity: .plaintext,
      config: .defaults { config in
        config.backoff.initial = .milliseconds(100)
        config.backoff.max = .seconds(2)
        // A watch sends nothing: without these it would never hear that the way to the other side is gone, or that
        // it answers no more. The answer to a ping comes behind all that is under way, which may take long.
        config.channelDebuggingCallbacks.onCreateTCPConnection = { $0.probeWhenQuiet() }
        config.connection.keepalive = .init(
          time: Connection.quietTime, timeout: Connection.answerTime, allowWithoutCalls: false)
      })
    client = GRPCClient(transport: transport, interceptors: [TokenInterceptor(login: login)])
  }
}

extension Channel {
  /// Seconds after which a quiet connection is probed, and again; and after which one that acknowledges nothing, or
  /// takes nothing, has ended (tcp(7)).
  private static var probeSeconds: (first: Int, further: Int, silent: Int) { (10, 3, 15) }

  /// Lets the system find out that the other side, or the way to it, is gone: whatever comes counts as life.
  fileprivate func probeWhenQuiet() -> EventLoopFuture<Void> {
    let seconds = Self.probeSeconds
    let options: [(CInt, Int)] = [
      (TCP_KEEPIDLE, seconds.first), (TCP_KEEPINTVL, seconds.further),
      (TCP_USER_TIMEOUT, 1_000 * seconds.silent),
    ]
    return .andAllSucceed(
      [setOption(.socketOption(.so_keepalive), value: 1)]
        + options.map { name, value in
          setOption(.tcpOption(NIOBSDSocket.Option(rawValue: name)), value: value)
        }, on: eventLoop)
  }
}

/// A client of the etcd API: reads, writes, and watches, over several endpoints.
///
/// A request goes to the endpoint that answered last. Where that can't be reached it goes to the
/// next; one that may have taken effect is never repeated. Where none can be reached any more, a read is tried again
/// for three seconds.
public final class ConfigClient: Sendable {
  /// Large transactions and ranges pass; the cluster has limits of its own.
  static let messageBytes = 512 << 20

  let connections: [Connection]
  let login: Login
  private let timeout: Duration
  private let current = Mutex(0)
  private let hasAnswered = Mutex(false)
  /// What a read waits for a cluster that has answered before: three seconds in all. A write does not: the connection
  /// may have broken after it took effect.
  private static let pauses = [100, 200, 400, 800, 1600].map { Duration.milliseconds($0) }

  init(_ connections: [Connection], login: Login, timeout: Duration) {
    self.connections = connections
    self.login = login
    self.timeout = timeout
  }

  var options: CallOptions {
    var options = CallOptions.defaults
    options.timeout = timeout
    options.maxRequestMessageBytes = ConfigClient.messageBytes
    options.maxResponseMessageBytes = ConfigClient.messageBytes
    return options
  }

  // MARK: - Keys

  public func range(
    _ range: ClientRange, at revision: Int64 = 0, limit: Int64 = 0,
    _ consistency: ClientConsistency = .linearizable
  ) async throws -> ClientRangeResult {
    var request = Etcdserverpb_RangeRequest()
    let (key, end) = range.wire
    request.key = Data(key)
    request.rangeEnd = Data(end)
    request.revision = revision
    request.limit = limit
    request.serializable = consistency == .serializable
    let message = request
    let response: Etcdserverpb_RangeResponse = try await repeatable { connection in
      let client = Etcdserverpb_KV.Client(wrapping: connection.client)
      return try await client.range(message, options: options)
    }
    return ClientRangeResult(
      items: response.kvs.map(ClientItem.init), count: response.count,
      revision: response.header.revision)
  }

  /// - Returns: the revision of the put.
  public func put(_ key: [UInt8], _ value: [UInt8]) async throws -> Int64 {
    var request = Etcdserverpb_PutRequest()
    request.key = Data(key)
    request.value = Data(value)
    let message = request
    let response: Etcdserverpb_PutResponse = try await once { connection in
      let client = Etcdserverpb_KV.Client(wrapping: connection.client)
      return try await client.put(message, options: options)
    }
    return response.header.revision
  }

  /// - Returns: how many keys there were.
  public func delete(_ range: ClientRange) async throws -> Int64 {
    var request = Etcdserverpb_DeleteRangeRequest()
    let (key, end) = range.wire
    request.key = Data(key)
    request.rangeEnd = Data(end)
    let message = request
    let response: Etcdserverpb_DeleteRangeResponse = try await once { connection in
      let client = Etcdserverpb_KV.Client(wrapping: connection.client)
      return try await client.deleteRange(message, options: options)
    }
    return response.deleted
  }

  /// - Returns: the revision, or nil if the fence did not hold.
  public func commit(_ transaction: ClientTransaction) async throws -> Int64? {
    let request = Etcdserverpb_TxnRequest(transaction)
    let response: Etcdserverpb_TxnResponse = try await once { connection in
      let client = Etcdserverpb_KV.Client(wrapping: connection.client)
      return try await client.txn(request, options: options)
    }
    return response.succeeded ? response.header.revision : nil
  }

  // MARK: - Watch

  /// Calls `body` with each revision's changes until it returns false or the task is cancelled.
  ///
  /// Resumes after the last revision that was delivered when a connection breaks: nothing is lost
  /// or given twice.
  ///
  /// - Parameters:
  ///   - start: the first revision of interest; 0 for the next change.
  ///   - last: ends the watch once everything up to this revision has been delivered.
  /// - Throws: `ClientError` if the cluster refuses the watch, as for compacted revisions.
  public func watch(
    _ range: ClientRange, from start: Int64 = 0, through last: Int64 = .max,
    created: @escaping @Sendable () -> Void = {},
    _ body: @escaping @Sendable (ClientBatch) async throws -> Bool
  ) async throws {
    let cursor = WatchCursor(start)
    let isOpen = Atomic(false)
    var failures = 0
    while !Task.isCancelled {
      let connection = currentConnection
      let call = WatchCall(range: range, connection: connection, cursor: cursor, last: last)
      do {
        try await login.ensure(on: connection)
        let goesOn = try await call.run(
          created: {
            isOpen.store(true, ordering: .relaxed)
            created()
          }, body)
        if !goesOn { return }
      } catch {
        let failure = ConfigClient.translate(error, connection)
        if failure.kind == .refused, !login.isStale(failure.description) { throw failure }
        moveOn(from: connection)
        failures = isOpen.exchange(false, ordering: .relaxed) ? 1 : failures + 1
        let pause = min(Duration.milliseconds(100 * failures), .seconds(2))
        try await Task.sleep(for: pause)
      }
    }
  }

  // MARK: - Endpoints

  private var currentConnection: Connection { connections[current.withLock { $0 }] }

  private func moveOn(from connection: Connection) {
    current.withLock { index in
      if connections[index] === connection { index = (index + 1) % connections.count }
    }
  }

  /// Sends what may take effect: at the next endpoint only if it was not sent at all.
  func once<Response>(
    _ call: (Connection) async throws -> Response
  ) async throws -> Response {
    try await attempt(call, pausing: []) { $0 == .unreachable }
  }

  /// Sends what changes nothing: at the next endpoint whenever one gives no answer.
  func repeatable<Response>(
    _ call: (Connection) async throws -> Response
  ) async throws -> Response {
    try await attempt(call, pausing: ConfigClient.pauses) { $0 != .refused }
  }

  private func attempt<Response>(
    _ call: (Connection) async throws -> Response, pausing pauses: [Duration],
    mayMoveOn: (ClientError.Kind) -> Bool
  ) async throws -> Response {
    var last = ClientError(.unreachable, "no endpoint is given")
    var pauses = pauses[...]
    while true {
      for _ in connections.indices {
        let connection = currentConnection
        do {
          let response = try await asLoggedIn(connection, call)
          hasAnswered.withLock { $0 = true }
          return response
        } catch {
          last = ConfigClient.translate(error, connection)
          moveOn(from: connection)
          guard mayMoveOn(last.kind) else { throw last }
        }
      }
      // A connection that breaks is made again in a moment. A cluster that has never answered is not waited for.
      guard last.kind == .unreachable, hasAnswered.withLock({ $0 }), let pause = pauses.popFirst()
      else { throw last }
      try await Task.sleep(for: pause)
    }
  }

  /// Proves who the client is first, and once more if the cluster does not know that any more: what it
  /// refused for that reason has not taken effect.
  private func asLoggedIn<Response>(
    _ connection: Connection, _ call: (Connection) async throws -> Response
  ) async throws -> Response {
    try await login.ensure(on: connection)
    do {
      return try await call(connection)
    } catch let error as RPCError where login.isStale(error.message) {
      try await login.ensure(on: connection)
      return try await call(connection)
    }
  }

  static func translate(_ error: any Error, _ connection: Connection) -> ClientError {
    switch error {
    case let error as ClientError: error
    case let error as RPCError: ClientError(error, endpoint: connection.endpoint)
    default: ClientError(.unknownOutcome, "\(connection.endpoint): \(error)")
    }
  }
}

extension ConfigClient {
  /// Every change of the range between two revisions, read back from the store's history.
  ///
  /// Ends with a bookmark: the store confirms that nothing up to `last` is missing.
  public func history(
    of range: ClientRange, from first: Int64 = 2, through last: Int64,
    _ body: @escaping @Sendable (ClientBatch) -> Void
  ) async throws {
    guard first <= last else { return }
    try await watch(range, from: first, through: last) { batch in
      if batch.revision <= last { body(batch) }
      return batch.revision < last
    }
  }
}
