import TestSupport
import Testing

@testable import Store

struct ItemCacheTests {
  private func item(_ key: Key, _ value: [UInt8]) -> KeyValue {
    KeyValue(
      key: key, value: value, createRevision: Revision(2), modRevision: Revision(2), version: 1,
      lease: 0)
  }

  private func isKnown(_ key: Key, in cache: inout ItemCache) -> Bool {
    if case .unknown = cache.find(key) { false } else { true }
  }

  @Test func whatIsUsedStaysAndWhatIsNotGoes() {
    var cache = ItemCache(capacity: 100 * 1000)
    cache.keep("hot", item("hot", [1]))
    for number in 0..<10_000 {
      let key = Key("cold\(number)")
      cache.keep(key, item(key, [UInt8](repeating: 0, count: 100)))
      #expect(isKnown("hot", in: &cache))
    }
    let kept = (0..<10_000).filter { isKnown(Key("cold\($0)"), in: &cache) }.count
    #expect((100...350).contains(kept), "about 100 kB of entries of 300 bytes")
  }

  @Test func whatIsTooLargeDrivesOutNobody() {
    var cache = ItemCache(capacity: 10_000)
    cache.keep("a", item("a", [1]))
    cache.keep("b", item("b", [1]))
    cache.keep("b", item("b", [UInt8](repeating: 0, count: 9_000)))
    #expect(isKnown("a", in: &cache))
    #expect(!isKnown("b", in: &cache), "the former value is no more")
  }

  // MARK: - In the store

  /// The cache never says anything but what the database would.
  @Test func aCachedKeyIsAsTheDatabaseHasIt() throws {
    var random = SeededRandomNumbers(seed: 7)
    let store = try AppliedStore()
    try store.apply(.lease(.grant(id: 1, ttl: 60)))
    let keys = (0..<6).map { Key("k\($0)") }
    var hits = 0
    for step in 0..<1_500 {
      let key = keys[Int.random(in: 0..<6, using: &random)]
      let other = keys[Int.random(in: 0..<6, using: &random)]
      let put = PutRequest(
        key, Bool.random(using: &random) ? .set([UInt8(step & 255)]) : .keep,
        lease: step % 50 == 0 ? .set(1) : .set(0))
      switch Int.random(in: 0..<8, using: &random) {
      case 0: try store.apply(.delete(DeleteRequest(.between(key, Key(key.bytes + [0])))))
      case 1:
        try store.apply(
          .transaction(
            Transaction(
              compares: [Compare(.single(other), .version(1))],
              success: [.put(put), .delete(DeleteRequest(.single(other)))],
              failure: [
                .put(PutRequest(other, .set([1]))),
                // Refused, and with it what came before.
                .put(PutRequest(key, .keep)),
              ])))
      case 2:
        try store.apply(.lease(.revoke(id: 1)))
        try store.apply(.lease(.grant(id: 1, ttl: 60)))
      case 3: if step % 7 == 0 { try store.store.commit() }
      case 4: try store.apply(.compact(store.store.current.revision))
      default: try store.apply(.put(put))
      }
      let query = RangeQuery(.single(keys[Int.random(in: 0..<6, using: &random)]))
      if let cached = try store.store.cachedRange(query) {
        hits += 1
        let read = try store.store.readRange(query)
        #expect(cached.result == read.result, "step \(step)")
        #expect(cached.state == read.state)
      } else {
        _ = try store.store.readRange(query)
        #expect(try store.store.cachedRange(query) != nil, "what was read is known")
      }
    }
    #expect(hits > 1_000)
  }

  @Test func onlyTheNewestOfOneKeyIsCached() throws {
    let store = try AppliedStore()
    try store.put("a", "1")
    let range = KeyRange.single("a")
    #expect(try store.store.cachedRange(RangeQuery(range))?.result.items.first?.value == [49])
    #expect(
      try store.store.cachedRange(RangeQuery(range, content: .keysOnly))?.result.items.first?.value
        == [])
    let counted = try store.store.cachedRange(RangeQuery(range, content: .countOnly))
    #expect(counted?.result == RangeResult(items: [], count: 1, hasMore: false))
    #expect(try store.store.cachedRange(RangeQuery(range, at: Revision(2))) == nil)
    #expect(try store.store.cachedRange(RangeQuery(.prefix("a"))) == nil)
    var bounded = RangeQuery(range)
    bounded.modBounds.minimum = Revision(3)
    #expect(try store.store.cachedRange(bounded) == nil)
  }

  @Test func aCachedKeyIsShownToNobodyWhoMayNotReadIt() throws {
    let store = try AppliedStore()
    try store.put("a", "1")
    for change in [
      AuthChange.addUser("root", passwordHash: "hash"), .addRole("root"),
      .giveRole("root", to: "root"), .addUser("u", passwordHash: "hash"), .enable,
    ] { try store.apply(.auth(change)) }
    let query = RangeQuery(.single("a"))
    #expect(throws: StoreError.auth(.callerUnknown)) {
      try store.store.cachedRange(query, for: .nobody)
    }
    let proof = store.store.auth.version.revision
    #expect(throws: StoreError.auth(.permissionDenied)) {
      try store.store.cachedRange(query, for: .user("u", provenAt: proof))
    }
    #expect(try store.store.cachedRange(query, for: .user("root", provenAt: proof)) != nil)
  }

  /// What undoes a batch undoes those before it that were not committed: nothing may speak of them any more.
  @Test func afterAFailureTheDatabaseStaysAsItWasCommitted() throws {
    let folder = try TemporaryFolder()
    do {
      let store = try KeyValueStore(directory: folder.path, cluster: 1)
      let put = Command(
        request: RequestID(member: 1, number: 1), action: .put(PutRequest("a", .set([1]))))
      _ = try store.apply([LogCommand(index: 1, term: 1, payload: put.encoded())])
      #expect(throws: (any Error).self) {
        try store.apply([LogCommand(index: 2, term: 1, payload: [0xff])])
      }
      #expect(throws: (any Error).self) { try store.readRange(RangeQuery(.single("a"))) }
      #expect(throws: (any Error).self) { try store.commit() }
      #expect(throws: (any Error).self) { try store.defragment() }
      #expect(throws: (any Error).self) {
        try store.apply([LogCommand(index: 2, term: 1, payload: nil)])
      }
    }
    let again = try KeyValueStore(directory: folder.path, cluster: 1)
    #expect(again.current.appliedIndex == 0)
    #expect(try again.readRange(RangeQuery(.single("a"))).result.items.isEmpty)
  }

  /// Until it is committed the log alone has it.
  @Test func whatIsNotCommittedIsNotThereAfterACrash() throws {
    let folder = try TemporaryFolder()
    func put(_ index: UInt64, in store: KeyValueStore) throws {
      let command = Command(
        request: RequestID(member: 1, number: index),
        action: .put(PutRequest("a", .set([UInt8(index)]))))
      _ = try store.apply([LogCommand(index: index, term: 1, payload: command.encoded())])
    }
    do {
      let store = try KeyValueStore(directory: folder.path, cluster: 1)
      for index: UInt64 in 1...3 { try put(index, in: store) }
      try store.commit()
      try put(4, in: store)
      #expect(store.current.appliedIndex == 4)
    }
    let again = try KeyValueStore(directory: folder.path, cluster: 1)
    #expect(again.current.appliedIndex == 3 && again.current.revision == Revision(4))
    try put(4, in: again)
    #expect(try again.range(RangeQuery(.single("a"))).result.items.first?.version == 4)
  }
}
