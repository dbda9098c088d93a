import Testing

@testable import Store

struct AlarmTests {
  private static let full = Alarm(member: 1, kind: .noSpace)

  private func put(_ key: Key) -> Command.Action { .put(PutRequest(key, .set([1]))) }

  @Test func withoutSpaceWhatMakesRoomGoesOn() throws {
    let store = try AppliedStore()
    try store.apply(put("a"))
    #expect(try store.apply(.alarm(.raise(AlarmTests.full))).result == .success(.done))
    #expect(try store.apply(.alarm(.raise(AlarmTests.full))).result == .success(.unchanged))
    #expect(try store.store.alarms() == [AlarmTests.full])
    let nested = Transaction(success: [], failure: [.put(PutRequest("b", .set([1])))])
    let refused: [Command.Action] = [
      put("b"), .lease(.grant(id: 1, ttl: 5)),
      .transaction(Transaction(success: [.transaction(nested)])),
    ]
    for action in refused {
      #expect(try store.apply(action).result == .failure(.noSpace))
    }
    let deletion = DeleteRequest(.single("a"))
    #expect(
      try store.apply(.transaction(Transaction(success: [.delete(deletion)]))).revision
        == Revision(3))
    #expect(try store.apply(.compact(Revision(3))).result == .success(.done))
    #expect(try store.apply(.alarm(.clear(AlarmTests.full))).result == .success(.done))
    #expect(try store.apply(.alarm(.clear(AlarmTests.full))).result == .success(.unchanged))
    #expect(try store.apply(put("b")).revision == Revision(4))
  }

  @Test func aCorruptClusterChangesNothingButTheAlarm() throws {
    let store = try AppliedStore()
    let alarm = Alarm(member: 9, kind: .corrupt)
    try store.apply(.alarm(.raise(alarm)))
    #expect(try store.apply(put("a")).result == .failure(.corrupt))
    #expect(
      try store.apply(.delete(DeleteRequest(.single("a")))).result == .failure(.corrupt))
    #expect(try store.apply(.alarm(.clear(alarm))).result == .success(.done))
    #expect(try store.apply(put("a")).revision == Revision(2))
  }

  @Test func hashesAreOfWhatCanBeRead() throws {
    let (one, other) = (try AppliedStore(), try AppliedStore())
    for store in [one, other] {
      for value in ["1", "2", "3"] { try store.put("a", value) }
      try store.apply(.delete(DeleteRequest(.single("a"))))
      try store.put("b", "1")
    }
    let before = try one.store.hash(through: Revision(3)).hash
    #expect(try other.store.hash(through: Revision(3)).hash == before)
    #expect(try one.store.hash(through: nil).hash != before)
    // One has removed the rows that it may, the other has not yet.
    for store in [one, other] { try store.apply(.compact(Revision(4))) }
    while one.store.isCompacting { try one.store.removeCompacted() }
    #expect(try one.store.versions() < other.store.versions())
    #expect(try one.store.hash(through: nil).hash == other.store.hash(through: nil).hash)
    #expect(throws: StoreError.compacted(oldest: Revision(4))) {
      _ = try one.store.hash(through: Revision(3))
    }
    try one.put("c", "1")
    #expect(try one.store.hash(through: nil).hash != other.store.hash(through: nil).hash)
    try one.store.defragment()
    #expect(try one.value("c") == "1")
  }
}
