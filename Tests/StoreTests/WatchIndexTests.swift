import TestSupport
import Testing

@testable import Store

struct WatchIndexTests {
  @Test func itFindsWhatASearchThroughAllFinds() {
    var random = SeededRandomNumbers(seed: 7)
    let keys: [Key] = ["a", "aa", "ab", "b", "ba", "c", "cc", "d"]
    for _ in 0..<200 {
      var index = WatchIndex()
      var held: [WatchID: KeyRange] = [:]
      for step in 0..<60 {
        let id = WatchID.random(in: 0..<20, using: &random)
        if let range = held.removeValue(forKey: id) {
          index.remove(range, id)
        } else {
          let start = keys.randomElement(using: &random) ?? "a"
          let range: KeyRange =
            switch step % 4 {
            case 0: .single(start)
            case 1: .prefix(start)
            case 2: .from(start)
            default: .between(start, keys.randomElement(using: &random) ?? "b")
            }
          held[id] = range
          index.insert(range, id)
        }
        let key = keys.randomElement(using: &random) ?? "a"
        var found: [WatchID] = []
        index.forEach(wanting: key) { found.append($0) }
        let expected = held.filter { $0.value.contains(key) }.keys.sorted()
        #expect(found.sorted() == expected, "each once")
      }
    }
  }

  /// Whatever becomes of a watch, it is told each revision of its range once and in order.
  @Test func watchesComeAndGoAndMissNothing() async throws {
    let store = try AppliedStore()
    let stream = store.hub.openStream()
    let ranges: [KeyRange] = [.single("k1"), .prefix("k"), .from("k2"), .between("k0", "k2")]
    for (id, range) in ranges.enumerated() { _ = stream.add(WatchRequest(range), id: WatchID(id)) }
    var expected: [WatchID: [Int64]] = [:]
    for round in 0..<40 {
      let key = Key("k\(round % 4)")
      let revision = try store.put(key, "v").revision
      for (id, range) in ranges.enumerated() where range.contains(key) {
        expected[WatchID(id), default: []].append(revision.rawValue)
      }
      // As after a snapshot: everyone reads on from where they are.
      if round % 7 == 3 { store.hub.resynchronize() }
    }
    stream.requestProgress()
    var told: [WatchID: [Int64]] = [:]
    var isComplete = false
    while !isComplete, let deliveries = try await stream.next() {
      for delivery in deliveries {
        if case .events(let id, let batch, _) = delivery {
          told[id, default: []].append(batch.revision.rawValue)
        }
        if case .progress = delivery { isComplete = true }
      }
    }
    #expect(told == expected)
    stream.close()
  }

  @Test func whoAskedForItIsToldThatNothingIsMissing() async throws {
    let store = try AppliedStore()
    let stream = store.hub.openStream()
    _ = stream.add(WatchRequest(.single("quiet"), wantsProgress: true), id: 1)
    _ = stream.add(WatchRequest(.single("busy"), wantsProgress: true), id: 2)
    _ = stream.add(WatchRequest(.single("quiet")), id: 3)
    func upToDate() async throws -> [String] {
      stream.tellProgress()
      stream.requestProgress()
      var told: [String] = []
      while let deliveries = try await stream.next() {
        for delivery in deliveries {
          if case .upToDate(let id, let revision) = delivery { told.append("\(id)@\(revision)") }
          if case .progress = delivery { return told }
        }
      }
      return told
    }
    try store.put("busy", "1")
    #expect(try await upToDate().isEmpty, "while something waits, that is as good")
    // That was when the busy one had just been told more.
    #expect(try await upToDate() == ["1@2", "2@2"])
    stream.close()
  }

  /// Another watch with the id of one that was catching up has its own past.
  @Test func aWatchThatTakesOverAnIdIsToldEverything() async throws {
    let store = try AppliedStore()
    for _ in 0..<3 { try store.put("k", "1") }
    let first = WatchRequest(.single("k"), from: Revision(4))
    let second = WatchRequest(.single("k"), from: Revision(2))
    var table = WatchTable(published: store.store.current.revision)
    _ = table.add(first, id: 1, current: store.store.current.revision)
    _ = table.takeNext()
    guard case .read(1, let origin, _) = table.takeNext() else {
      Issue.record("nothing is read")
      return
    }
    // While that is read, the client ends the watch and begins another of its id.
    table.remove(1)
    _ = table.add(second, id: 1, current: store.store.current.revision)
    let late = try store.store.events(
      in: .single("k"), from: Revision(4), withPrevious: false, maximumBytes: 1000)
    table.caughtUp(1, number: origin.number, with: late)
    table.compacted(1, number: origin.number, oldest: Revision(9))
    table.remove(1, number: origin.number)
    _ = table.takeNext()
    guard case .read(1, let later, let start) = table.takeNext() else {
      Issue.record("the other is not read")
      return
    }
    #expect(later.number != origin.number && start == Revision(2))
  }
}
