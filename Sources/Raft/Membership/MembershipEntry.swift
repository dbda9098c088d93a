// The payload of a membership entry: four lists (voters, outgoing, learners, learners next), each a
// count (u16) and ids (u64), then bytes that only the state machine reads. Little-endian. The whole
// configuration is written, not the change, so that an entry means the same wherever it is read
// (thesis §4.1).

extension Membership {
  /// The payload of the entry that brings this configuration.
  package func encoded(context: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    for list in [voters, outgoing, learners, learnersNext] {
      let count = UInt16(list.count)
      bytes += [UInt8(truncatingIfNeeded: count), UInt8(truncatingIfNeeded: count >> 8)]
      for id in list {
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
          bytes.append(UInt8(truncatingIfNeeded: id.rawValue >> shift))
        }
      }
    }
    return bytes + context
  }

  /// The configuration and the state machine's bytes of a payload; nil if it is malformed.
  package static func decode(_ payload: [UInt8]) -> (membership: Membership, context: [UInt8])? {
    var rest = payload[...]
    var lists: [[MemberID]] = []
    for _ in 0..<4 {
      guard let low = rest.popFirst(), let high = rest.popFirst() else { return nil }
      let count = Int(low) | Int(high) << 8
      guard count <= memberLimit, rest.count >= 8 * count else { return nil }
      lists.append(
        (0..<count).map { _ in
          let id = rest.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
          rest.removeFirst(8)
          return MemberID(id)
        })
    }
    guard !lists[0].isEmpty else { return nil }
    let membership = Membership(
      voters: lists[0], outgoing: lists[1], learners: lists[2], learnersNext: lists[3])
    return (membership, Array(rest))
  }
}

/// A configuration and the entry that brought it; index 0 is how the cluster was set up.
package struct PlacedMembership: Hashable, Sendable {
  package var index: LogIndex
  package var membership: Membership
  package init(index: LogIndex, membership: Membership) {
    self.index = index
    self.membership = membership
  }
}

/// The configurations of a log: the last one counts, committed or not (thesis §4.1), and one that is
/// truncated gives way to the one before it.
struct MembershipHistory: Sendable {
  /// Ascending by index; all but the first are newer than the commit index. Never empty.
  private(set) var known: [PlacedMembership]

  init(committed: PlacedMembership) { known = [committed] }

  var current: PlacedMembership { known[known.count - 1] }
  /// The newest one that can't be truncated.
  var committed: PlacedMembership { known[0] }

  mutating func append(_ entry: Entry) {
    guard entry.kind == .membership, entry.index > current.index else { return }
    guard let found = Membership.decode(entry.payload) else {
      preconditionFailure("a membership entry that can't be read at \(entry.index)")
    }
    known.append(PlacedMembership(index: entry.index, membership: found.membership))
  }

  /// Whether a configuration went with the entries.
  mutating func truncate(from index: LogIndex) -> Bool {
    let before = known.count
    while known.count > 1, current.index >= index { known.removeLast() }
    return known.count < before
  }

  mutating func commit(through index: LogIndex) {
    while known.count > 1, known[1].index <= index { known.removeFirst() }
  }
}
