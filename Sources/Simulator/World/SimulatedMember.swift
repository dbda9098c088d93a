import Cluster
import Foundation
import Logging
import Raft
import Store

/// One member through all its starts and crashes: its process comes and goes, its disk stays.
// Unchecked: the world is one thread.
final class SimulatedMember: @unchecked Sendable {
  let id: MemberID
  let configuration: ClusterConfiguration
  let disk: SimulatedDisk
  private unowned let world: World
  private let folder: String
  private var random: SeededRandom
  /// Where the state is; another place after a loss of power has taken it back.
  private var stateGeneration = 0
  /// An older state that a loss of power may bring back, and what it has applied.
  private var image: (path: String, applied: UInt64)?
  /// What SQLite was ever asked to make durable: no loss of power takes that back.
  private var durable: UInt64 = 0
  private(set) var incarnation: Incarnation
  private(set) var member: ClusterMember?
  private var task: Task<Void, Never>?
  /// Stopped by a signal until then: what is due waits.
  var pausedUntil: VirtualTime = 0
  /// What is sent to it while it is paused is lost: its connections break.
  var losesWhilePaused = false
  /// By how many microseconds its clock has leapt so far, as after a suspended machine.
  private(set) var leap: Int64 = 0
  var isRetired = false
  /// The members whose connections it refuses for good.
  var refused: Set<MemberID> = []
  private(set) var isStarting = false

  init(_ world: World, _ configuration: ClusterConfiguration, folder: String) {
    self.world = world
    self.id = configuration.id
    self.configuration = configuration
    self.folder = folder
    let seed = world.options.seed ^ configuration.id.rawValue &* 0x9e37_79b9
    random = SeededRandom(seed: seed, purpose: "member")
    disk = SimulatedDisk(random: SeededRandom(seed: seed, purpose: "disk"))
    incarnation = Incarnation(member: configuration.id.rawValue, number: 0)
  }

  /// What clients watch through it: connections that end with the process.
  private var streams: [WatchStream] = []

  func leap(by microseconds: Int64) {
    leap += microseconds
    world.checks.leaps.append(world.now)
  }

  var isUp: Bool { member != nil }
  var isLearner: Bool { member?.status.membership.isVoter(id) == false }
  func keep(_ stream: WatchStream) { streams.append(stream) }
  private var answers: [StreamAnswer] = []
  func keep(_ answer: StreamAnswer) {
    answers.removeAll(where: \.isGiven)
    answers.append(answer)
  }
  private var sleepers: [Sleeper] = []
  func keep(_ sleeper: Sleeper) {
    sleepers.removeAll(where: \.isOver)
    sleepers.append(sleeper)
  }
  private var directory: String { folder + "/\(id)-\(stateGeneration)" }

  // MARK: - Starting

  /// - Throws: why the member refuses to start, or its disk fails.
  func start() throws {
    isStarting = true
    defer { isStarting = false }
    incarnation = Incarnation(member: id.rawValue, number: incarnation.number + 1)
    var configuration = configuration
    configuration.dataDirectory = directory
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    let owner = incarnation
    let started = try ClusterMember(
      configuration, environment: environment(for: owner),
      logger: Logger(label: "\(id)") { _ in SwiftLogNoOpLogHandler() },
      failStop: { [world] error in world.diskFailed(owner, error) })
    member = started
    let transport = SimulatedTransport(world: world, owner: owner)
    task = Task(executorPreference: world.executor) { await started.run(transport: transport) }
  }

  private func environment(for owner: Incarnation) -> ClusterEnvironment {
    let world = world
    let drift =
      world.options.has(.drift) && !world.isHealing
      ? random.number(in: -world.options.driftPermille...world.options.driftPermille) : 0
    var environment = ClusterEnvironment(
      disk: disk.view(),
      clock: SimulatedClock(world: world, owner: owner, driftPermille: Int64(drift)),
      executor: world.executor,
      makeQueue: { label in SimulatedQueue(world: world, owner: owner, label: label) },
      seed: random.next(), logSalt: random.next(),
      observe: { node in
        if world.isAlive(owner) { world.checks.turned(owner, node) }
      },
      observeApplied: { [unowned self] entries, commands in
        if world.isAlive(owner), let store = member?.store {
          world.checks.applied(owner, entries, commands, position: store.current)
        }
      })
    // At once, or after what else is ready in this world.
    environment.runSoon = { [unowned self] work in
      if random.happens(permille: 500) {
        work()
      } else {
        Task(executorPreference: world.executor) { work() }
      }
    }
    environment.runsErrands = { [unowned self] in random.happens(permille: 500) }
    environment.observeInstalled = { mark in
      if world.isAlive(owner) { world.checks.installed(mark, on: owner) }
    }
    return environment
  }

  // MARK: - Ending

  /// The process is gone; if power is too, the disk keeps only what it must.
  func crash(losingPower: Bool) {
    let stopped = member
    if let stopped {
      durable = max(durable, stopped.store.durable)
      stopped.store.abandon()
    }
    member = nil
    task?.cancel()
    task = nil
    for stream in streams { stream.close() }
    streams = []
    for answer in answers { answer.give(false) }
    answers = []
    for sleeper in sleepers { sleeper.wake() }
    sleepers = []
    incarnation = Incarnation(member: id.rawValue, number: incarnation.number + 1)
    pausedUntil = 0
    if losingPower {
      disk.powerLost()
      if stopped != nil { takeStateBack() }
    } else {
      disk.processDied()
    }
    world.checks.crashed(id)
  }

  // MARK: - The state's files

  /// Keeps a copy of the state as it is now.
  func copyState() {
    guard let member, random.happens(permille: 500) else { return }
    let path = folder + "/\(id)-image-\(incarnation.number)-\(world.now)"
    do {
      try member.store.commit()
      try FileManager.default.copyItem(atPath: directory + "/state", toPath: path)
    } catch {
      return world.fail("the state of \(id) can't be copied: \(error)")
    }
    if let image { try? FileManager.default.removeItem(atPath: image.path) }
    image = (path, member.store.current.appliedIndex)
  }

  /// A received snapshot is a file that was synced: an older state would lack it.
  func keptSnapshot() { image = nil }

  /// SQLite promises what was there when it was last asked to make it durable; a loss of power may
  /// take back everything after.
  private func takeStateBack() {
    guard let image, image.applied >= durable, random.happens(permille: 700) else { return }
    stateGeneration += 1
    do {
      try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true)
      try FileManager.default.moveItem(atPath: image.path, toPath: directory + "/state")
    } catch {
      world.fail("the state of \(id) can't be taken back: \(error)")
    }
    self.image = nil
  }
}

/// A thread of a simulated member: one closure after the other, each after the time that it takes.
struct SimulatedQueue: WorkQueue {
  let world: World
  let owner: Incarnation
  let label: String

  func async(_ work: @escaping @Sendable () -> Void) {
    world.enqueue(work, on: label, of: owner)
  }

  /// Nothing was given before: a queue is asked only while it has nothing to do.
  func run(_ work: () -> Void) {
    world.checks.count("jobs done by whoever brought them")
    work()
  }

  /// A member ends with its process: nothing waits in a world of one thread.
  func end(_ work: () -> Void) {}
}
