import TestSupport
import Testing

@testable import Simulator

struct SimulationTests {
  private func run(
    _ seed: UInt64, without: Set<Fault> = [], events: Int = .max
  ) async throws -> SimulationResult {
    let folder = try TemporaryFolder()
    var options = SimulationOptions(seed: seed, without: without, eventLimit: events)
    options.walks = min(options.walks, 2)
    let (chosen, path) = (options, folder.path + "/world")
    return await onThread { Simulation(chosen).run(in: path) }
  }

  @Test(arguments: [UInt64](1...6))
  func aSeedKeepsEveryPromiseAndIsTheSameTwice(seed: UInt64) async throws {
    let first = try await run(seed)
    #expect(first.failure == nil)
    #expect(first.answered > 0)
    #expect(try await run(seed).trace == first.trace)
  }

  @Test func faultsCanBeSwitchedOffAndEventsLimited() async throws {
    let calm = try await run(3, without: Set(Fault.allCases))
    #expect(calm.failure == nil)
    #expect(calm.coverage["crashes"] ?? 0 <= 7, "members end with the world, and never before")
    #expect(try await run(3, events: 100).events == 100)
  }

  @Test func everyFaultIsDrawnBySomeSeed() {
    let drawn = (1...40).reduce(into: Set<Fault>()) { all, seed in
      all.formUnion(SimulationOptions(seed: UInt64(seed)).faults)
    }
    #expect(drawn == Set(Fault.allCases))
  }
}
