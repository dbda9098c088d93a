// Which rights a request needs. Stricter than etcd 3.5.1 where that was found to leak: transactions
// inside transactions, previous values and leases in them (CVE-2026-44283 and the one before it), alarms,
// leases and compaction without a token, and the keys of a lease (CVE-2023-32082). An alarm
// never changes who may do what.

extension Command {
  /// - Throws: `AuthError.callerUnknown`, `.tokenInvalid` or `.permissionDenied`; SQLite's error.
  func check(_ state: AuthState, leases: LeaseTable) throws {
    // The common case, without a look at the request.
    guard state.isEnabled, caller != .cluster else { return }
    let rights = try state.rights(of: caller)
    switch action {
    case .put(let put): try put.check(rights, leases: leases)
    case .delete(let delete): try delete.check(rights)
    case .transaction(let transaction): try transaction.check(rights, leases: leases)
    case .lease(.grant): break
    case .lease(.revoke(let id)): try rights.checkWrite(keysOf: id, leases)
    case .lease(.expire), .lease(.checkpoint), .memberAttributes, .memberChange:
      try rights.checkRoot()
    case .compact, .alarm, .auth: try rights.checkRoot()
    }
  }
}

extension Transaction {
  /// Both branches count, whichever will run: otherwise a caller could find out which.
  func check(_ rights: Rights, leases: LeaseTable?) throws {
    for compare in compares { try rights.checkRead(compare.range) }
    for operation in success { try operation.check(rights, leases: leases) }
    for operation in failure { try operation.check(rights, leases: leases) }
  }
}

extension Operation {
  fileprivate func check(_ rights: Rights, leases: LeaseTable?) throws {
    switch self {
    case .range(let query): try rights.checkRead(query.range)
    case .put(let put): try put.check(rights, leases: leases)
    case .delete(let delete): try delete.check(rights)
    case .transaction(let nested): try nested.check(rights, leases: leases)
    }
  }
}

extension PutRequest {
  fileprivate func check(_ rights: Rights, leases: LeaseTable?) throws {
    try rights.checkWrite(.single(key))
    if returnsPrevious { try rights.checkRead(.single(key)) }
    // Whoever hangs a key on a lease has a say in how long its other keys live.
    if case .set(let id) = lease, id != 0, let leases { try rights.checkWrite(keysOf: id, leases) }
  }
}

extension DeleteRequest {
  fileprivate func check(_ rights: Rights) throws {
    try rights.checkWrite(range)
    if returnsPrevious { try rights.checkRead(range) }
  }
}

extension Rights {
  /// - Complexity: O(*k* log *n*) in the keys of the lease, unless the rights are unlimited.
  fileprivate func checkWrite(keysOf lease: Int64, _ leases: LeaseTable) throws {
    guard case .some = self else { return }
    try leases.forEachKey(of: lease) { try checkWrite(.single($0)) }
  }
}
