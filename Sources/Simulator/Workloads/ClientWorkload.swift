import Cluster
import Raft
import Store

/// One client: asks one thing after the other of members that it picks, and writes down what it was
/// told and when.
struct ClientWorkload {
  let world: World
  let number: Int
  let history: ClientHistory
  private var random: SeededRandom
  private var written = 0

  init(_ world: World, number: Int, history: ClientHistory) {
    self.world = world
    self.number = number
    self.history = history
    random = SeededRandom(seed: world.options.seed, purpose: "client \(number)")
  }

  mutating func run() async {
    let clock = SimulatedClock(world: world, owner: nil, driftPermille: 0)
    while !world.isHealing {
      let pause = random.number(in: 1...world.options.thinkMilliseconds * 1000)
      do { try await clock.sleep(for: .microseconds(pause)) } catch { return }
      let ready = world.up.filter { $0.pausedUntil <= world.now }
      // Whoever believes that it leads is asked more often: it may be wrong.
      let leading = ready.filter { $0.member?.status.leadership.leader == $0.id }
      let asked = random.happens(permille: 300) && !leading.isEmpty ? leading : ready
      guard !world.isHealing, let member = random.pick(from: asked)?.member else { continue }
      await ask(member)
    }
  }

  /// One write, without waiting for a turn.
  mutating func writeOnce(to member: ClusterMember) async { await put(member) }

  private mutating func ask(_ member: ClusterMember) async {
    switch random.number(in: 0...99) {
    case 0..<40: await put(member)
    case 40..<50: await delete(member)
    case 50..<65: await transact(member)
    case 65..<90: await read(member, isLinearizable: true)
    default: await read(member, isLinearizable: false)
    }
  }

  private mutating func key() -> Key { Key("k\(random.number(in: 1...world.options.keys))") }

  private mutating func marker() -> [UInt8] {
    written += 1
    let text = "\(number)-\(written)"
    let padding = random.happens(permille: 50) ? random.number(in: 0...2000) : 0
    return Array(text.utf8) + [UInt8](repeating: 0x2e, count: padding)
  }

  private mutating func put(_ member: ClusterMember) async {
    let (key, marker) = (key(), marker())
    let wantsPrevious = random.happens(permille: 500)
    await write(
      member, key, marker, .put(PutRequest(key, .set(marker), returnsPrevious: wantsPrevious))
    ) {
      guard wantsPrevious, case .put(let previous) = $0 else { return nil }
      return .some(previous)
    }
  }

  private mutating func delete(_ member: ClusterMember) async {
    let key = key()
    let invoked = world.now
    do {
      let outcome = try await member.propose(.delete(DeleteRequest(.single(key))))
      guard case .success(.delete(let count, _)) = outcome.result else { return }
      // One that deleted nothing is a read of the state in which nothing was there.
      let answer: ClientHistory.Answer =
        count > 0
        ? .written(outcome.revision, previous: nil) : .read(outcome.revision, [], .single(key))
      add(invoked, marker: nil, key: nil, isLinearizable: true, answer)
    } catch {
      add(invoked, marker: nil, key: nil, isLinearizable: true, .unknown)
    }
  }

  /// Several keys at once, if one of them is as it was read a moment ago.
  private mutating func transact(_ member: ClusterMember) async {
    let (key, marker) = (key(), marker())
    let others = (0..<random.spread(1, 20)).map { Key("t\($0)") }
    let seen = try? member.store.range(RangeQuery(.single(key))).result.items.first?.modRevision
    let transaction = Transaction(
      compares: [Compare(.single(key), .mod(seen.flatMap { $0 } ?? Revision(0)))],
      success: [.put(PutRequest(key, .set(marker)))]
        + others.map { .put(PutRequest($0, .set(marker))) },
      failure: [.range(RangeQuery(.single(key)))])
    let invoked = world.now
    do {
      let outcome = try await member.propose(.transaction(transaction))
      guard case .success(.transaction(let result)) = outcome.result else { return }
      if result.hasSucceeded {
        add(
          invoked, marker: marker, key: key, isLinearizable: true,
          .written(outcome.revision, previous: nil))
      } else if case .range(let read)? = result.results.first {
        add(
          invoked, marker: nil, key: nil, isLinearizable: true,
          .read(outcome.revision, read.items, .single(key)))
      }
    } catch {
      add(invoked, marker: marker, key: key, isLinearizable: true, failure(error))
    }
  }

  private mutating func write(
    _ member: ClusterMember, _ key: Key, _ marker: [UInt8], _ action: Command.Action,
    previous: (OperationResult) -> KeyValue??
  ) async {
    let invoked = world.now
    do {
      let outcome = try await member.propose(action)
      guard case .success(let result) = outcome.result else { return }
      add(
        invoked, marker: marker, key: key, isLinearizable: true,
        .written(outcome.revision, previous: previous(result)))
    } catch {
      add(invoked, marker: marker, key: key, isLinearizable: true, failure(error))
    }
  }

  private func failure(_ error: ClusterError) -> ClientHistory.Answer {
    switch error {
    case .dropped, .overloaded, .tooLarge: .refused
    case .timedOut, .stopped, .membership, .notLeader: .unknown
    }
  }

  private mutating func read(_ member: ClusterMember, isLinearizable: Bool) async {
    let range: KeyRange = random.happens(permille: 300) ? .from("a") : .single(key())
    let invoked = world.now
    do {
      if isLinearizable { try await member.readBarrier() }
      let (result, state) = try member.store.range(RangeQuery(range))
      add(
        invoked, marker: nil, key: nil, isLinearizable: isLinearizable,
        .read(state.revision, result.items, range))
    } catch {
      add(invoked, marker: nil, key: nil, isLinearizable: isLinearizable, .unknown)
    }
  }

  private func add(
    _ invoked: VirtualTime, marker: [UInt8]?, key: Key?, isLinearizable: Bool,
    _ answer: ClientHistory.Answer
  ) {
    history.add(
      ClientHistory.Request(
        client: number, invoked: invoked, returned: world.now, marker: marker, key: key,
        isLinearizable: isLinearizable, answer: answer))
  }
}
