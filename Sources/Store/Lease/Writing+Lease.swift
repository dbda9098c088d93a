extension Writing {
  mutating func run(_ change: LeaseChange, entry: LogCommand) throws -> OperationResult {
    switch change {
    case .grant(let id, let ttl):
      guard id != 0 else { throw StoreError.leaseNotFound }
      guard ttl <= LeaseLimits.longestTTL else { throw StoreError.leaseTooLong }
      guard try leases.lease(id) == nil else { throw StoreError.leaseExists }
      try leases.insert(Lease(id: id, ttl: ttl, remaining: ttl, grantedAt: entry.index))
    case .revoke(let id):
      guard try leases.lease(id) != nil else { throw StoreError.leaseNotFound }
      try end(id)
    case .expire(let id, let grantedAt, let term):
      guard term == entry.term else { throw StoreError.notLeading }
      guard try leases.lease(id)?.grantedAt == grantedAt else { throw StoreError.leaseNotFound }
      try end(id)
    case .checkpoint(let checkpoints, let term):
      guard term == entry.term else { throw StoreError.notLeading }
      for checkpoint in checkpoints { try leases.write(checkpoint) }
    }
    return .done
  }

  /// Deletes its keys, in their order and at one revision, and the lease with them.
  private mutating func end(_ id: Int64) throws {
    for key in try leases.keys(of: id) { _ = try run(DeleteRequest(.single(key))) }
    try leases.remove(id)
  }
}
