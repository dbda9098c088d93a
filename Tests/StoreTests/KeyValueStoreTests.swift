import TestSupport
import Testing

@testable import Store

/// A store with entries numbered by itself.
final class AppliedStore {
  let folder: TemporaryFolder
  let store: KeyValueStore
  let hub: WatchHub
  private var index: UInt64 = 0

  init() throws {
    folder = try TemporaryFolder()
    store = try KeyValueStore(directory: folder.path, cluster: 1)
    hub = WatchHub(store: store)
    try store.found(
      members: [1, 2].map {
        StoredMember(id: $0, name: "", clientURLs: [], peerURLs: ["http://m\($0):1"])
      },
      membership: LogMembership(voters: [1, 2], members: [1, 2], voting: [1, 2]))
  }

  var databasePath: String { folder.path + "/state-0.db" }

  /// An entry that brings another membership.
  ///
  /// - Parameter learners: those of the members who don't vote.
  func change(
    _ change: MemberChange?, voters: [UInt8], members: [UInt64], learners: [UInt64] = []
  ) throws {
    index += 1
    let command = change.map {
      Command(request: RequestID(member: 1, number: index), action: .memberChange($0))
    }
    _ = try store.apply([
      LogCommand(
        index: index, term: 1, payload: command?.encoded(),
        membership: LogMembership(
          voters: voters, members: members, voting: members.filter { !learners.contains($0) }))
    ])
  }

  @discardableResult
  func apply(_ action: Command.Action, for caller: Caller = .cluster) throws -> Outcome {
    index += 1
    let command = Command(
      request: RequestID(member: 1, number: index), caller: caller, action: action)
    let applied = try store.apply([
      LogCommand(index: index, term: 1, payload: command.encoded())
    ])
    hub.publish(applied)
    return applied[0].outcome
  }

  @discardableResult
  func put(_ key: Key, _ value: String) throws -> Outcome {
    try apply(.put(PutRequest(key, .set(Array(value.utf8)))))
  }

  func keys(_ query: RangeQuery) throws -> [String] {
    try store.range(query).result.items.map(\.key.description)
  }

  func value(_ key: Key, at revision: Int64? = nil) throws -> String? {
    try store.range(RangeQuery(.single(key), at: revision.map(Revision.init)))
      .result.items.first.map { String(decoding: $0.value, as: UTF8.self) }
  }
}

struct KeyValueStoreTests {
  @Test func revisionsCountAsThoseOfEtcd() throws {
    let store = try AppliedStore()
    #expect(store.store.current.revision == Revision(1))
    #expect(try store.put("a", "1").revision == Revision(2))
    #expect(try store.put("a", "2").revision == Revision(3))
    let nothing = try store.apply(.delete(DeleteRequest(.single("missing"))))
    #expect(nothing.revision == Revision(3), "a deletion of nothing adds none")
    let both = Transaction(success: [
      .put(PutRequest("b", .set([1]))), .put(PutRequest("c", .set([2]))),
    ])
    #expect(try store.apply(.transaction(both)).revision == Revision(4))
    let item = try #require(try store.store.range(RangeQuery(.single("a"))).result.items.first)
    #expect(item.version == 2)
    #expect(item.createRevision == Revision(2))
    #expect(item.modRevision == Revision(3))
  }

  @Test func aDeletedKeyBeginsANewLife() throws {
    let store = try AppliedStore()
    try store.put("a", "1")
    try store.apply(.delete(DeleteRequest(.single("a"))))
    try store.put("a", "2")
    let item = try #require(try store.store.range(RangeQuery(.single("a"))).result.items.first)
    #expect(item.version == 1)
    #expect(item.createRevision == Revision(4))
    #expect(try store.value("a", at: 2) == "1")
    #expect(try store.value("a", at: 3) == nil)
  }

  @Test func rangesLimitSortAndCount() throws {
    let store = try AppliedStore()
    for (key, value) in [("a", "3"), ("b", "1"), ("c", "2"), ("d", "0")] as [(Key, String)] {
      try store.put(key, value)
    }
    let all = KeyRange.between("a", "d")
    #expect(try store.keys(RangeQuery(all)) == ["a", "b", "c"])
    let limited = try store.store.range(RangeQuery(all, limit: 2)).result
    #expect(limited.items.count == 2)
    #expect(limited.count == 3)
    #expect(limited.hasMore)
    #expect(
      try store.keys(RangeQuery(all, sort: .init(.value, .ascending))) == ["b", "c", "a"])
    #expect(try store.keys(RangeQuery(all, limit: .max)) == ["a", "b", "c"])
    let count = try store.store.range(RangeQuery(.from("b"), content: .countOnly)).result
    #expect(count.count == 3 && count.items.isEmpty)
    #expect(throws: StoreError.futureRevision(current: Revision(5))) {
      _ = try store.store.range(RangeQuery(all, at: Revision(99)))
    }
  }

  @Test func aTransactionSeesItsOwnWritesAndIsUndoneWhole() throws {
    let store = try AppliedStore()
    try store.put("a", "1")
    let reads = Transaction(
      compares: [Compare(.single("a"), .value(Array("1".utf8)))],
      success: [
        .put(PutRequest("b", .set([7]))), .range(RangeQuery(.from("a"))),
        .delete(DeleteRequest(.single("a"))),
      ])
    let outcome = try store.apply(.transaction(reads))
    guard case .success(.transaction(let result)) = outcome.result,
      case .range(let range) = result.results[1]
    else {
      Issue.record("another result: \(outcome.result)")
      return
    }
    #expect(range.items.map(\.key) == ["a", "b"])
    let failing = Transaction(success: [
      .put(PutRequest("c", .set([1]))), .put(PutRequest("missing", .keep)),
    ])
    let failed = try store.apply(.transaction(failing))
    #expect(failed.result == .failure(.keyNotFound))
    #expect(failed.revision == outcome.revision)
    #expect(try store.value("c") == nil)
  }

  @Test func comparesOfMissingKeysAreAsEtcdHasThem() throws {
    let store = try AppliedStore()
    try store.put("a", "1")
    func holds(_ compare: Compare) throws -> Bool {
      let transaction = Transaction(compares: [compare], success: [])
      return try #require(try store.store.evaluate(transaction)).result.hasSucceeded
    }
    #expect(try holds(Compare(.single("x"), .version(0))))
    #expect(try holds(Compare(.single("x"), .mod(Revision(0)))))
    #expect(try !holds(Compare(.single("x"), .value([1]), is: .notEqual)))
    #expect(try holds(Compare(.single("a"), .mod(Revision(1)), is: .greater)))
    #expect(try !holds(Compare(.from("a"), .create(Revision(9)))))
  }

  @Test func aBranchMayNotWriteAKeyTwice() throws {
    let twice = Transaction(success: [
      .put(PutRequest("a", .set([1]))), .put(PutRequest("a", .set([2]))),
    ])
    #expect(throws: StoreError.duplicateKey) { try twice.validate() }
    let both = Transaction(success: [
      .put(PutRequest("b", .set([1]))), .delete(DeleteRequest(.between("a", "c"))),
    ])
    #expect(throws: StoreError.duplicateKey) { try both.validate() }
    let beside = Transaction(success: [
      .put(PutRequest("c", .set([1]))), .delete(DeleteRequest(.between("a", "c"))),
    ])
    try beside.validate()
    let branches = Transaction(
      success: [.put(PutRequest("a", .set([1])))], failure: [.put(PutRequest("a", .set([2])))])
    try branches.validate()
    #expect(throws: StoreError.duplicateKey) {
      try Transaction(success: [.transaction(branches), .put(PutRequest("a", .set([3])))])
        .validate()
    }
  }

  @Test func everyCommandReadsBackFromItsBytes() throws {
    let transaction = Transaction(
      compares: [
        Compare(.between("a", "b"), .value([1, 2]), is: .less),
        Compare(.from("c"), .lease(-3), is: .notEqual),
      ],
      success: [
        .range(
          RangeQuery(
            .single("k"), at: Revision(7), limit: 3, sort: .init(.mod, .descending),
            content: .keysOnly)),
        .transaction(Transaction(success: [.put(PutRequest("z", .keep, lease: .keep))])),
      ],
      failure: [.delete(DeleteRequest(.from("x"), returnsPrevious: true))])
    let actions: [Command.Action] = [
      .transaction(transaction), .put(PutRequest("a", .set([0, 255]), lease: .set(9))),
      .memberAttributes(MemberAttributes(id: 3, name: "m", clientURLs: ["http://x:1"])),
      .memberChange(.add(id: 4, peerURLs: ["http://x:1", "http://y:1"])),
      .memberChange(.remove(id: 4)), .memberChange(.promote(id: 4)),
      .memberChange(.relocate(id: 4, peerURLs: ["http://z:1"])),
    ]
    for action in actions {
      let command = Command(request: RequestID(member: 4, number: 5), action: action)
      let bytes = command.encoded()
      #expect(try Command(decoding: bytes) == command)
      #expect(Command.request(of: bytes) == command.request)
      for length in 0..<bytes.count { #expect(!Command.isValid(Array(bytes[..<length]))) }
    }
  }

  @Test func theStateIsThereAgainAndTheDigestsAgree() throws {
    let first = try AppliedStore()
    let second = try AppliedStore()
    for store in [first, second] {
      for number in 0..<50 { try store.put(Key("k\(number % 7)"), "\(number)") }
      try store.apply(.delete(DeleteRequest(.prefix("k1"))))
    }
    #expect(first.store.current == second.store.current)
    try first.store.commit()
    let again = try KeyValueStore(directory: first.folder.path, cluster: 1)
    #expect(again.current == first.store.current)
    #expect(throws: StateDatabaseError.self) {
      _ = try KeyValueStore(directory: first.folder.path, cluster: 2)
    }
  }

  @Test func membersFollowFromTheMembershipAlone() throws {
    let store = try AppliedStore()
    try store.change(.add(id: 3, peerURLs: ["http://m3:1"]), voters: [3], members: [1, 2, 3])
    #expect(try store.store.members().map(\.peerURLs) == [1, 2, 3].map { ["http://m\($0):1"] })
    #expect(try store.store.membership() == StoredMembership(index: 1, voters: [3]))
    try store.apply(.memberChange(.relocate(id: 2, peerURLs: ["http://n2:1"])))
    // A joint change is left by an entry without a command: who is not named is gone for good.
    try store.change(nil, voters: [4], members: [2, 3])
    #expect(try store.store.members().map(\.peerURLs) == [["http://n2:1"], ["http://m3:1"]])
    #expect(try store.store.removedMembers() == [1])
    try store.apply(
      .memberAttributes(MemberAttributes(id: 1, name: "zombie", clientURLs: [])))
    #expect(try store.store.members().map(\.id) == [2, 3], "a removed member does not come back")
    // Founding happens once.
    try store.store.found(
      members: [], membership: LogMembership(voters: [9], members: [9], voting: [9]))
    #expect(try store.store.membership()?.voters == [4])
    #expect(store.store.current.revision == .initial, "members are no keys")
  }

  @Test func aSnapshotCarriesEverythingToAnotherStore() throws {
    let source = try AppliedStore()
    for number in 0..<20 { try source.put(Key("k\(number)"), "\(number)") }
    let target = try AppliedStore()
    let path = target.store.incomingPath(from: 1)
    let state = try source.store.writeSnapshot(to: path)
    #expect(state == source.store.current)
    #expect(throws: StateDatabaseError.self) {
      try target.store.prepareSnapshot(at: path, index: state.appliedIndex + 1)
    }
    _ = try target.store.prepareSnapshot(at: path, index: state.appliedIndex)
    // A crash here: the log already begins after the snapshot, the state does not.
    let restarted = try KeyValueStore(directory: target.folder.path, cluster: 1)
    #expect(restarted.current.appliedIndex == 0)
    try restarted.recoverInstallation(logBase: state.appliedIndex)
    #expect(restarted.current == state)
    #expect(try restarted.range(RangeQuery(.prefix("k"), at: Revision(5))).result.count == 4)
    _ = try restarted.makeDurable()
  }
}

extension KeyValueStoreTests {
  /// What is committed is carried out by every member: one that reads all again and again must end.
  @Test func aTransactionThatReadsTooMuchIsRefusedWhole() throws {
    let store = try AppliedStore()
    let value = [UInt8](repeating: 7, count: 1 << 20)
    for key in ["a", "b", "c", "d"] as [Key] {
      try store.apply(.put(PutRequest(key, .set(value))))
    }
    let before = store.store.current
    let reads = [Operation](repeating: .range(RangeQuery(.from("a"))), count: 100)
    let transaction = Transaction(success: [.put(PutRequest("e", .set([1])))] + reads)
    #expect(
      try store.apply(.transaction(transaction)).result
        == .failure(.readsTooMuch(limit: TransactionLimits.readBytes)))
    let compares = [Compare](
      repeating: Compare(.from("a"), .version(1)), count: 100)
    #expect(
      try store.apply(.transaction(Transaction(compares: compares, success: []))).result
        == .failure(.readsTooMuch(limit: TransactionLimits.readBytes)))
    #expect(store.store.current.revision == before.revision)
    #expect(try store.keys(RangeQuery(.from("a"), content: .keysOnly)) == ["a", "b", "c", "d"])
  }

  /// A request that ends etcd 3.5.1.
  @Test func whatAnEarlierOperationDeletedCanNotBeKept() throws {
    let store = try AppliedStore()
    try store.put("a", "1")
    let transaction = Transaction(success: [
      .transaction(Transaction(success: [.delete(DeleteRequest(.from("a")))])),
      .put(PutRequest("a", .keep)),
    ])
    #expect(try store.apply(.transaction(transaction)).result == .failure(.keyNotFound))
    #expect(try store.value("a") == "1")
  }

  /// Only what may be refused in the middle is carried out in a savepoint; what is refused before has written nothing.
  @Test func aTransactionKnowsWhetherItIsRefusedBeforeItWrites() throws {
    let put = Store.Operation.put(PutRequest("a", .set([1])))
    let delete = Store.Operation.delete(DeleteRequest(.single("b")))
    let before = [
      [put, delete], [], [.put(PutRequest("c", .set([1]), lease: .set(9))), put],
      [.transaction(Transaction(success: [put], failure: [delete]))],
    ]
    let middle: [Store.Operation] = [
      .range(RangeQuery(.single("a"))), .delete(DeleteRequest(.from("a"))),
      .delete(DeleteRequest(.between("a", "b"))), .put(PutRequest("a", .keep)),
      .put(PutRequest("a", .set([1]), lease: .keep)),
    ]
    for branch in before {
      #expect(Transaction(success: branch).isRefusedBeforeItWrites)
      #expect(Transaction(success: [], failure: branch).isRefusedBeforeItWrites)
    }
    for operation in middle {
      for branch in [
        [put, operation], [.transaction(Transaction(success: [], failure: [operation]))],
      ] {
        #expect(!Transaction(success: branch).isRefusedBeforeItWrites, "\(operation)")
        #expect(!Transaction(success: [], failure: branch).isRefusedBeforeItWrites)
      }
    }
    let store = try AppliedStore()
    try store.put("b", "1")
    let state = store.store.current
    let refused = Transaction(success: [
      put, delete,
      .transaction(Transaction(success: [.put(PutRequest("c", .set([1]), lease: .set(9)))])),
    ])
    #expect(refused.isRefusedBeforeItWrites)
    #expect(try store.apply(.transaction(refused)).result == .failure(.leaseNotFound))
    #expect(store.store.current.revision == state.revision)
    #expect(try store.keys(RangeQuery(.from("a"))) == ["b"])
  }

  /// As etcd has it: a watcher sees revisions, not the steps inside one.
  @Test func previousIsWhatWasBeforeTheRevision() throws {
    let store = try AppliedStore()
    try store.put("a", "old")
    let put = Store.Operation.put(PutRequest("a", .set([1])))
    let transaction = Transaction(success: [put, .delete(DeleteRequest(.from("a")))])
    let applied = try store.apply(.transaction(transaction))
    let stored = try store.store.events(
      in: .from("a"), from: applied.revision, withPrevious: true, maximumBytes: 1000)
    let previous = stored.batches.flatMap(\.events).map(\.previous?.value)
    #expect(previous == [Array("old".utf8), Array("old".utf8)])
    try store.put("b", "old")
    let renewal = Transaction(
      success: [.delete(DeleteRequest(.from("b"))), .put(PutRequest("b", .set([1])))])
    let renewed = try store.apply(.transaction(renewal))
    let events = try store.store.events(
      in: .from("b"), from: renewed.revision, withPrevious: true, maximumBytes: 1000)
    #expect(events.batches.flatMap(\.events).map(\.previous?.value) == [Array("old".utf8), nil])
    // Nothing is told of what has been compacted, removed yet or not.
    try store.apply(.compact(applied.revision))
    let later = try store.store.events(
      in: .from("a"), from: applied.revision, withPrevious: true, maximumBytes: 1000)
    #expect(later.batches.first?.events.map(\.previous) == [nil, nil])
  }
}
