import Cluster
import Store

/// One holder of leases: has one granted, hangs keys on it, renews it for a while, now and then too
/// late, and then revokes it or lets go.
struct LeaseWorkload {
  /// Seconds; the shortest that a member grants may be longer than the shortest of these.
  static let longestTTL = 6

  let world: World
  let number: Int
  let history: LeaseHistory
  private var random: SeededRandom

  init(_ world: World, number: Int, history: LeaseHistory) {
    self.world = world
    self.number = number
    self.history = history
    random = SeededRandom(seed: world.options.seed, purpose: "leases \(number)")
  }

  mutating func run() async {
    while await pause(milliseconds: 200) {
      do { try await live() } catch { world.checks.count("failed leases") }
    }
  }

  /// False once the faults are over: then nobody renews anything any more.
  private mutating func pause(milliseconds: Int) async -> Bool {
    let clock = SimulatedClock(world: world, owner: nil, driftPermille: 0)
    let pause = random.number(in: 1...max(1, milliseconds))
    do { try await clock.sleep(for: .milliseconds(pause)) } catch { return false }
    return !world.isHealing
  }

  private mutating func host() -> ClusterMember? {
    random.pick(from: world.up.filter { $0.pausedUntil <= world.now })?.member
  }

  private mutating func live() async throws {
    guard let member = host() else { return }
    // A name that was used before is another lease the second time.
    let name = random.happens(permille: 700) ? Int64(number) : 0
    let ttl = Int64(random.number(in: 1...LeaseWorkload.longestTTL))
    let lease = try await grant(name, ttl: ttl, at: member)
    world.checks.count("leases")
    for _ in 0..<random.number(in: 0...4) {
      // Keys that others hang on theirs, or put without one.
      let key = Key("l\(random.number(in: 1...6))")
      let chosen = random.happens(permille: 850) ? lease.id : 0
      _ = try? await host()?.propose(
        .put(PutRequest(key, .set([UInt8(number)]), lease: .set(chosen))))
    }
    for _ in 0..<random.number(in: 0...8) {
      guard await pause(milliseconds: Int(lease.ttl) * 900) else { return }
      if let member = host() { await renew(lease.id, at: member) }
    }
    if random.happens(permille: 300) { return await renewTooLate(lease) }
    guard random.happens(permille: 500), let member = host() else { return }
    _ = try await member.revokeLease(lease.id)
  }

  /// Whoever wants a certain id asks for it until the former holder's lease has ended.
  private mutating func grant(
    _ id: Int64, ttl: Int64, at member: ClusterMember
  ) async throws -> (id: Int64, ttl: Int64) {
    for _ in 0..<random.number(in: 1...100) {
      do {
        return try await member.grantLease(id, ttl: ttl)
      } catch StoreError.leaseExists {
        guard await pause(milliseconds: 40) else { break }
      }
    }
    throw StoreError.leaseExists
  }

  /// Renews it again and again about when it ends.
  private mutating func renewTooLate(_ lease: (id: Int64, ttl: Int64)) async {
    let clock = SimulatedClock(world: world, owner: nil, driftPermille: 0)
    do { try await clock.sleep(for: .milliseconds(lease.ttl * 1000)) } catch { return }
    for _ in 0..<10 {
      guard await pause(milliseconds: 200) else { return }
      if let member = host() { await renew(lease.id, at: member) }
    }
  }

  private func renew(_ id: Int64, at member: ClusterMember) async {
    let invoked = world.now
    do {
      let ttl = try await member.renewLease(id)
      history.add(
        LeaseHistory.Renewal(id: id, invoked: invoked, returned: world.now, ttl: ttl))
      world.checks.count(ttl == nil ? "late renewals" : "renewals")
    } catch {
      world.checks.count("failed renewals")
    }
  }
}
