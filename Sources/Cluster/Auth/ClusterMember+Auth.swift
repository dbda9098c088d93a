package import Store
import Synchronization

/// Who calls.
extension ClusterMember {
  /// Whom this member knows by a token; nil if nobody, or not any more.
  package func caller(with token: TokenDigest) -> Caller? {
    let now = waiters.withLock { $0.tick }
    return tokens.withLock { $0.caller(with: token, at: now) }
  }

  func admit(_ admitted: [AdmittedToken]) {
    let now = waiters.withLock { $0.tick }
    let time = environment.wallClock()
    let lifetime = Int64(configuration.tokenLifetime / .seconds(1))
    tokens.withLock { tokens in
      // One that was admitted while this member was away may be long over.
      for token in admitted where abs(time - token.issuedAt) <= lifetime {
        tokens.admit(token, at: now)
      }
    }
  }
}
