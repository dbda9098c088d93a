/// The limits of a transaction; the same on every member, since apply checks them too.
package enum TransactionLimits {
  /// Compares, and operations of a branch; at each level as many less as the level around has.
  package static let operations = 100_000
  /// Bytes that one transaction may read, in its compares and ranges, counting each key that a range
  /// covers: what is committed has to be carried out by every member, whatever it costs.
  package static let readBytes = 256 << 20
  /// Transactions inside transactions.
  package static let depth = 32
}

extension Transaction {
  /// Checks everything that can be told without the store: empty keys, sizes, and that no branch
  /// puts a key twice or both puts and deletes it.
  ///
  /// What is allowed follows etcd to the letter, which is more lenient with nested transactions: the
  /// two branches of one are never held against each other, a put in one transaction not against a
  /// deletion in a later one beside it, and nothing against a deletion without an end. What is put and
  /// deleted at one revision is as the last operation leaves it, and both are events.
  ///
  /// - Complexity: O(*n* log² *n*) in the operations.
  package func validate() throws(StoreError) {
    try checkForm(depth: 0, operations: TransactionLimits.operations)
    _ = try Transaction.footprint(of: success)
    _ = try Transaction.footprint(of: failure)
  }

  /// Whether each level has as many compares and operations at most, less what the levels around it have.
  package func fits(_ operations: Int) -> Bool {
    let most = max(compares.count, success.count, failure.count)
    guard most <= operations else { return false }
    return (success + failure).allSatisfy { operation in
      if case .transaction(let nested) = operation { nested.fits(operations - most) } else { true }
    }
  }

  /// What refuses it does so before it writes anything. Else it may be refused in the middle: by a range that reads too
  /// much, by a deletion of more keys than a revision has places, or by a put that keeps what was deleted before it.
  var isRefusedBeforeItWrites: Bool {
    (success + failure).allSatisfy { operation in
      switch operation {
      case .range: false
      case .put(let put): put.value != .keep && put.lease != .keep
      case .delete(let delete): if case .single = delete.range { true } else { false }
      case .transaction(let nested): nested.isRefusedBeforeItWrites
      }
    }
  }

  fileprivate func checkForm(depth: Int, operations limit: Int) throws(StoreError) {
    guard depth < TransactionLimits.depth else {
      throw .transactionTooDeep(limit: TransactionLimits.depth)
    }
    let most = max(compares.count, success.count, failure.count)
    guard most <= limit else { throw .tooManyOperations(limit: TransactionLimits.operations) }
    for compare in compares where compare.range.start.bytes.isEmpty { throw .emptyKey }
    for operation in success { try operation.checkForm(depth: depth, operations: limit - most) }
    for operation in failure { try operation.checkForm(depth: depth, operations: limit - most) }
  }

  /// What a branch writes, with all that is nested in it.
  private struct Footprint {
    var puts: Set<Key> = []
    var deletes = KeyRangeSet()

    mutating func put(_ key: Key) throws(StoreError) {
      guard !puts.contains(key), !deletes.contains(key) else { throw .duplicateKey }
      puts.insert(key)
    }

    mutating func add(success: Footprint, failure: Footprint) throws(StoreError) {
      for key in success.puts { try put(key) }
      for key in failure.puts {
        // Only one of the branches runs.
        if success.puts.contains(key) { continue }
        try put(key)
      }
      deletes.formUnion(success.deletes)
      deletes.formUnion(failure.deletes)
    }
  }

  private static func footprint(of branch: [Operation]) throws(StoreError) -> Footprint {
    var footprint = Footprint()
    var deletes: [KeyRange] = []
    for case .delete(let delete) in branch {
      if case .from = delete.range { continue }
      deletes.append(delete.range)
    }
    footprint.deletes.insert(deletes)
    for case .transaction(let nested) in branch {
      try footprint.add(
        success: try Transaction.footprint(of: nested.success),
        failure: try Transaction.footprint(of: nested.failure))
    }
    for case .put(let put) in branch { try footprint.put(put.key) }
    return footprint
  }
}

extension Operation {
  fileprivate func checkForm(depth: Int, operations: Int) throws(StoreError) {
    switch self {
    case .range(let query): if query.range.start.bytes.isEmpty { throw .emptyKey }
    case .put(let put): if put.key.bytes.isEmpty { throw .emptyKey }
    case .delete(let delete): if delete.range.start.bytes.isEmpty { throw .emptyKey }
    case .transaction(let nested):
      try nested.checkForm(depth: depth + 1, operations: operations)
    }
  }
}
