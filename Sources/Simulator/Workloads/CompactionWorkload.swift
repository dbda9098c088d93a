import Cluster
import Store

/// An operator who compacts the history every now and then, up to somewhere near its end.
struct CompactionWorkload {
  let world: World
  private var random: SeededRandom

  init(_ world: World) {
    self.world = world
    random = SeededRandom(seed: world.options.seed, purpose: "compactions")
  }

  mutating func run() async {
    let clock = SimulatedClock(world: world, owner: nil, driftPermille: 0)
    while !world.isHealing {
      let pause = random.number(in: 1...world.options.compactEveryMilliseconds * 2)
      do { try await clock.sleep(for: .milliseconds(pause)) } catch { return }
      guard !world.isHealing, let member = random.pick(from: world.up)?.member else { continue }
      let revision = Revision(
        member.store.current.revision.rawValue - Int64(random.spread(0, 60)))
      do {
        _ = try await member.compact(
          at: revision, waitsForRemoval: random.happens(permille: 200))
        world.checks.count("compactions of history")
      } catch {
        world.checks.count("refused compactions")
      }
    }
  }
}
