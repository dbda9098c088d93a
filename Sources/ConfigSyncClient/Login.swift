import EtcdProtos
import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCProtobuf
import Synchronization

/// Who a client is to the cluster.
public struct ClientCredentials: Hashable, Sendable {
  public var user: String
  public var password: String
  public init(user: String, password: String) {
    self.user = user
    self.password = password
  }
}

/// Proves who the client is, once for all endpoints, and again when the cluster has forgotten that.
final class Login: Sendable {
  private enum State {
    case unknown
    case token(String)
    /// The cluster asks nobody who they are.
    case needless
  }

  private let credentials: ClientCredentials?
  /// How long a login may take.
  private let timeout: Duration
  private let state = Mutex(State.unknown)

  init(_ credentials: ClientCredentials?, timeout: Duration) {
    self.credentials = credentials
    self.timeout = timeout
  }

  var token: String? {
    state.withLock { if case .token(let token) = $0 { token } else { nil } }
  }

  /// Gets a token if there is none.
  ///
  /// - Throws: `RPCError`, for instance that the password is wrong.
  func ensure(on connection: Connection) async throws {
    guard let credentials, state.withLock({ if case .unknown = $0 { true } else { false } }) else {
      return
    }
    var request = Etcdserverpb_AuthenticateRequest()
    request.name = credentials.user
    request.password = credentials.password
    let client = Etcdserverpb_Auth.Client(wrapping: connection.client)
    // An endpoint that takes a connection and never answers must not hold up the others.
    var options = CallOptions.defaults
    options.timeout = timeout
    do {
      let token = try await client.authenticate(request, options: options).token
      state.withLock { $0 = .token(token) }
    } catch let error as RPCError where error.message.hasSuffix("authentication is not enabled") {
      state.withLock { $0 = .needless }
    }
  }

  /// The cluster does not know the token any more, or asks for one now.
  ///
  /// - Returns: whether it is worth to try again.
  func isStale(_ message: String) -> Bool {
    guard credentials != nil else { return false }
    let isKnown = message.contains("invalid auth token") || message.contains("user name is empty")
    if isKnown { state.withLock { $0 = .unknown } }
    return isKnown
  }
}

/// Sends the token with each call.
struct TokenInterceptor: ClientInterceptor {
  let login: Login

  @concurrent
  func intercept<Input: Sendable, Output: Sendable>(
    request: StreamingClientRequest<Input>, context: ClientContext,
    next:
      @concurrent (StreamingClientRequest<Input>, ClientContext) async throws
      -> StreamingClientResponse<Output>
  ) async throws -> StreamingClientResponse<Output> {
    guard let token = login.token else { return try await next(request, context) }
    var request = request
    request.metadata.replaceOrAddString(token, forKey: "token")
    return try await next(request, context)
  }
}
