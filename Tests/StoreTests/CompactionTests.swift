import Testing

@testable import Store

struct CompactionTests {
  private static func rows(_ store: AppliedStore) throws -> Int {
    let history = try store.store.events(
      in: .from("a"), from: store.store.current.compactRevision, withPrevious: false,
      maximumBytes: 1 << 20)
    return history.batches.reduce(0) { $0 + $1.events.count }
  }

  private static func remove(_ store: AppliedStore) throws {
    while store.store.isCompacting { try store.store.removeCompacted() }
  }

  @Test func whatCanBeAskedForStays() throws {
    let store = try AppliedStore()
    try store.put("a", "1")  // 2
    try store.put("b", "1")  // 3
    try store.put("a", "2")  // 4
    try store.apply(.delete(DeleteRequest(.single("b"))))  // 5
    try store.put("a", "3")  // 6
    #expect(try store.apply(.compact(Revision(5))).result == .success(.done))
    // Alike before and after the rows are gone.
    for _ in 0..<2 {
      #expect(try store.value("a", at: 5) == "2")
      #expect(try store.value("b", at: 5) == nil)
      #expect(try store.value("a") == "3")
      #expect(throws: StoreError.compacted(oldest: Revision(5))) {
        _ = try store.value("a", at: 4)
      }
      #expect(throws: StoreError.compacted(oldest: Revision(5))) {
        _ = try store.store.events(
          in: .from("a"), from: Revision(4), withPrevious: false, maximumBytes: 1000)
      }
      // The deletion at 5 is still owed to a watch from there (etcd issue 18089).
      let history = try store.store.events(
        in: .from("a"), from: Revision(5), withPrevious: false, maximumBytes: 1000)
      #expect(history.batches.map(\.revision) == [Revision(5), Revision(6)])
      try CompactionTests.remove(store)
    }
    #expect(store.store.current.revision == Revision(6), "the revision is no row's")
  }

  @Test func onlyWhatLiesBetweenIsCompacted() throws {
    let store = try AppliedStore()
    try store.put("a", "1")
    try store.put("a", "2")
    for revision in [0, -1, 1] as [Int64] where revision < 1 {
      #expect(
        try store.apply(.compact(Revision(revision))).result
          == .failure(.compacted(oldest: Revision(0))))
    }
    #expect(
      try store.apply(.compact(Revision(4))).result
        == .failure(.futureRevision(current: Revision(3))))
    #expect(try store.apply(.compact(Revision(3))).result == .success(.done))
    #expect(
      try store.apply(.compact(Revision(3))).result
        == .failure(.compacted(oldest: Revision(3))))
  }

  @Test func aCompactionInPiecesLosesNothing() throws {
    let store = try AppliedStore()
    let keys = (0..<50).map { Key("key\($0)") }
    for round in 0..<60 {
      let operations = keys.map { Operation.put(PutRequest($0, .set([UInt8(round)]))) }
      try store.apply(.transaction(Transaction(success: operations)))
    }
    let last = store.store.current.revision
    try store.apply(.compact(Revision(last.rawValue - 10)))
    try store.store.removeCompacted()
    #expect(store.store.isCompacting, "three thousand rows are more than a batch")
    // A later compaction meets one that is under way.
    try store.apply(.delete(DeleteRequest(.single("key7"))))
    try store.put("new", "1")
    try store.apply(.compact(Revision(last.rawValue + 1)))
    try CompactionTests.remove(store)
    #expect(try store.keys(RangeQuery(.from("a"))).count == 50)
    #expect(try store.value("key8") == String(decoding: [59], as: UTF8.self))
    #expect(try CompactionTests.rows(store) == 2, "the deletion and what followed")
    let size = try store.store.versions()
    #expect(size == 51, "49 keys, the deletion, and a new key")
  }
}
