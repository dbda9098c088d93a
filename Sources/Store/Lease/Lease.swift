/// A lease, as every member knows it: keys attached to it are deleted when it ends (etcd's lease).
public struct Lease: Hashable, Sendable {
  public var id: Int64
  /// Seconds that it lives without a renewal.
  public var ttl: Int64
  /// Seconds that were left when a leader last wrote that down: the next leader begins there. Without
  /// that each change of leader would begin the whole time anew.
  public var remaining: Int64
  /// The log index of the entry that granted it: an id that is granted again names another lease.
  public var grantedAt: UInt64

  public init(id: Int64, ttl: Int64, remaining: Int64, grantedAt: UInt64) {
    self.id = id
    self.ttl = ttl
    self.remaining = remaining
    self.grantedAt = grantedAt
  }
}

/// How much time a lease had left.
public struct LeaseCheckpoint: Hashable, Sendable {
  public var id: Int64
  public var grantedAt: UInt64
  /// Seconds, rounded up.
  public var remaining: Int64

  public init(id: Int64, grantedAt: UInt64, remaining: Int64) {
    self.id = id
    self.grantedAt = grantedAt
    self.remaining = remaining
  }
}

/// What may be done to leases.
///
/// What a leader does on its own account names the term in which it leads. An entry of another term
/// changes nothing: a leader that was stopped for a while and has a successor ends no lease (etcd
/// issue 15247).
public enum LeaseChange: Hashable, Sendable {
  case grant(id: Int64, ttl: Int64)
  case revoke(id: Int64)
  /// Its time is over, as the leader of `term` has measured.
  case expire(id: Int64, grantedAt: UInt64, term: UInt64)
  case checkpoint([LeaseCheckpoint], term: UInt64)
}

/// What a command did to a lease, for whoever measures its time.
package enum LeaseEffect: Hashable, Sendable {
  case granted(Lease)
  /// Revoked or expired; its keys were deleted by the same command.
  case ended(id: Int64)
}

/// Bounds of what a client may ask for.
package enum LeaseLimits {
  /// Seconds; etcd's.
  package static let longestTTL: Int64 = 9_000_000_000
}
