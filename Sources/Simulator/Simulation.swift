import Cluster
import Foundation
import Raft
import RaftLog
import Store

/// What came of one seed.
package struct SimulationResult: Sendable {
  /// The first thing that went wrong.
  package var failure: String?
  /// Equal for two runs of a seed, in whatever process.
  package var trace: UInt64
  package var events: Int
  package var simulatedSeconds: Int
  package var answered: Int
  /// How often what is worth a test has happened.
  package var coverage: [String: Int]
}

/// Runs one seed: walks of the core alone, then members under faults with clients beside them, then
/// peace, then the verdict.
package struct Simulation {
  /// Virtual time that a cluster has to come to rest in, once every fault is over.
  fileprivate static let rest: VirtualTime = 120_000_000

  /// Virtual time in which a healthy cluster surely has a leader.
  fileprivate static let election: VirtualTime = 20_000_000

  private let options: SimulationOptions

  package init(_ options: SimulationOptions) { self.options = options }

  /// - Parameter folder: a directory for the states of members, removed afterwards.
  package func run(in folder: String) -> SimulationResult {
    // What a run that was killed has left there would be found as the members' states.
    try? FileManager.default.removeItem(atPath: folder)
    let world = World(options, folder: folder)
    walk(world)
    if let failure = world.failure {
      return SimulationResult(
        failure: failure, trace: world.trace, events: 0, simulatedSeconds: 0, answered: 0,
        coverage: world.checks.coverage)
    }
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let founders = (1...options.founders).map { number in
      Peer(id: MemberID(UInt64(number)), name: "m\(number)", urls: ["http://m\(number)"])
    }
    for peer in founders {
      world.add(
        world.tuned(
          ClusterConfiguration(
            clusterID: 1, id: peer.id, founders: founders, clientURLs: ["http://c\(peer.name)"],
            dataDirectory: "")))
    }
    for peer in founders { world.start(peer.id) }
    var run = Run(world)
    run.begin()
    world.run(until: VirtualTime(options.seconds) * 1_000_000)
    if world.failure == nil, world.events < options.eventLimit {
      run.settle(within: Simulation.rest)
    }
    return run.result()
  }

  private func walk(_ world: World) {
    for number in stride(from: 1, through: options.walks, by: 1) {
      var walk = RandomWalk(seed: options.seed, number: number)
      let outcome = walk.run()
      world.mix(outcome.trace)
      world.checks.count("steps of walks", times: outcome.steps)
      world.checks.count("reads of walks", times: outcome.answeredReads)
      guard let failure = outcome.failure else { continue }
      return world.fail("walk \(number), \(failure)")
    }
  }
}

/// The workloads of one seed, and what they found.
private struct Run {
  let world: World
  private let history = ClientHistory()
  private let leases = LeaseHistory()
  private var watchers: [WatchWorkload] = []
  private var reconciler: ReconcilerWorkload?
  private let faults: FaultSchedule

  init(_ world: World) {
    self.world = world
    faults = FaultSchedule(world)
  }

  mutating func begin() {
    faults.begin()
    beginFloods()
    for number in 1...world.options.clients {
      let client = ClientWorkload(world, number: number, history: history)
      Task(executorPreference: world.executor) {
        var client = client
        await client.run()
      }
    }
    for number in stride(from: 1, through: world.options.leaseHolders, by: 1) {
      let holder = LeaseWorkload(world, number: number, history: leases)
      Task(executorPreference: world.executor) {
        var holder = holder
        await holder.run()
      }
    }
    if world.options.compactEveryMilliseconds > 0 {
      let compactor = CompactionWorkload(world)
      Task(executorPreference: world.executor) {
        var compactor = compactor
        await compactor.run()
      }
    }
    for number in 0..<world.options.watchers {
      let watcher = WatchWorkload(world, number: number)
      watchers.append(watcher)
      Task(executorPreference: world.executor) { await watcher.run() }
    }
    if world.options.has(.membership) || world.options.has(.joint) || world.options.has(.transfer) {
      let operators = MembershipWorkload(world)
      Task(executorPreference: world.executor) {
        var operators = operators
        await operators.run()
      }
    }
    guard world.options.hasReconciler else { return }
    let workload = ReconcilerWorkload(world)
    reconciler = workload
    Task(executorPreference: world.executor) { await workload.run() }
    for number in 1...2 {
      Task(executorPreference: world.executor) { await workload.follow(number) }
    }
  }

  private func beginFloods() {
    let (world, history) = (world, history)
    var clients = 1000
    world.flood = { host in
      guard let member = host.member else { return }
      for _ in 0..<(2 + clients % 9) {
        clients += 1
        let client = ClientWorkload(world, number: clients, history: history)
        Task(executorPreference: world.executor) {
          var client = client
          await client.writeOnce(to: member)
        }
      }
    }
  }

  /// Ends the faults: a leader must emerge, everyone must hold the same, and every promise be kept.
  func settle(within pause: VirtualTime) {
    world.heal()
    let deadline = world.now + pause
    guard wait(until: deadline, "no rest after the faults", { world.isAtRest }) else { return }
    askEveryone(until: deadline)
    reconcile(until: deadline)
    let end = VirtualTime(2 * LeaseWorkload.longestTTL) * 1_000_000 + Simulation.election
    let truth = world.checks.truth
    wait(until: world.now + end, "a lease never ends") { truth.leases.living == 0 }
    world.checks.count("expired leases", times: truth.leases.count(.expired))
    world.checks.count("late expiries", times: truth.leases.expiredTwice)
    world.checks.count("revoked leases", times: truth.leases.count(.revoked))
    guard wait(until: deadline, "no rest after the last requests", { world.isAtRest }) else {
      return
    }
    // What a slow request still brings while one watcher is waited for, the next is told and this one
    // need not be.
    let seen = watchers.map { watcher in
      let last = world.newestRevision
      wait(until: deadline, "a watch never catches up") { watcher.hasSeen(through: last) }
      watcher.end()
      return last
    }
    // The members go on comparing their states: for a moment one of them is an entry ahead.
    guard wait(until: world.now + Simulation.rest, "no rest at the end", { world.isAtRest }) else {
      return
    }
    judge(watchedThrough: seen)
  }

  /// Runs until `isDone`, while an operator looks after the members; false and a failure if that
  /// takes too long.
  @discardableResult
  private func wait(
    until deadline: VirtualTime, _ problem: String, _ isDone: () -> Bool
  ) -> Bool {
    while world.failure == nil, !isDone() {
      guard world.now < deadline else {
        world.fail("\(problem): \(world.rest)")
        return false
      }
      world.run(until: min(deadline, world.now + 500_000), orUntil: isDone)
      world.startUnknownMembers()
      if world.isAtRest { world.retireRemovedMembers() }
    }
    return world.failure == nil
  }

  /// A healthy cluster takes a write from every member.
  private func askEveryone(until deadline: VirtualTime) {
    for id in world.belonging {
      guard let member = world.members[id], member.isUp, !member.isLearner else { continue }
      let done = Flag()
      Task(executorPreference: world.executor) {
        // What was slow when the faults ended may still cost a leader its term: once more, then.
        for attempt in 1...3 {
          do {
            _ = try await member.member?.propose(
              .put(PutRequest(Key("final"), .set(Array("\(id) \(attempt)".utf8)))))
            break
          } catch ClusterError.dropped, ClusterError.overloaded {
            // Full for a moment: it says so, and nothing is lost.
            break
          } catch {
            if attempt == 3 {
              world.fail("a healthy cluster refuses a write from \(id): \(error)")
            }
          }
        }
        done.isSet = true
      }
      wait(until: deadline, "a healthy cluster never answers \(id)") { done.isSet }
    }
  }

  private func reconcile(until deadline: VirtualTime) {
    guard let reconciler, world.failure == nil else { return }
    let done = Flag()
    Task(executorPreference: world.executor) {
      if let problem = await reconciler.finish() { world.fail(problem) }
      done.isSet = true
    }
    wait(until: deadline, "the reconciler never ends in a healthy cluster") { done.isSet }
  }

  private func judge(watchedThrough seen: [Revision]) {
    guard world.failure == nil else { return }
    let truth = world.checks.truth
    if let problem = history.verdict(truth) { world.fail(problem) }
    let halfAnElection =
      world.options.heartbeatMilliseconds * world.options.electionTicks * 1000 / 2
    let clocks = LeaseHistory.Clocks(
      driftPermille: world.options.driftPermille, leaps: world.checks.leaps,
      countedOfLeap: VirtualTime(halfAnElection))
    if let problem = leases.verdict(truth, clocks) { world.fail(problem) }
    for (watcher, last) in zip(watchers, seen) {
      if let problem = watcher.verdict(truth, through: last) { world.fail(problem) }
    }
    if let problem = reconciler?.verdict(truth) { world.fail(problem) }
    if let problem = world.differences { world.fail(problem) }
  }

  func result() -> SimulationResult {
    world.end()
    return SimulationResult(
      failure: world.failure, trace: world.trace, events: world.events,
      simulatedSeconds: Int(world.now / 1_000_000), answered: history.answered,
      coverage: world.checks.coverage)
  }
}

// Unchecked: the world is one thread.
private final class Flag: @unchecked Sendable { var isSet = false }
