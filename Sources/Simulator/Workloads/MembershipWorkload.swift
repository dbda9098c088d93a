import Cluster
import Raft
import Store

/// An operator who adds, promotes, removes and replaces members, and hands leadership over.
struct MembershipWorkload {
  let world: World
  private var random: SeededRandom
  private static let most = 7

  init(_ world: World) {
    self.world = world
    random = SeededRandom(seed: world.options.seed, purpose: "membership")
  }

  mutating func run() async {
    let clock = SimulatedClock(world: world, owner: nil, driftPermille: 0)
    while !world.isHealing {
      let pause = random.number(in: 1...world.options.changeEveryMilliseconds * 2)
      do { try await clock.sleep(for: .milliseconds(pause)) } catch { return }
      guard !world.isHealing, let member = random.pick(from: world.up)?.member else { continue }
      world.isOperating = true
      await act(on: member)
      world.isOperating = false
    }
  }

  private mutating func act(on member: ClusterMember) async {
    do {
      switch random.number(in: 0...5) {
      case 0 where world.options.has(.transfer): try await transfer(member)
      case 1...4 where world.options.has(.membership): try await change(member)
      case 5 where world.options.has(.joint): try await replace(member)
      default: break
      }
    } catch {
      // A refusal, or an outcome that nobody knows: the operator looks again.
      world.checks.count("refused changes")
    }
  }

  private mutating func transfer(_ member: ClusterMember) async throws {
    guard let leader = world.leader, let host = world.members[leader]?.member,
      let target = random.pick(from: host.status.membership.voters)
    else { return }
    try await host.moveLeader(to: target.rawValue)
    world.checks.count("transfers")
  }

  private mutating func change(_ member: ClusterMember) async throws {
    let known = try member.members()
    let learners = known.filter(\.isLearner)
    if let learner = random.pick(from: learners), random.happens(permille: 600) {
      try await member.promoteMember(learner.id)
      world.checks.count("promotions")
    } else if known.count < MembershipWorkload.most, random.happens(permille: 500) {
      let url = "http://simulated-\(world.events)"
      let role: JoiningRole = random.happens(permille: 500) ? .learner : .voter
      let added = try await member.addMember(peerURLs: [url], as: role)
      world.checks.count("additions")
      world.join(MemberID(added.id))
    } else if known.count > 1, let leaving = random.pick(from: known) {
      try await member.removeMember(leaving.id)
      world.checks.count("removals")
    }
  }

  /// Exchanges several voters at once, through a joint configuration.
  private mutating func replace(_ member: ClusterMember) async throws {
    let membership = member.status.membership
    let all = membership.all
    let voters = all.filter { _ in random.happens(permille: 600) }
    guard !voters.isEmpty else { return }
    let learners = all.filter { !voters.contains($0) && random.happens(permille: 500) }
    _ = try await member.propose(
      .memberChange(.promote(id: voters[0].rawValue)),
      changing: .replace(voters: voters, learners: learners))
    world.checks.count("joint changes")
  }
}
