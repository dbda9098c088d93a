import Store

/// By which tokens this member knows whom.
///
/// Every member learns of a token as it is admitted; each counts for itself when it was used last, as etcd
/// does. A member that starts anew knows none: clients prove again who they are.
struct TokenTable {
  /// Tokens that are known at a time; those unused for longest are forgotten first.
  static let limit = 100_000
  /// Tokens taken in after which those that nobody uses any more are looked for.
  private static let admissionsOfASweep = 1_000

  private struct Known {
    var user: AuthName
    var provenAt: UInt64
    /// In turns of the member's clock.
    var usedAt: Int
  }

  /// Turns after its last use until a token counts no more.
  private let lifetime: Int
  private var known: [TokenDigest: Known] = [:]
  private var admissions = 0

  init(lifetime: Int) { self.lifetime = lifetime }

  /// - Complexity: O(1) amortised, but for the sweeps: O(*n* log *n*) each.
  mutating func admit(_ token: AdmittedToken, at now: Int) {
    known[token.digest] = Known(user: token.user, provenAt: token.provenAt, usedAt: now)
    admissions += 1
    if admissions % TokenTable.admissionsOfASweep == 0 || known.count > TokenTable.limit {
      sweep(at: now)
    }
  }

  private mutating func sweep(at now: Int) {
    known = known.filter { now - $0.value.usedAt <= lifetime }
    guard known.count > TokenTable.limit else { return }
    // A tenth more, so that the next one does not sweep again.
    let surplus = known.count - TokenTable.limit + TokenTable.limit / 10
    let oldest = known.sorted { $0.value.usedAt < $1.value.usedAt }
    for (digest, _) in oldest.prefix(surplus) { known[digest] = nil }
  }

  /// Who has the token; nil if nobody, or not any more.
  mutating func caller(with token: TokenDigest, at now: Int) -> Caller? {
    guard let found = known[token] else { return nil }
    guard now - found.usedAt <= lifetime else {
      known[token] = nil
      return nil
    }
    known[token]?.usedAt = now
    return .user(found.user, provenAt: found.provenAt)
  }
}
