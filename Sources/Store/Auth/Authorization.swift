// Which rights a request needs. Stricter than etcd 3.5.1 where that was found to leak: transactions
// inside transactions, previous values and leases in them (CVE-2026-44283 and the one before it), alarms,
// leases and compaction without a token, and the keys of a lease (CVE-2023-32082). An alarm
// never changes who may do what.

extension Command {
  /// - Throws: `AuthError.callerUnknown`, `.tokenInvalid` or `.permissionDenied`; SQLite's error.
  func check(_ state: AuthState, leases: LeaseTable) throws {
    // The common case, without a look at the request.
    guard state.isEnabled, caller != .cluster else { return }
    var check = AuthorizationCheck(rights: try state.rights(of: caller), leases: leases)
    switch action {
    case .put(let put): try check.check(put)
    case .delete(let delete): try check.check(delete)
    case .transaction(let transaction): try check.check(transaction)
    case .lease(.grant): break
    case .lease(.revoke(let id)): try check.checkWrite(keysOf: id)
    case .lease(.expire), .lease(.checkpoint), .memberAttributes, .memberChange, .compact, .alarm,
      .auth, .integrity:
      try check.rights.checkRoot()
    }
  }
}

/// Holds what a request wants against the rights of its caller.
///
/// - Complexity: O(log *n*) in the ranges of the rights an operation; each lease is looked at once, which takes
///   O(*r* log *k*) for *r* ranges and *k* keys of it.
struct AuthorizationCheck {
  let rights: Rights
  /// nil where nothing is written.
  let leases: LeaseTable?
  private var checkedLeases: Set<Int64> = []

  init(rights: Rights, leases: LeaseTable?) {
    self.rights = rights
    self.leases = leases
  }

  /// Both branches count, whichever will run: otherwise a caller could find out which.
  mutating func check(_ transaction: Transaction) throws {
    for compare in transaction.compares { try rights.checkRead(compare.range) }
    for operation in transaction.success { try check(operation) }
    for operation in transaction.failure { try check(operation) }
  }

  private mutating func check(_ operation: Operation) throws {
    switch operation {
    case .range(let query): try rights.checkRead(query.range)
    case .put(let put): try check(put)
    case .delete(let delete): try check(delete)
    case .transaction(let nested): try check(nested)
    }
  }

  mutating func check(_ put: PutRequest) throws {
    try rights.checkWrite(.single(put.key))
    if put.returnsPrevious { try rights.checkRead(.single(put.key)) }
    // Whoever hangs a key on a lease has a say in how long its other keys live.
    if case .set(let id) = put.lease, id != 0 { try checkWrite(keysOf: id) }
  }

  func check(_ delete: DeleteRequest) throws {
    try rights.checkWrite(delete.range)
    if delete.returnsPrevious { try rights.checkRead(delete.range) }
  }

  mutating func checkWrite(keysOf lease: Int64) throws {
    guard case .some(let grants) = rights, let leases, checkedLeases.insert(lease).inserted else {
      return
    }
    for gap in grants.writable.gaps where try leases.hasKey(of: lease, from: gap.start, to: gap.end)
    {
      throw StoreError.auth(.permissionDenied)
    }
  }
}
