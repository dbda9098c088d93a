import Raft

/// A long walk through the states of a model, by chance: far deeper than a search can look, with
/// members that join, damage, snapshots, reads and copies of messages. Then everything works again,
/// and the cluster has to come to rest.
///
/// What is likely is drawn from the seed too (swarm testing: Groce et al., ISSTA 2012). A walk costs
/// a few milliseconds, a simulation of the whole of a cluster many times that.
package struct RandomWalk {
  package struct Outcome: Sendable {
    package var failure: String?
    package var steps = 0
    /// What the last steps before a failure were.
    package var last: [String] = []
    package var applied = 0
    package var answeredReads = 0
    package var trace: UInt64 = 0
  }

  /// Walks that belong to one seed, numbered from 1.
  package static let walksPerSeed = 16
  private static let shownSteps = 60

  private var random: SeededRandom
  private let options: WalkOptions
  private var state: ModelState
  private var outcome = Outcome()
  /// Members that hear nobody for the moment.
  private var isolated: Set<Int> = []
  private var named: Set<MemberID>
  private var damaged: Int?
  /// Ticks since the faults ended.
  private var turns = 0

  package init(seed: UInt64, number: Int) {
    random = SeededRandom(seed: seed, purpose: "walk \(number)")
    options = WalkOptions(&random)
    state = ModelState(options.bounds)
    named = Set(state.nodes.prefix(options.bounds.members).map(\.id))
  }

  package mutating func run() -> Outcome {
    while outcome.steps < options.steps, state.checks.violation == nil { walk() }
    if state.checks.violation == nil { rest() }
    outcome.failure = state.checks.violation.map { "step \(outcome.steps): \($0)" }
    outcome.applied = state.checks.wasApplied
    outcome.answeredReads = state.checks.answeredReads
    return outcome
  }

  private mutating func walk() {
    outcome.steps += 1
    let action = options.draw(&random)
    guard let step = step(of: action) else { return }
    let isChange = state.take(step)
    if action == .change {
      for node in state.nodes { named.formUnion(node.membership.membership.all) }
    }
    mix(step, isChange)
  }

  private mutating func mix(_ step: ModelState.Step, _ isChange: Bool) {
    var hash = outcome.trace &* 0x100_0000_01b3
    for node in state.nodes {
      hash = (hash ^ node.term.rawValue &* 31 ^ node.commitIndex.rawValue) &* 0x100_0000_01b3
    }
    outcome.trace = hash ^ UInt64(state.network.count) ^ (isChange ? 1 << 32 : 0)
    if outcome.last.count == RandomWalk.shownSteps { outcome.last.removeFirst() }
    outcome.last.append("\(outcome.steps): \(step)")
  }

  // MARK: - Steps

  private mutating func step(of action: WalkOptions.Action) -> ModelState.Step? {
    let count = state.nodes.count
    let place = random.number(in: 0...count - 1)
    switch action {
    case .deliver: return message().map { .deliver($0) }
    case .deliverCopy: return message().map { .deliverCopy($0) }
    case .drop: return random.pick(from: Array(state.network.indices)).map { .drop($0) }
    case .sync: return writing().map { .sync($0) }
    case .syncOldest: return writing().map { .syncOldest($0) }
    case .heartbeat: return leader().map { .pass($0, .heartbeat) }
    case .quorumLost: return leader().map { .pass($0, .quorumLost) }
    case .forget: return .pass(place, .leaderForgotten)
    case .campaign:
      forgetAll()
      return .pass(place, .electionTimeout)
    case .propose: return .propose(random.happens(permille: 800) ? leader() ?? place : place)
    case .change: return change().map { .change(leader() ?? place, $0) }
    case .read: return .read(random.happens(permille: 700) ? leader() ?? place : place)
    case .transfer: return leader().map { .transfer($0, to: state.nodes[place].id) }
    case .crash:
      let place = random.happens(permille: 500) ? leader() ?? place : place
      let writes = state.unsynced[place].count
      return .crash(
        place, writing: random.happens(permille: 500) ? 0 : random.number(in: 0...writes))
    case .damage:
      guard options.mayDamage else { return nil }
      damaged = damaged ?? place
      return .damage(
        damaged ?? place, losing: random.number(in: 1...4),
        isOldBack: random.happens(permille: 500))
    case .install:
      return random.pick(from: state.nodes.indices.filter { !state.installs[$0].isEmpty })
        .map { .install($0) }
    case .compact: return .compact(place)
    case .unreachable: return leader().map { .unreachable($0, state.nodes[place].id) }
    case .endStream:
      guard !state.streams.isEmpty else { return nil }
      let number = random.number(in: 0...state.streams.count - 1)
      return .endStream(number, isWhole: random.happens(permille: 700))
    case .isolate:
      let alone = random.happens(permille: 600) ? leader() ?? place : place
      isolated = random.happens(permille: 700) ? [alone] : [alone, place]
      return nil
    case .heal:
      isolated = []
      return nil
    }
  }

  /// One of the members that lead, in whatever term.
  private mutating func leader() -> Int? {
    random.pick(from: state.nodes.indices.filter { state.nodes[$0].isLeader })
  }

  /// One of the members whose disks are at work.
  private mutating func writing() -> Int? {
    random.pick(from: state.nodes.indices.filter { !state.unsynced[$0].isEmpty })
  }

  /// A message between members that hear each other: mostly the oldest.
  private mutating func message() -> Int? {
    let open = state.network.indices.filter { number in
      let message = state.network[number]
      return !isCut(message.from) && !isCut(message.to)
    }
    return random.happens(permille: options.reorderPermille) ? random.pick(from: open) : open.first
  }

  private func isCut(_ id: MemberID) -> Bool { state.place(of: id).map(isolated.contains) ?? true }

  /// Time passes for all: whoever hears no leader would vote for another.
  private mutating func forgetAll() {
    guard random.happens(permille: 800) else { return }
    for place in state.nodes.indices { _ = state.nodes[place].pass(.leaderForgotten) }
  }

  private mutating func change() -> MembershipChange? {
    guard state.left.changes > 0 else { return nil }
    let known = state.nodes[leader() ?? 0].membership.membership
    switch random.number(in: 0...9) {
    case 0...2:
      // An id that any member has heard of is never taken again.
      guard let id = state.nodes.map(\.id).first(where: { !named.contains($0) }) else { return nil }
      return random.happens(permille: 500) ? .addVoter(id) : .addLearner(id)
    case 3, 4: return random.pick(from: known.learners).map { .promote($0) }
    case 5, 6: return random.pick(from: known.all).map { .remove($0) }
    default:
      let voters = known.all.filter { _ in random.happens(permille: 500) }
      let others = known.all.filter { !voters.contains($0) && random.happens(permille: 400) }
      return .replace(voters: voters, learners: others)
    }
  }

  // MARK: - Rest

  /// Faults are over: a leader must emerge and bring everyone up to what it has; then it must take a
  /// proposal, and bring everyone up to that.
  private mutating func rest() {
    isolated = []
    state.left.messages = .max
    state.left.carriesCopies = false
    guard turn(until: { $0.isAtRest }) else { return }
    var last: UInt64?
    _ = turn { walk in
      if let last, walk.state.checks.isApplied(last) { return walk.isAtRest }
      // The one before may have been refused, by a leader that was handing over.
      if walk.turns.isMultiple(of: 40), let leader = walk.state.nodes.firstIndex(where: \.isLeader)
      {
        last = walk.state.proposals + 1
        _ = walk.state.take(.propose(leader))
      }
      return false
    }
  }

  /// Lets time pass for everyone, and carries out what comes of it; false and a failure if that never
  /// leads to what is asked for.
  private mutating func turn(until isDone: (inout RandomWalk) -> Bool) -> Bool {
    for _ in 0..<options.restTurns {
      turns += 1
      for place in state.nodes.indices {
        state.nodes[place].step(.tick)
        state.drain(place)
      }
      settle()
      if state.checks.violation != nil { return false }
      if isDone(&self) { return true }
    }
    let shown = state.nodes.map { node in
      "\(node.id): term \(node.term), commit \(node.commitIndex), last \(node.lastIndex)"
        + (node.isLeader ? ", leads (\(node.replication))" : "")
    }
    state.checks.fail("no rest: \(shown.joined(separator: "; "))")
    return false
  }

  private mutating func settle() {
    for _ in 0..<options.restTurns {
      for place in state.nodes.indices {
        state.sync(place)
        state.drain(place)
        while !state.installs[place].isEmpty { _ = state.take(.install(place)) }
      }
      while !state.streams.isEmpty { _ = state.take(.endStream(0, isWhole: true)) }
      if state.network.isEmpty { return }
      // What is under way now; what comes of it is the next turn's.
      for _ in state.network.indices where !state.network.isEmpty { _ = state.take(.deliver(0)) }
    }
    state.checks.fail("messages go on without end")
  }

  private var isAtRest: Bool {
    guard let newest = state.nodes.filter(\.isLeader).max(by: { $0.term < $1.term }) else {
      return false
    }
    return newest.isIdle(without: []) && !newest.membership.membership.isJoint
      && newest.membership.membership.all.allSatisfy { id in
        guard let place = state.place(of: id) else { return false }
        return state.disks[place].applied == newest.lastIndex && state.disks[place].lost == nil
      }
  }
}

/// What is likely in one walk.
struct WalkOptions {
  enum Action: CaseIterable {
    case deliver, deliverCopy, drop, sync, syncOldest
    case heartbeat, quorumLost, forget, campaign
    case propose, change, read, transfer
    case crash, damage, compact, unreachable, endStream, install
    case isolate, heal
  }

  private(set) var bounds = SearchBounds()
  let steps: Int
  /// Ticks in which a cluster must come to rest: some tens of election timeouts.
  let restTurns = 800
  let reorderPermille: Int
  let mayDamage: Bool
  private var weights: [(action: Action, weight: Int)] = []
  private var total = 0

  init(_ random: inout SeededRandom) {
    steps = random.spread(100, 3000)
    reorderPermille = random.pick(from: [0, 50, 200, 500, 1000]) ?? 0
    bounds.members = random.pick(from: [1, 2, 3, 3, 3, 3, 4, 5]) ?? 3
    bounds.disks = random.happens(permille: 700) ? .slow : .immediate
    bounds.carriesCopies = true
    bounds.messages = random.spread(6, 100)
    bounds.limits.flightMessages = random.spread(1, 8)
    bounds.limits.appendBytes = random.pick(from: [1, 8, 1000]) ?? 8
    bounds.limits.uncommittedBytes = random.pick(from: [8, 1000]) ?? 8
    // Before the end nothing is counted.
    (bounds.crashes, bounds.proposals) = (.max, .max)
    let changes = random.happens(permille: 600)
    bounds.changes = changes ? .max : 0
    bounds.spares = changes ? random.number(in: 0...3) : 0
    // One disk that lies is fewer than a quorum of three; with fewer voters nothing helps.
    mayDamage = !changes && bounds.members >= 3
    let theme = random.pick(from: WalkOptions.themes) ?? []
    for action in Action.allCases {
      var weight = WalkOptions.weight(of: action, &random)
      if theme.contains(action) { weight = random.spread(20, 120) }
      weights.append((action, weight))
      total += weight
    }
  }

  /// What some walks are about: each happens often in them, so that one meets the other.
  private static let themes: [Set<Action>] = [
    [], [], [.change, .isolate, .heal, .campaign], [.damage, .crash, .isolate, .heal],
    [.compact, .isolate, .heal, .endStream], [.read, .isolate, .heal, .campaign],
    [.propose, .deliverCopy, .campaign, .unreachable],
  ]

  private static func weight(of action: Action, _ random: inout SeededRandom) -> Int {
    switch action {
    case .deliver: return random.spread(200, 2000)
    case .sync: return random.spread(50, 1000)
    case .campaign: return random.spread(2, 60)
    case .heartbeat, .propose, .endStream: return random.spread(4, 100)
    case .install: return random.spread(1, 100)
    default: return random.happens(permille: 500) ? 0 : random.spread(1, 60)
    }
  }

  func draw(_ random: inout SeededRandom) -> Action {
    var left = random.number(in: 0...total - 1)
    for (action, weight) in weights {
      if left < weight { return action }
      left -= weight
    }
    return .deliver
  }
}
