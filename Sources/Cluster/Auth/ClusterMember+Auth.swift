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
    tokens.withLock { tokens in
      for token in admitted { tokens.admit(token, at: now) }
    }
  }
}
