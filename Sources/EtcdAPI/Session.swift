import Cluster
import Crypto
import GRPCServer
import Store

/// One call: what whoever calls may have the member do. Services read and change the store through it alone,
/// so that none forgets to ask.
struct Session: Sendable {
  let member: ClusterMember
  private let tokens: any TokenScheme
  private let token: String?
  /// Who calls, once that is known for the whole call.
  private var known: Caller?

  init(member: ClusterMember, tokens: any TokenScheme, call: GRPCCall) {
    self.member = member
    self.tokens = tokens
    token = call.metadata["token"] ?? call.metadata["authorization"]
  }

  /// The same for as long as a stream lasts: its token may lapse meanwhile, but not who began it. What they
  /// may do is asked anew each time, so that a deleted user or another password ends it.
  func pinned() async -> Session {
    var session = self
    if let caller = try? await caller(), caller != .nobody { session.known = caller }
    return session
  }

  /// As `pinned`, for one call that asks more than once.
  ///
  /// - Throws: `AuthError.tokenInvalid`.
  func resolved() async throws(StoreError) -> Session {
    var session = self
    session.known = try await caller()
    return session
  }

  /// Who calls.
  ///
  /// - Throws: `AuthError.tokenInvalid`.
  func caller() async throws(StoreError) -> Caller {
    if let known { return known }
    guard member.store.auth.isEnabled, let token, !token.isEmpty else { return .nobody }
    guard let caller = await tokens.caller(with: token) else { throw .auth(.tokenInvalid) }
    return caller
  }

  /// What the caller may do, as of what this member has applied.
  ///
  /// - Throws: `AuthError.callerUnknown` or `.tokenInvalid`.
  func rights() async throws(StoreError) -> Rights {
    let caller = try await caller()
    return try member.store.auth.rights(of: caller)
  }

  // MARK: - The store

  /// What is refused to everybody who is nobody is not written to the log first.
  func propose(_ action: Command.Action) async throws -> Outcome {
    let caller = try await caller()
    _ = try member.store.auth.rights(of: caller)
    return try await member.propose(action, for: caller)
  }

  /// Hands what a watch sees to `body` until that has enough, or some of it is compacted before it is read.
  ///
  /// - Throws: `AuthError` before the first event that the caller may not see; `GRPCStatus`.
  func follow(
    _ request: WatchRequest, _ body: (KeyEvent) async throws -> Bool
  ) async throws {
    try await rights().checkRead(request.range)
    var version = member.store.auth.version
    let stream = member.hub.openStream()
    defer { stream.close() }
    _ = stream.add(request, id: nil)
    while let deliveries = try await stream.next() {
      for delivery in deliveries {
        if case .compacted = delivery { return }
        guard case .events(_, let batch, _) = delivery else { continue }
        if member.store.auth.version != version {
          version = member.store.auth.version
          try await rights().checkRead(request.range)
        }
        for event in batch.events where try await body(event) { return }
      }
    }
    throw member.status.isFenced ? .fenced : GRPCStatus(.cancelled, "context canceled")
  }

  /// As `range`, where that needs no database, so that nothing blocks; else nil.
  func cachedRange(
    _ query: RangeQuery
  ) async throws -> (result: RangeResult, state: StorePosition)? {
    try await member.store.cachedRange(query, for: caller())
  }

  /// Reads what this member has; after a barrier, what the cluster has.
  func range(_ query: RangeQuery) async throws -> (result: RangeResult, state: StorePosition) {
    try await member.store.range(query, for: caller())
  }

  func evaluate(
    _ transaction: Transaction
  ) async throws -> (result: TransactionResult, state: StorePosition)? {
    try await member.store.evaluate(transaction, for: caller())
  }
}
