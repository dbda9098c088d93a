import ArgumentParser
import Simulator

/// Takes one walk of a seed again, and shows where it ends.
struct Walk: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Take a walk of a seed again, and print its last steps.",
    discussion: """
      Exit code 1: the walk breaks a promise.

      Example:
        simulate walk --first 4711 --number 3
      """)

  @Option(help: "The first seed.") var first: UInt64 = 1
  @Option(help: "How many seeds.") var seeds: UInt64 = 1
  @Option(help: "The number of the walk in its seed; all of them without it.") var number: Int?

  func run() throws {
    var (steps, applied, reads) = (0, 0, 0)
    for seed in first..<first + seeds {
      for walk in number.map({ $0...$0 }) ?? 1...RandomWalk.walksPerSeed {
        var taken = RandomWalk(seed: seed, number: walk)
        let outcome = taken.run()
        steps += outcome.steps
        applied += outcome.applied
        reads += outcome.answeredReads
        guard let failure = outcome.failure else { continue }
        for step in outcome.last { print(step) }
        print("seed \(seed), walk \(walk): \(failure)")
        throw ExitCode(1)
      }
    }
    print("no violation in \(steps) steps; \(applied) entries applied, \(reads) reads answered")
  }
}
