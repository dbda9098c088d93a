import BinaryCoding
import Cluster
import Raft
import Store

/// A lease from its grant to its end, by the times at which their entries were seen to be committed.
struct LeaseLife {
  enum End: Hashable { case revoked, expired }

  var lease: Lease
  var began: VirtualTime
  var ended: VirtualTime?
  var end: End?

  /// It lived at some moment of a request.
  func touches(_ renewal: LeaseHistory.Renewal) -> Bool {
    began <= renewal.returned && (ended ?? .max) >= renewal.invoked
  }

  /// It lived before a request, and all the time after it.
  func outlives(_ renewal: LeaseHistory.Renewal) -> Bool {
    began < renewal.invoked && (ended ?? .max) > renewal.returned
  }
}

/// What clients were told when they renewed leases, held against what became of these: none ends
/// early, none is renewed once it has ended, and none that lives is said to be gone.
// Unchecked: the world is one thread.
final class LeaseHistory: @unchecked Sendable {
  struct Renewal {
    var id: Int64
    var invoked: VirtualTime
    var returned: VirtualTime
    /// Nil if the lease was said to be unknown.
    var ttl: Int64?
  }

  private var renewals: [Renewal] = []

  func add(_ renewal: Renewal) { renewals.append(renewal) }

  /// How clocks may be wrong.
  struct Clocks {
    /// How many thousandths the clock of a member may be fast.
    var driftPermille: Int
    /// When one has leapt, and what of that a leader counts at most.
    var leaps: [VirtualTime]
    var countedOfLeap: VirtualTime

    /// The least that passes from one time on until a clock has measured `seconds`.
    func least(_ seconds: Int64, from start: VirtualTime, to end: VirtualTime) -> VirtualTime {
      let leaps = leaps.count { $0 >= start && $0 <= end }
      let time = VirtualTime(seconds) * 1_000_000 * 1000 / VirtualTime(1001 + driftPermille)
      return time - min(time, VirtualTime(leaps) * countedOfLeap)
    }
  }

  func verdict(_ truth: Truth, _ clocks: Clocks) -> String? {
    let lives = Dictionary(grouping: truth.leases.lives, by: \.lease.id)
    for renewal in renewals {
      if let problem = verdict(renewal, lives[renewal.id] ?? []) { return problem }
    }
    for life in truth.leases.lives {
      if let problem = verdict(life, lives[life.lease.id] ?? [], clocks) {
        return problem
      }
    }
    return truth.leases.endsWithoutAll(of: truth.history)
  }

  private func verdict(_ renewal: Renewal, _ lives: [LeaseLife]) -> String? {
    if renewal.ttl != nil, !lives.contains(where: { $0.touches(renewal) }) {
      return "lease \(renewal.id) was renewed at \(renewal.invoked), and it had ended"
    }
    if let ttl = renewal.ttl,
      !lives.contains(where: { $0.touches(renewal) && $0.lease.ttl == ttl })
    {
      return "lease \(renewal.id) was renewed at \(renewal.invoked) for \(ttl) s, not for its time"
    }
    if renewal.ttl == nil, lives.contains(where: { $0.outlives(renewal) }) {
      return "lease \(renewal.id) was said to be unknown at \(renewal.invoked), and it lives"
    }
    return nil
  }

  private func verdict(
    _ life: LeaseLife, _ lives: [LeaseLife], _ clocks: Clocks
  ) -> String? {
    guard life.end == .expired, let ended = life.ended else { return nil }
    // Those that can mean no other lease of that id.
    let meant = renewals.filter { renewal in
      renewal.id == life.lease.id && renewal.ttl != nil
        && lives.filter { $0.touches(renewal) }.count == 1 && life.touches(renewal)
    }
    let last = max(life.began, meant.map(\.invoked).max() ?? 0)
    let least = clocks.least(life.lease.ttl, from: last, to: ended)
    guard ended >= last + least else {
      return "lease \(life.lease.id) of \(life.lease.ttl) s was renewed at \(last) and has expired "
        + "at \(ended)"
    }
    return nil
  }
}

/// The leases that the cluster as a whole has granted and ended, as the first member to apply that says.
struct LeaseTruth {
  private struct Ending {
    var id: Int64
    var revision: Revision
    var events: [KeyEvent]
  }

  private(set) var lives: [LeaseLife] = []
  private var endings: [Ending] = []
  /// Expiries that were proposed again and came too late.
  private(set) var expiredTwice = 0

  var living: Int { lives.count { $0.ended == nil } }

  mutating func applied(_ command: AppliedCommand, of entry: Entry, at time: VirtualTime) {
    switch command.lease {
    case .granted(let lease): lives.append(LeaseLife(lease: lease, began: time))
    case .ended(let id):
      let place = lives.lastIndex { $0.lease.id == id }
      guard let place else { return }
      lives[place].ended = time
      lives[place].end = LeaseTruth.isExpiry(entry) ? .expired : .revoked
      endings.append(
        Ending(id: id, revision: command.outcome.revision, events: command.events))
    case nil:
      guard case .failure(.leaseNotFound) = command.outcome.result, LeaseTruth.isExpiry(entry)
      else {
        return
      }
      expiredTwice += 1
    }
  }

  func count(_ end: LeaseLife.End) -> Int { lives.count { $0.end == end } }

  private static func isExpiry(_ entry: Entry) -> Bool {
    guard case .lease(.expire) = (try? Command(decoding: entry.payload))?.action else {
      return false
    }
    return true
  }

  /// With a lease all its keys go, those alone, in their order and at one revision.
  func endsWithoutAll(of history: [Truth.Change]) -> String? {
    var attached: [Key: Int64] = [:]
    var changes = history[...]
    for ending in endings.sorted(by: { $0.revision < $1.revision }) {
      // What came before it: an end without keys has the revision of what came last.
      let isEmpty = ending.events.isEmpty
      while let change = changes.first,
        change.revision < ending.revision || isEmpty && change.revision == ending.revision
      {
        changes.removeFirst()
        for event in change.events { LeaseTruth.note(event, in: &attached) }
      }
      let expected = attached.filter { $0.value == ending.id }.keys.sorted()
      let found = ending.events.map(\.key)
      guard found == expected else {
        return "lease \(ending.id) ended at \(ending.revision) with \(found), and held \(expected)"
      }
    }
    return nil
  }

  private static func note(_ event: KeyEvent, in attached: inout [Key: Int64]) {
    switch event.change {
    case .put(let item): attached[item.key] = item.lease == 0 ? nil : item.lease
    case .delete(let key, _): attached[key] = nil
    }
  }
}
