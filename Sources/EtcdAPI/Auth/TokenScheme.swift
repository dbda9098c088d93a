import Cluster
import Crypto
import Foundation
import Store

/// How callers are known again after they have proven who they are (`--auth-token`).
protocol TokenScheme: Sendable {
  /// Whether one is given to somebody who has no password.
  var needsPassword: Bool { get }

  /// A token for a user who has just proven who they are.
  ///
  /// - Throws: `ClusterError`, `StoreError`.
  func issue(to user: AuthName, provenAt revision: UInt64) async throws -> String

  /// Who holds the token; nil if nobody, or not any more.
  func caller(with token: String) async -> Caller?
}

/// Random tokens that every member remembers while they are used.
///
/// What goes through the log is a token's hash: whoever reads a data directory can't be anybody by it.
struct SimpleTokens: TokenScheme {
  let member: ClusterMember
  var needsPassword: Bool { true }

  func issue(to user: AuthName, provenAt revision: UInt64) async throws -> String {
    let token = SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }.base64EncodedString()
      .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    let admission = AuthChange.admit(
      user, provenAt: revision, token: SimpleTokens.digest(of: token),
      issuedAt: Int64(Date().timeIntervalSince1970))
    _ = try await member.propose(.auth(admission)).result.get()
    return token
  }

  func caller(with token: String) async -> Caller? {
    member.caller(with: SimpleTokens.digest(of: token))
  }

  private static func digest(of token: String) -> TokenDigest {
    TokenDigest(Array(SHA256.hash(data: Array(token.utf8))))
  }
}
