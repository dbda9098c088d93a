/// Chance of a simulation: a sequence that a seed and a purpose fix (SplitMix64; Steele, Lea, Flood
/// 2014). Each part of the world draws from one of its own, so that a draw more in one leaves the
/// others as they are.
struct SeededRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  init(seed: UInt64, purpose: String) {
    // FNV-1a of the purpose.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in purpose.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    state = seed &* 0x9e37_79b9_7f4a_7c15 ^ hash
    _ = next()
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  mutating func number(in range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next() % UInt64(range.count))
  }

  /// True in `permille` of a thousand cases.
  mutating func happens(permille: Int) -> Bool { number(in: 0...999) < permille }

  mutating func pick<Element>(from elements: [Element]) -> Element? {
    elements.isEmpty ? nil : elements[number(in: 0...elements.count - 1)]
  }

  /// Between `least` and `most`, small ones as likely as large ones: each order of magnitude alike.
  mutating func spread(_ least: Int, _ most: Int) -> Int {
    var bounds = [max(least, 1)]
    while bounds[bounds.count - 1] < most { bounds.append(min(most, bounds[bounds.count - 1] * 2)) }
    let place = number(in: 0...bounds.count - 1)
    return number(in: (place == 0 ? least : bounds[place - 1])...bounds[place])
  }
}
