import ConfigModel
import TestSupport
import Testing

struct SortedMapTests {
  private static func pairs(_ map: SortedMap<Int, String>) -> [String] {
    map.map { "\($0.key)=\($0.value)" }
  }

  private static func pairs(_ table: [Int: String]) -> [String] {
    table.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
  }

  @Test func anEmptyMapHasNothing() {
    let map = SortedMap<Int, String>([])
    #expect(map.isEmpty && map.first(from: 0) == nil && map[1] == nil)
    #expect(Self.pairs(map.applying([(1, nil)])) == [])
    #expect(Self.pairs(map.applying([(1, "a"), (2, nil), (3, "c")])) == ["1=a", "3=c"])
  }

  @Test func theFirstOfTheSameKeyCounts() {
    #expect(Self.pairs(SortedMap([(2, "a"), (1, "b"), (2, "c")])) == ["1=b", "2=a"])
  }

  /// Sizes around those of chunks, changes of one key and of many, in one place and everywhere.
  @Test(arguments: 0..<20)
  func versionsAreAsADictionary(seed: UInt64) {
    var random = SeededRandomNumbers(seed: seed)
    let span = [10, 600, 3000, 20_000].randomElement(using: &random) ?? 10
    var table: [Int: String] = [:]
    for _ in 0..<Int.random(in: 0...span, using: &random) {
      table[Int.random(in: 0..<span, using: &random)] = "first"
    }
    var map = SortedMap(table.map { (key: $0.key, value: $0.value) })
    for version in 0..<30 {
      let (old, before) = (map, table)
      let start = Int.random(in: 0..<span, using: &random)
      let width = [1, 40, 700, span].randomElement(using: &random) ?? 1
      let isRemoval = Int.random(in: 0..<3, using: &random)
      var changes: [Int: String?] = [:]
      for _ in 0..<Int.random(in: 0...min(width, 2000), using: &random) {
        let key = start + Int.random(in: 0..<width, using: &random)
        let isGone = isRemoval == 0 || (isRemoval == 1 && Bool.random(using: &random))
        changes.updateValue(isGone ? nil : "\(version)", forKey: key)
      }
      for (key, value) in changes { table[key] = value }
      map = map.applying(changes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
      #expect(map.count == table.count)
      #expect(Self.pairs(map) == Self.pairs(table))
      let probe = Int.random(in: 0..<span, using: &random)
      #expect(map[probe] == table[probe])
      #expect(map.first(from: probe)?.key == table.keys.filter { $0 >= probe }.min())
      checkDifferences(from: (old, before), to: (map, table))
    }
  }

  private func checkDifferences(
    from old: (map: SortedMap<Int, String>, table: [Int: String]),
    to new: (map: SortedMap<Int, String>, table: [Int: String])
  ) {
    var found: [Int] = []
    new.map.differences(from: old.map) { key, before, after in
      #expect(before == old.table[key] && after == new.table[key])
      if before != after { found.append(key) }
    }
    let keys = Set(old.table.keys).union(new.table.keys)
    #expect(found == keys.filter { old.table[$0] != new.table[$0] }.sorted())
  }

  @Test func whatIsSharedIsNotVisited() {
    let map = SortedMap((0..<10_000).map { (key: $0, value: 0) })
    var visits = 0
    map.applying([(5000, 1)]).differences(from: map) { _, _, _ in visits += 1 }
    #expect((1..<600).contains(visits))
    map.applying([]).differences(from: map) { _, _, _ in Issue.record("nothing differs") }
  }

  /// However often parts of a map go, its chunks do not become many and small.
  @Test func chunksThatShrinkAreJoined() {
    var map = SortedMap((0..<100_000).map { (key: $0, value: 0) })
    for start in stride(from: 0, to: 100_000, by: 100) {
      map = map.applying((start..<start + 99).map { ($0, nil) })
    }
    #expect(map.count == 1000)
    var visits = 0
    map.applying([(0, 1)]).differences(from: map) { _, _, _ in visits += 1 }
    #expect(visits >= 60, "a chunk is a quarter full at least")
  }
}
