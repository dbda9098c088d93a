import Cluster
import Foundation
import Raft

/// What the receiver of a snapshot says to its sender, once.
// Unchecked: the world is one thread.
final class StreamAnswer: @unchecked Sendable {
  private var body: ((Bool) -> Void)?

  init(_ body: @escaping (Bool) -> Void) { self.body = body }

  var isGiven: Bool { body == nil }

  func give(_ isWhole: Bool) {
    let body = body
    self.body = nil
    body?(isWhole)
  }
}

/// Members, clients, time, network and disks: everything that happens, in one thread and in one
/// order that the seed fixes.
// Unchecked: the world is one thread; closures that production code calls must be sendable.
final class World: @unchecked Sendable {
  let options: SimulationOptions
  let executor = SimulatedExecutor()
  let folder: String
  private(set) var now: VirtualTime = 0
  private var queue = EventQueue()
  private(set) var events = 0
  private(set) var trace: UInt64 = 0xcbf2_9ce4_8422_2325
  private(set) var failure: String?
  private(set) var members: [MemberID: SimulatedMember] = [:]
  private(set) lazy var network = SimulatedNetwork(self, options)
  private(set) lazy var checks = Checks(self)
  /// When each thread of each member has done what was given to it.
  private var busyUntil: [String: VirtualTime] = [:]
  private var timing: SeededRandom
  /// No fault happens any more: the cluster has to come to rest.
  private(set) var isHealing = false
  /// Asks a member for many writes at once.
  var flood: ((SimulatedMember) -> Void)?
  /// The last fault.
  var beforeHealing: (() -> Void)?
  /// Is told of each change of the membership that is in some leader's log and not committed yet.
  var changePending: ((MemberID) -> Void)?
  /// An operator is in the middle of a change.
  var isOperating = false

  init(_ options: SimulationOptions, folder: String) {
    self.options = options
    self.folder = folder
    timing = SeededRandom(seed: options.seed, purpose: "timing")
  }

  // MARK: - Time

  func after(
    _ pause: VirtualTime, owner: Incarnation?, _ name: StaticString,
    _ action: @escaping () -> Void
  ) {
    queue.add(at: now + pause, owner: owner, name: name, action)
  }

  /// Runs until `deadline`, a failure, or the limit of events.
  func run(until deadline: VirtualTime, orUntil isDone: () -> Bool = { false }) {
    executor.drain()
    while failure == nil, events < options.eventLimit, !isDone() {
      guard let next = queue.nextTime, next <= deadline, let item = queue.take() else {
        now = max(now, deadline)
        return
      }
      now = max(now, item.time)
      if let owner = item.owner {
        guard isAlive(owner) else { continue }
        let resumes = members[MemberID(owner.member)]?.pausedUntil ?? 0
        if resumes > now {
          queue.add(at: resumes, owner: owner, name: item.name, item.action)
          continue
        }
      }
      events += 1
      note(item)
      item.action()
      executor.drain()
    }
  }

  private func note(_ item: EventQueue.Item) {
    mix(now)
    mix(item.owner.map { $0.member &* 31 &+ UInt64($0.number) } ?? 0)
    item.name.withUTF8Buffer { for byte in $0 { mix(UInt64(byte)) } }
  }

  /// What two runs of a seed must have in common.
  func mix(_ value: UInt64) {
    trace = (trace ^ value) &* 0x100_0000_01b3
    trace ^= trace >> 29
  }

  func fail(_ reason: String) {
    if failure == nil { failure = "at \(now) µs, event \(events): \(reason)" }
  }

  // MARK: - Members

  var ids: [MemberID] { members.keys.sorted() }
  var up: [SimulatedMember] { ids.compactMap { members[$0] }.filter(\.isUp) }

  /// The member that leads in the newest term.
  var leader: MemberID? { checks.leader }

  func isAlive(_ owner: Incarnation) -> Bool {
    guard let member = members[MemberID(owner.member)] else { return false }
    return member.incarnation == owner && (member.isUp || member.isStarting)
  }

  @discardableResult
  func add(_ configuration: ClusterConfiguration) -> SimulatedMember {
    let member = SimulatedMember(self, configuration, folder: folder)
    members[configuration.id] = member
    return member
  }

  func start(_ id: MemberID) {
    guard failure == nil, let member = members[id], !member.isUp, !member.isRetired else { return }
    do {
      try member.start()
    } catch {
      checks.refusedToStart(id, error)
    }
  }

  func crash(_ id: MemberID, losingPower: Bool, downFor pause: VirtualTime) {
    guard let member = members[id] else { return }
    member.crash(losingPower: losingPower)
    after(pause, owner: nil, "restart") { [self] in start(id) }
  }

  /// A member's disk has failed it: its process ends, and is started again later.
  func diskFailed(_ owner: Incarnation, _ error: any Error) {
    guard isAlive(owner) else { return }
    let id = MemberID(owner.member)
    if Checks.isMistaken(error) { return fail("\(id) ends: \(error)") }
    let pause = VirtualTime(timing.number(in: 10_000...1_000_000))
    // Not within the closure of the member itself: it ends first.
    queue.add(at: now, owner: owner, name: "the disk failed") { [self] in
      crash(
        id, losingPower: options.has(.powerLoss) && timing.happens(permille: 500), downFor: pause)
    }
  }

  func enqueue(_ work: @escaping @Sendable () -> Void, on label: String, of owner: Incarnation) {
    let key = "\(owner.member)-\(owner.number)-\(label)"
    let start = max(now, busyUntil[key] ?? 0)
    let end = start + workTime(label)
    busyUntil[key] = end
    queue.add(at: end, owner: owner, name: "work", work)
  }

  private func workTime(_ label: String) -> VirtualTime {
    let isLog = label.hasSuffix("log")
    let usual = isLog ? options.syncMicroseconds : options.applyMicroseconds
    if !isHealing, options.has(.slowDisk), timing.happens(permille: isLog ? 5 : 20) {
      return VirtualTime(timing.number(in: 1...2_000_000))
    }
    return VirtualTime(timing.number(in: usual / 2...usual * 2))
  }

  // MARK: - What the network does to members

  func deliver(_ message: Message) {
    deliver(from: message.from, to: message.to) { $0.received([message]) }
  }

  func deliver(_ message: LeaseMessage) {
    deliver(from: message.from, to: message.to) { $0.received(message) }
  }

  private func deliver(
    from sender: MemberID, to id: MemberID, _ hand: @escaping (ClusterMember) -> Void
  ) {
    guard let receiver = members[id], receiver.isUp, !receiver.refused.contains(sender) else {
      return
    }
    guard receiver.pausedUntil <= now else {
      if receiver.losesWhilePaused { return }
      let resumes = receiver.pausedUntil - now
      return after(resumes, owner: receiver.incarnation, "deliver after a pause") { [self] in
        if let member = members[id]?.member { hand(member) }
      }
    }
    if let member = receiver.member { hand(member) }
  }

  func reportUnreachable(_ peer: MemberID, to id: MemberID) {
    guard let member = members[id], member.isUp else { return }
    after(1000, owner: member.incarnation, "unreachable") { [self] in
      members[id]?.member?.unreachable(peer)
    }
  }

  /// False if nobody takes it.
  func arrive(
    _ snapshot: OutgoingSnapshot, from sender: MemberID, _ completion: @escaping (Bool) -> Void
  ) -> Bool {
    guard let receiver = members[snapshot.to], let member = receiver.member,
      !receiver.refused.contains(sender)
    else { return false }
    let path = member.incomingSnapshotPath(from: sender)
    do {
      try FileManager.default.copyItem(atPath: snapshot.path, toPath: path)
    } catch {
      return false
    }
    let answer = StreamAnswer { isWhole in
      if isWhole { receiver.keptSnapshot() }
      completion(isWhole)
    }
    // With the receiver's process its connections end, and the sender notices.
    receiver.keep(answer)
    member.receivedSnapshot(
      from: sender, term: snapshot.term, mark: snapshot.mark, path: path
    ) { answer.give($0) }
    return true
  }

  func noteRemoved(_ removed: Set<MemberID>, by owner: Incarnation) {
    guard isAlive(owner) else { return }
    members[MemberID(owner.member)]?.refused = removed
  }

  // MARK: - Phases

  /// Ends every fault: members that are down start, and everything arrives.
  func heal() {
    beforeHealing?()
    isHealing = true
    network.isHealed = true
    for id in ids {
      guard let member = members[id] else { continue }
      member.pausedUntil = 0
      member.disk.faults = DiskFaults()
      member.disk.isFull = false
      member.disk.operationsUntilDeath = nil
      if !member.isUp { start(id) }
    }
  }

  /// Starts whoever was added without anybody being told: an operator looks at the list of members.
  func startUnknownMembers() {
    for node in ids.compactMap({ checks.nodes[$0] }) {
      for id in node.membership.membership.all where members[id] == nil { join(id) }
    }
  }

  /// Switches those off who were removed, as an operator does once the cluster is well.
  func retireRemovedMembers() {
    let belonging = belonging
    for id in ids where !belonging.contains(id) {
      members[id]?.crash(losingPower: false)
      members[id]?.isRetired = true
    }
  }

  /// Ends every process, so that nothing of this world goes on.
  func end() {
    isHealing = true
    for id in ids { members[id]?.crash(losingPower: false) }
    executor.drain()
  }
}
