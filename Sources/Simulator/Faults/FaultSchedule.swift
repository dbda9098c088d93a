import Raft

/// When members crash, stop for a while, or lose what they wrote, and when links are cut.
// Unchecked: the world is one thread.
final class FaultSchedule: @unchecked Sendable {
  private unowned let world: World
  private let options: SimulationOptions
  private var random: SeededRandom

  init(_ world: World) {
    self.world = world
    options = world.options
    random = SeededRandom(seed: options.seed, purpose: "faults")
  }

  func begin() {
    chooseVictims()
    let crashes = options.crashEveryMilliseconds
    if options.has(.crashes) { repeats(every: crashes, "crash") { $0.crash() } }
    if options.has(.midWrite) { repeats(every: crashes, "die in a write") { $0.dieInAWrite() } }
    if options.has(.pauses) { repeats(every: crashes, "pause") { $0.pause() } }
    if options.has(.leaps) { repeats(every: crashes, "leap") { $0.leap() } }
    if options.has(.powerLoss) {
      repeats(every: 1500, "copy a state") { $0.pickUp()?.copyState() }
      repeats(every: crashes * 4, "lose power everywhere") { $0.losePower() }
    }
    if options.has(.floods) { repeats(every: crashes * 2, "flood") { $0.flood() } }
    if options.has(.ambush) { world.changePending = { [self] in ambush($0) } }
    if options.has(.diskFull) { repeats(every: crashes * 2, "fill a disk") { $0.fillDisk() } }
    if options.has(.partitions) {
      repeats(every: options.partitionEveryMilliseconds, "partition") { schedule in
        schedule.world.network.partition(among: schedule.world.ids)
      }
    }
  }

  private func repeats(
    every milliseconds: Int, _ name: StaticString, _ action: @escaping (FaultSchedule) -> Void
  ) {
    let pause = VirtualTime(random.number(in: 1...milliseconds * 2)) * 1000
    world.after(pause, owner: nil, name) { [self] in
      guard !world.isHealing else { return }
      action(self)
      repeats(every: milliseconds, name, action)
    }
  }

  private func pickUp() -> SimulatedMember? { random.pick(from: world.up) }

  private var downTime: VirtualTime {
    VirtualTime(random.spread(10, options.downMilliseconds)) * 1000
  }

  private func crash() {
    // Every now and then it is the leader, or all at once.
    if random.happens(permille: 100) {
      for member in world.up { world.crash(member.id, losingPower: false, downFor: downTime) }
    } else {
      let leader = random.happens(permille: 300) ? world.leader : nil
      guard let id = leader ?? pickUp()?.id else { return }
      let losesPower = options.has(.powerLoss) && random.happens(permille: 500)
      world.crash(id, losingPower: losesPower, downFor: downTime)
    }
  }

  /// Power is lost on every machine at once.
  private func losePower() {
    for id in world.ids {
      guard let member = world.members[id], member.isUp else { continue }
      world.crash(id, losingPower: true, downFor: downTime)
    }
    world.checks.count("losses of power")
  }

  /// The process will end in the middle of one of its next writes.
  private func dieInAWrite() {
    pickUp()?.disk.operationsUntilDeath = random.number(in: 0...12)
    world.checks.count("deaths in a write")
  }

  /// A signal stops the process for a while: messages and timers wait, and are all due at once then.
  private func pause() {
    let leader = random.happens(permille: 400) ? world.leader.flatMap { world.members[$0] } : nil
    guard let member = leader ?? pickUp() else { return }
    let pause = VirtualTime(random.spread(50, options.pauseMilliseconds)) * 1000
    member.pausedUntil = world.now + pause
    member.losesWhilePaused = random.happens(permille: 500)
    world.checks.count("pauses")
  }

  /// A clock leaps by up to an hour: forth after the machine was suspended, back where it is no good.
  private func leap() {
    let leap = Int64(random.spread(1, 3_600_000)) * 1000
    pickUp()?.leap(by: random.happens(permille: 700) ? leap : -leap)
    world.checks.count("leaps of a clock")
  }

  /// A change of the membership has begun: its leader is cut off, or crashes, or is left alone.
  private func ambush(_ leader: MemberID) {
    let pause = VirtualTime(random.number(in: 0...20_000))
    let kind = random.number(in: 0...3)
    guard !world.isHealing, kind < 3 else { return }
    world.checks.count("ambushes")
    world.after(pause, owner: nil, "ambush") { [self] in
      guard !world.isHealing else { return }
      if kind == 0 {
        world.crash(leader, losingPower: false, downFor: downTime)
      } else {
        world.network.partition(among: world.ids)
      }
    }
  }

  /// The leader is cut off, and does not know it while clients ask it for more.
  private func flood() {
    guard let leader = world.leader, let member = world.members[leader] else { return }
    let pause =
      options.heartbeatMilliseconds * (options.electionTicks * 2 + random.number(in: 0...20))
    world.network.isolate(leader, among: world.ids, for: VirtualTime(pause) * 1000)
    world.flood?(member)
    world.checks.count("floods")
  }

  private func fillDisk() {
    guard let member = pickUp() else { return }
    member.disk.isFull = true
    world.checks.count("full disks")
    world.after(downTime, owner: nil, "free a disk") { member.disk.isFull = false }
  }

  // MARK: - Damage

  /// Disks that lie are fewer than a quorum: against more than that nothing helps.
  private func chooseVictims() {
    let damage: [Fault] = [.rot, .misdirected, .lostWrites, .ioErrors]
    guard damage.contains(where: options.has), !options.has(.membership), !options.has(.joint)
    else { return }
    let victims = world.ids.prefix((options.founders - 1) / 2)
    for id in victims {
      guard let disk = world.members[id]?.disk else { continue }
      let permille = options.diskFaultPermille
      if options.has(.misdirected) { disk.faults.misdirectedPermille = permille }
      if options.has(.lostWrites) { disk.faults.lostPermille = permille }
      if options.has(.ioErrors) { disk.faults.ioErrorPermille = permille }
      guard options.has(.rot) else { continue }
      repeats(every: options.crashEveryMilliseconds, "rot") { schedule in
        disk.rot()
        schedule.world.checks.count("flipped bits")
        // It is found only when the log is read again; then others are gone, or behind, at times.
        guard schedule.random.happens(permille: 700) else { return }
        schedule.world.crash(id, losingPower: false, downFor: schedule.downTime)
        if let leader = schedule.world.leader, schedule.random.happens(permille: 500) {
          schedule.world.crash(leader, losingPower: false, downFor: schedule.downTime)
        }
      }
    }
    guard options.has(.rot), random.happens(permille: 500), let id = victims.first else { return }
    world.beforeHealing = { [world] in
      world.members[id]?.disk.rot()
      world.crash(id, losingPower: false, downFor: 1000)
    }
  }
}
