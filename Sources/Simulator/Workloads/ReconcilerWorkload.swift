import Cluster
import ConfigModel
import Reconciler
import Store
import Synchronization

/// A repository whose branch grows while reconcilers, two of them at times, bring it into the store:
/// each commit must be one revision, in order, once.
// Unchecked: the world is one thread.
final class ReconcilerWorkload: @unchecked Sendable {
  private let world: World
  private let repository: SimulatedRepository
  /// Nothing is ever frozen.
  private let calendar = FreezeCalendar(now: { 0 }, offset: { _, _ in 0 })
  private var random: SeededRandom

  init(_ world: World) {
    self.world = world
    random = SeededRandom(seed: world.options.seed, purpose: "reconciler")
    repository = SimulatedRepository(random: SeededRandom(seed: world.options.seed, purpose: "git"))
  }

  /// Engineers commit, and reconcilers follow.
  func run() async {
    let clock = SimulatedClock(world: world, owner: nil, driftPermille: 0)
    while !world.isHealing {
      do { try await clock.sleep(for: .milliseconds(random.number(in: 50...1500))) } catch {
        return
      }
      if !world.isHealing, random.happens(permille: 600) { repository.commit() }
    }
  }

  func follow(_ number: Int) async {
    var random = SeededRandom(seed: world.options.seed, purpose: "reconciler \(number)")
    let clock = SimulatedClock(world: world, owner: nil, driftPermille: 0)
    let target = SimulatedTarget(world, number: number)
    let reconciler = SourceReconciler(source: repository, target: target, calendar: calendar)
    while !world.isHealing {
      do { try await clock.sleep(for: .milliseconds(random.number(in: 50...1000))) } catch {
        return
      }
      do {
        let report = try await reconciler.run(ReconcileOptions(history: .full))
        if report.applied > 0 { world.checks.count("reconciled runs") }
      } catch {
        // Fenced by the other, or no answer: the next run reads where the store stands.
        world.checks.count("failed runs")
      }
    }
  }

  /// After the faults the store has to reach the tip.
  func finish() async -> String? {
    let clock = SimulatedClock(world: world, owner: nil, driftPermille: 0)
    let target = SimulatedTarget(world, number: 9)
    let reconciler = SourceReconciler(source: repository, target: target, calendar: calendar)
    for attempt in 1...20 {
      do {
        let report = try await reconciler.run(ReconcileOptions(history: .full))
        return report.head == repository.tip() ? nil : "the reconciler did not reach the tip"
      } catch {
        // The last run of another may still be on its way, and a leader full for a moment.
        if attempt == 20 { return "the reconciler fails in a healthy cluster: \(error)" }
        do { try await clock.sleep(for: .milliseconds(100)) } catch { return nil }
      }
    }
    return nil
  }

  /// One commit is one revision: its record, the head, and its keys.
  func verdict(_ truth: Truth) -> String? {
    let prefix = "/.configsync/sources/default/commits/"
    var applied: [String] = []
    for change in truth.history {
      let keys = change.events.map(\.key.description)
      let records = keys.filter { $0.hasPrefix(prefix) }
      // What stops the source, and that it goes on again, is recorded by itself.
      if keys == [ReservedKeys.state(of: "default")] { continue }
      if records.isEmpty {
        guard
          !keys.contains(where: { $0.hasPrefix("/simulated/") || $0.hasPrefix("/.configsync/") })
        else {
          return "revision \(change.revision) changes managed keys without a commit: "
            + keys.joined(separator: " ")
        }
        continue
      }
      guard records.count == 1, keys.contains("/.configsync/sources/default/head") else {
        return "revision \(change.revision) holds \(records.count) commits, or no head"
      }
      applied.append(String(records[0].dropFirst(prefix.count)))
    }
    let expected = repository.ids.map(\.text)
    return applied == expected
      ? nil : "\(applied.count) commits were applied, in another order than the \(expected.count)"
  }
}

/// A branch in memory.
final class SimulatedRepository: ConfigSource {
  private struct State {
    var commits: [(id: CommitID, files: [String: String])] = []
    var random: SeededRandom
  }
  private let state: Mutex<State>

  init(random: SeededRandom) {
    state = Mutex(State(random: random))
    commit()
  }

  var ids: [CommitID] { state.withLock { $0.commits.map(\.id) } }

  func commit() {
    state.withLock { state in
      let number = state.commits.count + 1
      var files = state.commits.last?.files ?? [:]
      let file = "simulated/f\(state.random.number(in: 1...4)).yaml"
      let values = (0...state.random.number(in: 0...5)).map { "k\($0): \(number)" }
      files[file] = (["c: \(number)"] + values).joined(separator: "\n") + "\n"
      if state.random.happens(permille: 200), files.count > 1 {
        files.removeValue(forKey: files.keys.sorted()[0])
      }
      let digits = String(number, radix: 16)
      let text = String(repeating: "0", count: 40 - digits.count) + digits
      if let id = CommitID(text) { state.commits.append((id, files)) }
    }
  }

  var branch: String? { "main" }

  func refresh() {}

  func tip() -> CommitID { state.withLock { $0.commits[$0.commits.count - 1].id } }

  func resolve(_ revision: String) throws -> CommitID {
    guard let id = CommitID(revision) else { throw TargetError.refused("no such commit") }
    return id
  }

  private func place(of id: CommitID) throws -> Int {
    let found = state.withLock { $0.commits.firstIndex { $0.id == id } }
    guard let found else { throw TargetError.refused("no such commit") }
    return found
  }

  func facts(of id: CommitID) throws -> CommitFacts {
    let number = try place(of: id)
    let person = CommitFacts.Person(
      name: "Ada", email: "ada@example.com", secondsSince1970: Int64(number), offsetMinutes: 0)
    return CommitFacts(
      commit: id, parents: number == 0 ? [] : [ids[number - 1]], tree: "t", author: person,
      committer: person, subject: "commit \(number)")
  }

  func tree(of id: CommitID) throws -> SourceTree {
    let number = try place(of: id)
    let files = state.withLock { $0.commits[number].files }
    return SourceTree(contents: files.mapValues { Array($0.utf8) })
  }

  func holds(_ id: CommitID) -> Bool { ids.contains(id) }

  func firstParents(from tip: CommitID, until end: CommitID?, limit: Int) throws -> [CommitID] {
    let last = try place(of: tip)
    let all = Array(ids[...last].reversed())
    guard let end, let stop = all.firstIndex(of: end) else { return Array(all.prefix(limit)) }
    return Array(all[..<stop].prefix(limit))
  }

  func isAncestor(_ ancestor: CommitID, of commit: CommitID) throws -> Bool {
    try place(of: ancestor) <= place(of: commit)
  }

  func commits(reachableFrom tip: CommitID, butNotFrom end: CommitID?) throws -> [CommitID] {
    try firstParents(from: tip, until: end, limit: .max).reversed()
  }

  func signature(of commit: CommitID) -> SignatureVerdict { .missing }
}

/// The members as a target: an answer may be lost, and then nobody knows.
struct SimulatedTarget: ConfigTarget {
  private let world: World
  private let number: Int

  init(_ world: World, number: Int) {
    self.world = world
    self.number = number
  }

  private func member() throws -> ClusterMember {
    let ready = world.hosts.filter { $0.pausedUntil <= world.now }
    guard !ready.isEmpty, let member = ready[(world.events + number) % ready.count].member else {
      throw TargetError.unavailable("no member is up")
    }
    return member
  }

  func items(under prefix: [UInt8]) async throws -> [StoredItem] {
    try await read(.prefix(Key(prefix)))
  }

  func item(_ key: [UInt8]) async throws -> StoredItem? {
    try await read(.single(Key(key))).first
  }

  private func read(_ range: KeyRange) async throws -> [StoredItem] {
    let member = try member()
    do throws(ClusterError) {
      try await member.readBarrier()
    } catch {
      throw TargetError.unavailable("\(error)")
    }
    return try member.store.range(RangeQuery(range)).result.items.map { item in
      StoredItem(
        key: item.key.bytes, value: item.value, createRevision: item.createRevision.rawValue,
        modRevision: item.modRevision.rawValue)
    }
  }

  /// The simulated reconcilers look again and again, and watch nothing.
  func watch(under prefix: String, _ changed: @escaping @Sendable (Int64, [[UInt8]]) -> Void)
    async throws
  {
    throw TargetError.unavailable("watches are not simulated")
  }

  func commit(_ transaction: TargetTransaction) async throws -> TargetOutcome {
    let member = try member()
    let action = Transaction(
      compares: transaction.fences.map { fence in
        Compare(.single(Key(fence.key)), .mod(Revision(fence.modRevision)))
      },
      success: transaction.deletes.map { .delete(DeleteRequest(.single(Key($0)))) }
        + transaction.puts.map { .put(PutRequest(Key($0.key), .set($0.value))) })
    let outcome: Outcome
    do throws(ClusterError) {
      outcome = try await member.propose(.transaction(action))
    } catch {
      switch error {
      case .dropped, .overloaded: throw TargetError.unavailable("\(error)")
      default: throw TargetError.unknownOutcome("\(error)")
      }
    }
    guard case .success(.transaction(let result)) = outcome.result else {
      throw TargetError.refused("\(outcome.result)")
    }
    return result.hasSucceeded ? .applied(revision: outcome.revision.rawValue) : .fenced
  }
}
