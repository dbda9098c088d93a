import Testing

@testable import Store

struct LeaseTests {
  private static func attach(_ key: Key, to lease: Int64, in store: AppliedStore) throws {
    let outcome = try store.apply(.put(PutRequest(key, .set([1]), lease: .set(lease))))
    _ = try outcome.result.get()
  }

  private static func expire(_ id: Int64, grantedAt: UInt64, term: UInt64 = 1) -> Command.Action {
    .lease(.expire(id: id, grantedAt: grantedAt, term: term))
  }

  @Test func aRevokedLeaseTakesItsKeysAtOneRevision() throws {
    let store = try AppliedStore()
    try store.apply(.lease(.grant(id: 7, ttl: 10)))
    for key in ["b", "a", "c"] as [Key] { try LeaseTests.attach(key, to: 7, in: store) }
    try store.put("d", "stays")
    // A key leaves its lease by a put without it, and by its deletion.
    try store.put("c", "free")
    let before = store.store.current.revision
    let outcome = try store.apply(.lease(.revoke(id: 7)))
    #expect(outcome.result == .success(.done))
    #expect(outcome.revision == before.next, "all keys at one revision")
    #expect(try store.keys(RangeQuery(.from("a"))) == ["c", "d"])
    let history = try store.store.events(
      in: .from("a"), from: before.next, withPrevious: true, maximumBytes: 1000)
    #expect(history.batches.map { $0.events.map(\.key.description) } == [["a", "b"]])
    #expect(history.batches[0].events[0].previous?.lease == 7)
    #expect(try store.store.leases().isEmpty && store.store.lease(7) == nil)
  }

  @Test func aKeyHangsOnItsLastLeaseAlone() throws {
    let store = try AppliedStore()
    try store.apply(.lease(.grant(id: 1, ttl: 10)))
    try store.apply(.lease(.grant(id: -2, ttl: 10)))
    try LeaseTests.attach("a", to: 1, in: store)
    try LeaseTests.attach("a", to: -2, in: store)
    try store.apply(.put(PutRequest("a", .set([2]), lease: .keep)))
    #expect(try store.store.lease(1)?.keys == [] && store.store.lease(-2)?.keys == ["a"])
    let revision = store.store.current.revision
    #expect(try store.apply(.lease(.revoke(id: 1))).revision == revision, "it held no key")
    #expect(try store.keys(RangeQuery(.from("a"))) == ["a"])
  }

  @Test func whatCanNotBeGrantedIsRefused() throws {
    let store = try AppliedStore()
    try store.apply(.lease(.grant(id: 1, ttl: 10)))
    #expect(try store.apply(.lease(.grant(id: 1, ttl: 5))).result == .failure(.leaseExists))
    #expect(try store.apply(.lease(.grant(id: 0, ttl: 5))).result == .failure(.leaseNotFound))
    let long = LeaseLimits.longestTTL + 1
    #expect(try store.apply(.lease(.grant(id: 2, ttl: long))).result == .failure(.leaseTooLong))
    #expect(try store.apply(.lease(.revoke(id: 9))).result == .failure(.leaseNotFound))
    let put = PutRequest("a", .set([1]), lease: .set(9))
    #expect(try store.apply(.put(put)).result == .failure(.leaseNotFound))
    // In a transaction it undoes what came before it.
    let transaction = Transaction(success: [.put(PutRequest("b", .set([1]))), .put(put)])
    #expect(try store.apply(.transaction(transaction)).result == .failure(.leaseNotFound))
    #expect(try store.keys(RangeQuery(.from("a"))).isEmpty)
  }

  @Test func onlyTheLeaderOfTheEntrysTermEndsALease() throws {
    let store = try AppliedStore()
    try store.apply(.lease(.grant(id: 1, ttl: 10)))
    let granted = try #require(try store.store.lease(1)).lease.grantedAt
    let stale = LeaseTests.expire(1, grantedAt: granted, term: 2)
    #expect(try store.apply(stale).result == .failure(.notLeading))
    let other = LeaseTests.expire(1, grantedAt: granted + 1)
    #expect(try store.apply(other).result == .failure(.leaseNotFound), "another lease of that id")
    #expect(try store.store.leases().count == 1)
    #expect(try store.apply(LeaseTests.expire(1, grantedAt: granted)).result == .success(.done))
    #expect(try store.store.leases().isEmpty)
  }

  @Test func aCheckpointIsKeptAndNeverOfAnotherLease() throws {
    let store = try AppliedStore()
    try store.apply(.lease(.grant(id: 1, ttl: 10)))
    let granted = try #require(try store.store.lease(1)).lease.grantedAt
    func write(_ remaining: Int64, of index: UInt64, term: UInt64 = 1) throws -> Outcome {
      let checkpoint = LeaseCheckpoint(id: 1, grantedAt: index, remaining: remaining)
      return try store.apply(.lease(.checkpoint([checkpoint], term: term)))
    }
    _ = try write(4, of: granted)
    #expect(try store.store.leases().map(\.remaining) == [4])
    _ = try write(3, of: granted + 1)
    let stale = try write(3, of: granted, term: 2)
    #expect(stale.result == .failure(.notLeading))
    #expect(try store.store.leases().map(\.remaining) == [4])
    _ = try write(99, of: granted)
    #expect(try store.store.leases().map(\.remaining) == [10], "never more than it was granted")
  }

  @Test func commandsAreReadAsTheyWereWritten() throws {
    let changes: [LeaseChange] = [
      .grant(id: -1, ttl: 9), .revoke(id: .max), .expire(id: 3, grantedAt: 4, term: 5),
      .checkpoint([LeaseCheckpoint(id: 1, grantedAt: 2, remaining: 3)], term: 4),
    ]
    for change in changes {
      let command = Command(request: RequestID(member: 1, number: 2), action: .lease(change))
      let bytes = command.encoded()
      #expect(try Command(decoding: bytes) == command)
      #expect(!Command.isValid(Array(bytes.dropLast())))
    }
  }
}
