/// The limits of a transaction; the same on every member, since apply checks them too.
package enum TransactionLimits {
  /// Compares, and operations of a branch, at each level.
  package static let operations = 100_000
  /// Transactions inside transactions.
  package static let depth = 32
}

extension Transaction {
  /// Checks everything that can be told without the store: empty keys, sizes, and that no branch
  /// puts a key twice or both puts and deletes it.
  ///
  /// - Complexity: O(*n* log *n*) in the operations.
  package func validate() throws(StoreError) {
    _ = try footprint(depth: 0)
  }

  /// The keys that a branch writes.
  private struct Footprint {
    var puts: Set<Key> = []
    var deletes: [KeyRange] = []

    mutating func add(_ other: Footprint) throws(StoreError) {
      guard puts.isDisjoint(with: other.puts) else { throw .duplicateKey }
      puts.formUnion(other.puts)
      deletes += other.deletes
    }

    func check() throws(StoreError) {
      var ranges: [KeyRange] = []
      for range in deletes {
        if case .single(let key) = range {
          if puts.contains(key) { throw .duplicateKey }
        } else {
          ranges.append(range)
        }
      }
      guard !ranges.isEmpty, !puts.isEmpty else { return }
      // For each range, the first put at or after its start decides.
      let sorted = puts.sorted()
      for range in ranges {
        let first = sorted.partitioningIndex { $0 >= range.start }
        if first < sorted.count, range.contains(sorted[first]) { throw .duplicateKey }
      }
    }
  }

  private func footprint(depth: Int) throws(StoreError) -> Footprint {
    guard depth < TransactionLimits.depth else {
      throw .transactionTooDeep(limit: TransactionLimits.depth)
    }
    for count in [compares.count, success.count, failure.count]
    where count > TransactionLimits.operations {
      throw .tooManyOperations(limit: TransactionLimits.operations)
    }
    for compare in compares where compare.range.start.bytes.isEmpty { throw .emptyKey }
    let succeeding = try Transaction.footprint(of: success, depth: depth)
    let failing = try Transaction.footprint(of: failure, depth: depth)
    // Only one branch runs, so each may write the same keys; what is around sees both.
    return Footprint(
      puts: succeeding.puts.union(failing.puts), deletes: succeeding.deletes + failing.deletes)
  }

  private static func footprint(
    of branch: [Operation], depth: Int
  ) throws(StoreError) -> Footprint {
    var footprint = Footprint()
    for operation in branch {
      switch operation {
      case .range(let query):
        if query.range.start.bytes.isEmpty { throw .emptyKey }
      case .put(let put):
        if put.key.bytes.isEmpty { throw .emptyKey }
        guard footprint.puts.insert(put.key).inserted else { throw .duplicateKey }
      case .delete(let delete):
        if delete.range.start.bytes.isEmpty { throw .emptyKey }
        footprint.deletes.append(delete.range)
      case .transaction(let nested):
        try footprint.add(try nested.footprint(depth: depth + 1))
      }
    }
    try footprint.check()
    return footprint
  }
}

extension [Key] {
  /// The first index whose element, and every later one, satisfies `belongs`.
  fileprivate func partitioningIndex(_ belongs: (Key) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if belongs(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
