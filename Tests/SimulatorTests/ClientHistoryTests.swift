import Raft
import Testing

@testable import Simulator
@testable import Store

/// A checker that finds nothing is worth nothing: each kind of wrong history must be told.
struct ClientHistoryTests {
  private let key = Key("k")

  private func item(_ value: String, _ revision: Int64, version: Int64 = 1) -> KeyValue {
    KeyValue(
      key: key, value: Array(value.utf8), createRevision: Revision(2),
      modRevision: Revision(revision), version: version, lease: 0)
  }

  /// A world in which `k` was put at revisions 2 and 3.
  private func truth() -> (World, Truth) {
    let world = World(SimulationOptions(seed: 1), folder: "")
    let truth = world.checks.truth
    for (number, item) in [item("a", 2), item("b", 3, version: 2)].enumerated() {
      let request = RequestID(member: 1, number: UInt64(number))
      truth.applied(
        AppliedCommand(
          outcome: Outcome(
            request: request, result: .success(.put(previous: nil)), revision: item.modRevision),
          events: [KeyEvent(.put(item), previous: nil)]),
        by: MemberID(1))
    }
    return (world, truth)
  }

  private func request(
    _ invoked: VirtualTime, _ returned: VirtualTime, marker: String? = nil,
    _ answer: ClientHistory.Answer
  ) -> ClientHistory.Request {
    ClientHistory.Request(
      client: 1, invoked: invoked, returned: returned, marker: marker.map { Array($0.utf8) },
      key: key, isLinearizable: true, answer: answer)
  }

  private func verdict(_ requests: ClientHistory.Request...) -> String? {
    let (world, truth) = truth()
    let history = ClientHistory()
    for request in requests { history.add(request) }
    return withExtendedLifetime(world) { history.verdict(truth) }
  }

  @Test func aRightHistoryIsAccepted() {
    #expect(
      verdict(
        request(1, 2, marker: "a", .written(Revision(2), previous: .some(nil))),
        request(3, 9, marker: "b", .written(Revision(3), previous: .some(item("a", 2)))),
        request(4, 5, .read(Revision(2), [item("a", 2)], .single(key))),
        request(10, 11, .read(Revision(3), [item("b", 3, version: 2)], .from("a"))),
        request(10, 11, marker: "c", .refused), request(1, 20, marker: "b", .unknown)) == nil)
  }

  @Test func aLostWriteIsTold() {
    #expect(
      verdict(request(1, 2, marker: "c", .written(Revision(4), previous: nil)))?
        .contains("acknowledged at revision 4 is at []") == true)
  }

  @Test func aRefusedWriteThatTookEffectIsTold() {
    #expect(verdict(request(1, 2, marker: "b", .refused))?.contains("was refused") == true)
  }

  @Test func aStaleReadIsTold() {
    #expect(
      verdict(
        request(1, 2, marker: "b", .written(Revision(3), previous: nil)),
        request(3, 4, .read(Revision(2), [item("a", 2)], .single(key))))?
        .contains("3 was answered before") == true)
  }

  @Test func aReadOfAnotherStateIsTold() {
    #expect(
      verdict(request(1, 2, .read(Revision(3), [item("a", 2)], .single(key))))?
        .contains("not the 1 of that state") == true)
    #expect(verdict(request(1, 2, .read(Revision(2), [], .single(key)))) != nil)
  }

  @Test func aWrongValueBeforeAWriteIsTold() {
    #expect(
      verdict(request(1, 2, marker: "b", .written(Revision(3), previous: .some(nil))))?
        .contains("another value before") == true)
  }

  @Test func membersThatDifferAreTold() {
    let (world, truth) = truth()
    truth.reached(LogIndex(7), digest: 1, by: MemberID(1))
    truth.reached(LogIndex(7), digest: 2, by: MemberID(2))
    #expect(world.failure?.contains("differs from others") == true)
  }

  @Test func twoEntriesAtOneIndexAreTold() {
    let (world, truth) = truth()
    truth.committed(
      Entry(term: Term(1), index: LogIndex(1), kind: .noOperation, payload: []), by: MemberID(1),
      in: Term(1))
    truth.committed(
      Entry(term: Term(2), index: LogIndex(1), kind: .noOperation, payload: []), by: MemberID(2),
      in: Term(2))
    #expect(world.failure?.contains("commits another entry") == true)
  }

  @Test func aRequestThatIsCommittedTwiceIsTold() {
    let (world, truth) = truth()
    let payload = Command(
      request: RequestID(member: 1, number: 5), action: .put(PutRequest("k", .set([])))
    ).encoded()
    for index in [LogIndex(1), LogIndex(2)] {
      truth.committed(
        Entry(term: Term(1), index: index, kind: .command, payload: payload), by: MemberID(1),
        in: Term(2))
    }
    #expect(world.failure?.contains("is committed at 1 and at 2") == true)
  }
}
