import BinaryCoding
import Raft
import Store

/// What the cluster as a whole has decided, as the first member to show it says; every other one
/// must say the same.
// Unchecked: the world is one thread.
final class Truth: @unchecked Sendable {
  struct Change {
    var revision: Revision
    var events: [KeyEvent]
    var request: RequestID
  }

  private unowned let world: World
  private(set) var committedEntries: [LogIndex: Entry] = [:]
  /// The term of the member that showed an entry to be committed.
  private(set) var committedTerms: [LogIndex: Term] = [:]
  private var appliedIndexes: Set<LogIndex> = []
  private var digests: [LogIndex: UInt64] = [:]
  private(set) var changes: [Revision: Change] = [:]
  private var outcomes: [RequestID: Outcome] = [:]
  private var indexes: [RequestID: LogIndex] = [:]
  private var committedAt: [LogIndex: VirtualTime] = [:]
  private(set) var leases = LeaseTruth()
  private(set) var membership: PlacedMembership?
  private(set) var last = LogIndex.zero

  init(_ world: World) { self.world = world }

  static func hash(of entry: Entry) -> UInt64 {
    chainHash(entry.payload[...], after: UInt64(entry.kind.rawValue) << 32 ^ entry.term.rawValue)
  }

  private func require(_ condition: Bool, _ reason: @autoclosure () -> String) {
    if !condition { world.fail(reason()) }
  }

  /// State Machine Safety, already at commit: one entry an index, for ever.
  func committed(_ entry: Entry, by id: MemberID, in term: Term) {
    if let known = committedEntries[entry.index] {
      require(
        known == entry,
        "\(id) commits another entry at \(entry.index): \(entry.term), not \(known.term)"
      )
      return
    }
    committedEntries[entry.index] = entry
    committedTerms[entry.index] = term
    committedAt[entry.index] = world.now
    last = max(last, entry.index)
    switch entry.kind {
    case .command: note(entry.payload, at: entry.index)
    case .membership:
      guard let found = Membership.decode(entry.payload) else { return }
      if entry.index > membership?.index ?? .zero {
        membership = PlacedMembership(index: entry.index, membership: found.membership)
      }
      note(found.context, at: entry.index)
    case .noOperation: break
    }
  }

  /// A request is in the log once: nothing that was asked for once takes effect twice.
  private func note(_ payload: [UInt8], at index: LogIndex) {
    guard let request = Command.request(of: payload) else { return }
    let other = indexes[request] ?? index
    require(other == index, "request \(request.number) is committed at \(other) and at \(index)")
    indexes[request] = index
  }

  func applied(_ entry: Entry, by id: MemberID) {
    let known = committedEntries[entry.index]
    require(known != nil, "\(id) applies \(entry.index), which nobody has committed")
    require(known == entry, "\(id) applies another entry at \(entry.index)")
  }

  /// Equal outcomes and events on every member.
  func applied(_ command: AppliedCommand, by id: MemberID) {
    let outcome = command.outcome
    if let known = outcomes[outcome.request] {
      require(known == outcome, "\(id) gives another outcome for request \(outcome.request.number)")
    } else if let index = indexes[outcome.request],
      let entry = committedEntries[index], let time = committedAt[index]
    {
      leases.applied(command, of: entry, at: time)
    }
    outcomes[outcome.request] = outcome
    guard !command.events.isEmpty else { return }
    let change = Change(
      revision: outcome.revision, events: command.events, request: outcome.request)
    if let known = changes[outcome.revision] {
      require(known.events == change.events, "\(id) has other events at \(outcome.revision)")
    } else {
      changes[outcome.revision] = change
    }
  }

  func reached(_ index: LogIndex, digest: UInt64, by id: MemberID) {
    let known = digests[index] ?? digest
    require(known == digest, "\(id) differs from others in its state at \(index)")
    digests[index] = digest
  }

  /// Every change, by revision.
  var history: [Change] { changes.keys.sorted().compactMap { changes[$0] } }
}
