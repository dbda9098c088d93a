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

  init(member: ClusterMember, tokens: any TokenScheme, call: GRPCCall) {
    self.member = member
    self.tokens = tokens
    token = call.metadata["token"] ?? call.metadata["authorization"]
  }

  /// Who calls.
  ///
  /// - Throws: `AuthError.tokenInvalid`.
  func caller() async throws(StoreError) -> Caller {
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

  func propose(_ action: Command.Action) async throws -> Outcome {
    try await member.propose(action, for: caller())
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
