import Raft

/// Proposals that wait for a leader that can be reached, oldest first.
struct HeldProposals: Sendable {
  private let limit: Int
  private(set) var proposals: [Proposal] = []

  init(limit: Int) { self.limit = limit }

  var isEmpty: Bool { proposals.isEmpty }

  /// Adds one; false if too many wait.
  mutating func add(_ proposal: Proposal) -> Bool {
    guard proposals.count < limit else { return false }
    proposals.append(proposal)
    return true
  }

  /// Forgets those for which nobody waits any more: they must not take effect late, nor be kept until there is a
  /// leader, which may be for ever.
  mutating func removeAbandoned(_ isWaiting: (UInt64) -> Bool) {
    proposals.removeAll { !isWaiting($0.id) }
  }

  mutating func take() -> [Proposal] {
    defer { proposals = [] }
    return proposals
  }
}
