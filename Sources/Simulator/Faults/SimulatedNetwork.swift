import Cluster
import Foundation
import Raft

/// What lies between members: messages are lost, late, twice, out of order, or cut off for a while.
// Unchecked: the world is one thread.
final class SimulatedNetwork: @unchecked Sendable {
  struct Link: Hashable {
    var from: MemberID
    var to: MemberID
  }

  private unowned let world: World
  private let options: SimulationOptions
  private var random: SeededRandom
  private var cuts: Set<Link> = []
  private var inFlight: [Link: Int] = [:]
  /// Faults are over: every message arrives, soon and once.
  var isHealed = false
  private(set) var delivered = 0

  init(_ world: World, _ options: SimulationOptions) {
    self.world = world
    self.options = options
    random = SeededRandom(seed: options.seed, purpose: "network")
  }

  func has(_ fault: Fault) -> Bool { !isHealed && options.has(fault) }

  func isCut(_ from: MemberID, _ to: MemberID) -> Bool {
    !isHealed && cuts.contains(Link(from: from, to: to))
  }

  // MARK: - Partitions

  /// Splits the members, cuts some pairs, or silences one direction, and heals that later.
  func partition(among ids: [MemberID]) {
    guard ids.count > 1 else { return }
    var chosen: Set<Link> = []
    switch random.number(in: 0...3) {
    case 0:
      // Two sides.
      let side = Set(ids.filter { _ in random.happens(permille: 500) })
      for (a, b) in pairs(ids) where side.contains(a) != side.contains(b) {
        chosen.insert(Link(from: a, to: b))
      }
    case 1:
      // One member alone: often the leader.
      let alone = world.leader ?? random.pick(from: ids)
      for (a, b) in pairs(ids) where a == alone || b == alone {
        chosen.insert(Link(from: a, to: b))
      }
    case 2:
      // A partial partition: a few pairs can't talk, though others reach both (Cloudflare 2020).
      for (a, b) in pairs(ids) where random.happens(permille: 300) && a < b {
        chosen.insert(Link(from: a, to: b))
        chosen.insert(Link(from: b, to: a))
      }
    default:
      // A chain: each reaches its neighbours alone.
      let places = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($1, $0) })
      for (a, b) in pairs(ids) where abs((places[a] ?? 0) - (places[b] ?? 0)) > 1 {
        chosen.insert(Link(from: a, to: b))
      }
    }
    if has(.oneWay), random.happens(permille: 400) {
      chosen = Set(
        chosen.sorted { ($0.from, $0.to) < ($1.from, $1.to) }
          .filter { _ in random.happens(permille: 500) })
    }
    cuts = chosen
    let pause = random.spread(50, options.partitionMilliseconds)
    world.after(VirtualTime(pause) * 1000, owner: nil, "heal a partition") { [self] in cuts = [] }
  }

  /// Cuts one member off from all others for a while.
  func isolate(_ alone: MemberID, among ids: [MemberID], for pause: VirtualTime) {
    cuts = Set(
      pairs(ids).filter { $0.0 == alone || $0.1 == alone }.map { Link(from: $0.0, to: $0.1) })
    world.after(pause, owner: nil, "end an isolation") { [self] in cuts = [] }
  }

  private func pairs(_ ids: [MemberID]) -> [(MemberID, MemberID)] {
    ids.flatMap { a in ids.filter { $0 != a }.map { (a, $0) } }
  }

  // MARK: - Messages

  func send(_ message: Message) {
    world.checks.sent(message)
    if has(.promiseCrashes) { crashAfterPromise(message) }
    carry(Link(from: message.from, to: message.to)) { [world] in world.deliver(message) }
  }

  func send(_ message: LeaseMessage) {
    carry(Link(from: message.from, to: message.to)) { [world] in world.deliver(message) }
  }

  /// Work that waits until what was sent before has left.
  func send(_ work: @escaping @Sendable () -> Void, of owner: Incarnation) {
    guard random.happens(permille: 500) else { return work() }
    world.after(VirtualTime(random.number(in: 1...500)), owner: owner, "sent", work)
  }

  private func carry(_ link: Link, _ deliver: @escaping () -> Void) {
    if isCut(link.from, link.to) {
      // A broken connection is noticed, sooner or later.
      if random.happens(permille: 200) { world.reportUnreachable(link.to, to: link.from) }
      return
    }
    if has(.loss), random.happens(permille: options.lossPermille) { return }
    carryOnce(link, deliver)
    if has(.duplicates), random.happens(permille: options.duplicatePermille) {
      carryOnce(link, deliver)
    }
  }

  /// The process ends right after it has promised something: what it promised must be durable.
  private func crashAfterPromise(_ message: Message) {
    let permille: Int
    switch message.body {
    case .voteReply(granted: true), .voteRequest: permille = options.promiseCrashPermille
    case .appendAccepted: permille = options.promiseCrashPermille / 20
    default: return
    }
    guard random.happens(permille: permille), let sender = world.members[message.from] else {
      return
    }
    let pause = VirtualTime(random.number(in: 0...2000))
    let down = VirtualTime(random.spread(1, 100)) * 1000
    let losesPower = has(.powerLoss) && random.happens(permille: 500)
    world.after(pause, owner: sender.incarnation, "crash after a promise") { [self] in
      world.crash(message.from, losingPower: losesPower, downFor: down)
      world.checks.count("crashes after promises")
    }
  }

  private func carryOnce(_ link: Link, _ deliver: @escaping () -> Void) {
    if has(.cap), inFlight[link, default: 0] >= options.messagesPerLink { return }
    inFlight[link, default: 0] += 1
    world.after(delay(), owner: nil, "deliver") { [self] in
      inFlight[link, default: 0] -= 1
      guard !isCut(link.from, link.to) else { return }
      delivered += 1
      deliver()
    }
  }

  private func delay() -> VirtualTime {
    guard has(.delays) else { return 200 }
    if has(.spikes), random.happens(permille: options.spikePermille) {
      return VirtualTime(random.number(in: 1...options.spikeMilliseconds * 1000))
    }
    return VirtualTime(random.number(in: 50...50 + options.delayMicroseconds))
  }

  // MARK: - Snapshots

  func stream(
    _ snapshot: OutgoingSnapshot, from: Incarnation, _ completion: @escaping (Bool) -> Void
  ) {
    let pause = VirtualTime(random.number(in: 1000...(1000 + 20 * options.delayMicroseconds)))
    let fails = has(.snapshotFailures) && random.happens(permille: 300)
    world.after(pause, owner: from, "stream a snapshot") { [self] in
      let sender = MemberID(from.member)
      guard !fails, !isCut(sender, snapshot.to),
        world.arrive(snapshot, from: sender, completion)
      else { return completion(false) }
    }
  }
}

/// One member's end of the network.
struct SimulatedTransport: Transport {
  let world: World
  let owner: Incarnation

  func send(_ messages: [Message]) {
    guard world.isAlive(owner) else { return }
    for message in messages { world.network.send(message) }
  }

  func send(_ message: LeaseMessage) {
    guard world.isAlive(owner) else { return }
    world.network.send(message)
  }

  func afterSending(_ work: @escaping @Sendable () -> Void) {
    world.network.send(work, of: owner)
  }

  func membersChanged(_ members: [Peer], removed: Set<MemberID>) {
    world.noteRemoved(removed, by: owner)
  }

  func sendSnapshot(
    _ snapshot: OutgoingSnapshot, completion: @escaping @Sendable (Bool) -> Void
  ) {
    guard world.isAlive(owner) else { return }
    world.network.stream(snapshot, from: owner, completion)
  }
}
