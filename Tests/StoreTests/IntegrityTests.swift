import GRDB
import TestSupport
import Testing

@testable import Store

struct IntegrityTests {
  private static let check = Command.Action.integrity(.check)

  private func report(
    _ store: AppliedStore, _ reports: [UInt64: UInt64], at index: UInt64 = 7
  ) throws {
    for (member, hash) in reports.sorted(by: { $0.key < $1.key }) {
      try store.apply(
        .integrity(.report(IntegrityReport(member: member, index: index, hash: hash))))
    }
  }

  private func corrupt(_ store: AppliedStore) throws -> [UInt64] {
    try store.store.alarms().filter { $0.kind == .corrupt }.map(\.member)
  }

  private func store(members: [UInt64], learners: [UInt64] = []) throws -> AppliedStore {
    let store = try AppliedStore()
    try store.change(
      nil, voters: members.map { UInt8($0) }, members: members, learners: learners)
    // Entries that checks may have stood at.
    for _ in 0..<10 { try store.put("z", "1") }
    return store
  }

  private func writes(_ store: AppliedStore) throws -> Bool {
    try store.put("a", "1").result != .failure(.corrupt)
  }

  @Test func theOneThatDiffersIsFencedAndTheOthersGoOn() throws {
    let store = try store(members: [1, 2, 3])
    try report(store, [1: 5, 2: 6])
    #expect(try corrupt(store) == [], "one against one: the third decides")
    try report(store, [3: 6])
    #expect(try corrupt(store) == [1])
    for member: UInt64 in 1...3 { #expect(try store.store.isFenced(member) == (member == 1)) }
    #expect(try writes(store))
    #expect(store.store.refusingAlarms == [])
    // It stays fenced when others go, so that it is no longer in the minority.
    try store.change(.remove(id: 3), voters: [1, 2], members: [1, 2])
    #expect(try store.store.isFenced(1))
    #expect(try writes(store))
    // Replaced: its alarm goes with it.
    try store.change(.remove(id: 1), voters: [2], members: [2])
    #expect(try store.store.alarms() == [])
  }

  @Test func membersThatAgreeRaiseNothing() throws {
    let store = try store(members: [1, 2, 3])
    try report(store, [1: 6, 2: 6, 3: 6])
    #expect(try store.store.alarms() == [])
    #expect(try writes(store))
  }

  @Test(arguments: [
    ([1: 5, 2: 6] as [UInt64: UInt64], [1, 2] as [UInt64]),
    ([1: 5, 2: 6, 3: 7], [1, 2, 3]), ([1: 5, 2: 5, 3: 7, 4: 7], [1, 2, 3, 4]),
  ])
  func whereNobodyCanTellWhoIsRightNobodyWrites(
    _ reports: [UInt64: UInt64], _ members: [UInt64]
  ) throws {
    let store = try store(members: members)
    try report(store, reports)
    #expect(try corrupt(store) == members)
    #expect(try !writes(store))
    for member in members { #expect(try !store.store.isFenced(member)) }
    // An operator who knows better clears the alarms.
    for member in members {
      try store.apply(.alarm(.clear(Alarm(member: member, kind: .corrupt))))
    }
    #expect(try writes(store))
  }

  @Test func anAlarmForAMajorityOrForAStrangerStopsEverybody() throws {
    let store = try store(members: [1, 2, 3])
    for (member, mayWrite) in [(1, true), (2, false)] as [(UInt64, Bool)] {
      try store.apply(.alarm(.raise(Alarm(member: member, kind: .corrupt))))
      #expect(try writes(store) == mayWrite)
      #expect(try store.store.isFenced(1) && !store.store.isFenced(2))
    }
    try store.apply(.alarm(.clear(Alarm(member: 2, kind: .corrupt))))
    #expect(try writes(store))
    try store.apply(.alarm(.raise(Alarm(member: 99, kind: .corrupt))))
    #expect(try !writes(store))
  }

  @Test func learnersAreJudgedAndJudgeNobody() throws {
    let store = try store(members: [1, 2, 3, 4], learners: [4])
    // Filled by the one that differs: two against two, if it counted.
    try report(store, [1: 5, 2: 6, 3: 6, 4: 5])
    #expect(try corrupt(store) == [1, 4])
    #expect(try store.store.isFenced(1) && !store.store.isFenced(2))
    let pair = try self.store(members: [1, 2], learners: [2])
    try report(pair, [1: 5, 2: 6])
    #expect(try corrupt(pair) == [2])
  }

  @Test func aReportOfACheckThatIsYetToComeIsNone() throws {
    let store = try store(members: [1, 2, 3])
    try report(store, [1: 5, 2: 6, 3: 6], at: 1_000)
    #expect(try corrupt(store) == [])
    try report(store, [1: 5, 2: 6, 3: 6], at: 7)
    #expect(try corrupt(store) == [1])
  }

  @Test func onlyNewsOfMembersCounts() throws {
    let store = try store(members: [1, 2, 3])
    try report(store, [1: 5, 2: 6], at: 9)
    // Late, of another check, and of nobody.
    try report(store, [3: 5], at: 8)
    try report(store, [44: 6], at: 9)
    #expect(try corrupt(store) == [])
    try report(store, [3: 5], at: 9)
    #expect(try corrupt(store) == [2])
    // A second report on a check does not count.
    try report(store, [2: 5, 3: 6], at: 9)
    #expect(try corrupt(store) == [2])
  }

  @Test func commandsSurviveTheLog() throws {
    for change in [
      IntegrityChange.check, .report(IntegrityReport(member: 1, index: 2, hash: .max)),
    ] {
      let command = Command(
        request: RequestID(member: 3, number: 4), action: .integrity(change))
      #expect(try Command(decoding: command.encoded()) == command)
      #expect(Command.isIntegrityCheck(command.encoded()) == (change == .check))
    }
    let other = Command(request: RequestID(member: 3, number: 4), action: .compact(Revision(2)))
    #expect(!Command.isIntegrityCheck(other.encoded()))
  }

  // MARK: - Hashes

  @Test func aHashIsOfTheStateWhenItWasTaken() throws {
    let (one, other) = (try AppliedStore(), try AppliedStore())
    for store in [one, other] { try store.put("a", "1") }
    let (before, same) = (try one.store.stateSnapshot(), try other.store.stateSnapshot())
    try one.put("a", "2")
    #expect(try before.hash() == same.hash())
    #expect(try one.store.stateSnapshot().hash() != same.hash())
  }

  @Test func whatACompactionHasLeftToRemoveDoesNotCount() throws {
    let (one, other) = (try AppliedStore(), try AppliedStore())
    for store in [one, other] {
      for value in ["1", "2", "3"] { try store.put("a", value) }
      try store.apply(.compact(Revision(3)))
    }
    while one.store.isCompacting { try one.store.removeCompacted() }
    #expect(try one.store.versions() < other.store.versions())
    #expect(try one.store.stateSnapshot().hash() == other.store.stateSnapshot().hash())
  }

  /// A table that is added to the schema and not to the hash would rot unseen.
  @Test func everyTableCounts() throws {
    let store = try AppliedStore()
    let own: Set = ["history", "compaction"]
    let hashed = Set(StateSnapshot.tables.map(\.name))
    let database = try DatabaseQueue(path: store.databasePath)
    let tables = try database.read {
      try String.fetchSet($0, sql: "SELECT name FROM sqlite_schema WHERE type = 'table'")
    }
    #expect(tables == hashed.union(own))
  }

  @Test(arguments: [
    "UPDATE history SET value = x'39' WHERE key = x'61'",
    "UPDATE current SET id = id - (1 << 24) WHERE key = x'61'",
    "UPDATE leases SET remaining = remaining - 1", "DELETE FROM leaseKeys",
    "UPDATE users SET password = 'other'", "INSERT INTO removedMembers(id) VALUES (8)",
    "UPDATE alarms SET fenced = 1",
  ])
  func whateverRotsChangesTheHash(_ damage: String) throws {
    let store = try AppliedStore()
    try store.put("a", "1")
    try store.put("a", "2")
    try store.apply(.lease(.grant(id: 5, ttl: 60)))
    try store.apply(.put(PutRequest("b", .set([1]), lease: .set(5))))
    try store.apply(.auth(.addUser("u", passwordHash: "hash")))
    try store.apply(.alarm(.raise(Alarm(member: 9, kind: .noSpace))))
    let before = try store.store.stateSnapshot().hash()
    let database = try DatabaseQueue(path: store.databasePath)
    try database.write { db in
      try db.execute(sql: damage)
      #expect(db.changesCount > 0)
    }
    #expect(try store.store.stateSnapshot().hash() != before)
  }
}
