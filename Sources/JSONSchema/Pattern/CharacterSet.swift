/// What one character of a pattern may be.
struct CharacterSet: Sendable {
  enum Member: Sendable {
    case range(ClosedRange<UInt32>)
    case property(CharacterProperty, isNegated: Bool)
  }

  private let members: [Member]
  private let isNegated: Bool
  /// The answers for ASCII, which most texts are.
  private let ascii: (low: UInt64, high: UInt64)

  init(_ members: [Member], isNegated: Bool) {
    self.members = members
    self.isNegated = isNegated
    var bits: (low: UInt64, high: UInt64) = (0, 0)
    for value in UInt32(0)..<128 {
      guard CharacterSet.contains(value, members) != isNegated else { continue }
      if value < 64 { bits.low |= 1 << UInt64(value) } else { bits.high |= 1 << UInt64(value - 64) }
    }
    ascii = bits
  }

  func contains(_ value: UInt32) -> Bool {
    if value < 64 { return ascii.low >> UInt64(value) & 1 == 1 }
    if value < 128 { return ascii.high >> UInt64(value - 64) & 1 == 1 }
    return CharacterSet.contains(value, members) != isNegated
  }

  private static func contains(_ value: UInt32, _ members: [Member]) -> Bool {
    members.contains { member in
      switch member {
      case .range(let range): range.contains(value)
      case .property(let property, let isNegated): property.contains(value) != isNegated
      }
    }
  }

  // MARK: - The classes of ECMA-262 (§22.2.2.9)

  static let digits: [Member] = [.range(0x30...0x39)]
  static let wordCharacters: [Member] = [
    .range(0x30...0x39), .range(0x41...0x5a), .range(0x5f...0x5f), .range(0x61...0x7a),
  ]
  static let whiteSpace: [Member] = [
    .range(0x09...0x0d), .range(0x20...0x20), .range(0xa0...0xa0), .range(0x1680...0x1680),
    .range(0x2000...0x200a), .range(0x2028...0x2029), .range(0x202f...0x202f),
    .range(0x205f...0x205f), .range(0x3000...0x3000), .range(0xfeff...0xfeff),
  ]
  static let lineEnds: [Member] = [
    .range(0x0a...0x0a), .range(0x0d...0x0d), .range(0x2028...0x2029),
  ]

  /// Everything that the members are not.
  static func complement(_ members: [Member]) -> [Member] {
    var next: UInt32 = 0
    var result: [Member] = []
    for case .range(let range) in members {
      if range.lowerBound > next { result.append(.range(next...(range.lowerBound - 1))) }
      next = range.upperBound + 1
    }
    if next <= 0x10ffff { result.append(.range(next...0x10ffff)) }
    return result
  }

  static func isWord(_ value: UInt32) -> Bool {
    switch value {
    case 0x30...0x39, 0x41...0x5a, 0x5f, 0x61...0x7a: true
    default: false
    }
  }
}
