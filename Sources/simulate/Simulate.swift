import ArgumentParser
import Foundation
import Simulator

/// Runs seeds of the simulator, each a cluster with its clients and its faults.
@main
struct Simulate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Run simulated clusters under faults, and say which seed breaks a promise.",
    discussion: """
      Exit code 1: a seed failed, or two runs of a seed differed; how to replay it is printed.

      Examples:
        simulate --seeds 2000
        simulate --first 4711 --seeds 1 --without crashes,loss --events 1200
      """,
    subcommands: [Seeds.self, Walk.self, Search.self, Worker.self], defaultSubcommand: Seeds.self)
}

/// What makes a seed smaller than it is.
struct SeedArguments: ParsableArguments {
  @Option(help: "The first seed.")
  var first: UInt64 = 1

  @Option(help: "How many seeds.")
  var seeds: UInt64 = 100

  @Option(help: "Fault classes to switch off, comma-separated.")
  var without = ""

  @Option(help: "Events after which a seed stops.")
  var events = Int.max

  func faults() throws -> Set<Fault> {
    Set(
      try without.split(separator: ",").map { name in
        guard let fault = Fault(rawValue: String(name)) else {
          let known = Fault.allCases.map(\.rawValue).joined(separator: ", ")
          throw ValidationError("no fault is named '\(name)': \(known)")
        }
        return fault
      })
  }
}

struct Seeds: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Run seeds in several processes.")

  @OptionGroup var arguments: SeedArguments

  @Option(help: "Processes at a time.")
  var jobs = 2

  @Option(help: "Every so many seeds one runs twice, in two processes; 0 for never.")
  var twice: UInt64 = 20

  @Option(help: "Stop after so many failures.")
  var failures = 1

  @Flag(help: "Don't make a failing seed smaller.")
  var noShrinking = false

  @Flag(help: "Print a line for each seed.")
  var verbose = false

  func run() throws {
    let faults = try arguments.faults()
    let campaign = Campaign(
      first: arguments.first, count: arguments.seeds, jobs: max(1, jobs), twice: twice,
      without: faults, events: arguments.events, maximumFailures: max(1, failures),
      isVerbose: verbose)
    let outcome = campaign.run()
    print(outcome.summary)
    guard let failed = outcome.failures.first else { return }
    for failure in outcome.failures {
      print("\nseed \(failure.seed) fails: \(failure.reason)")
      print("  \(SimulationOptions(seed: failure.seed, without: faults).description)")
    }
    if !noShrinking {
      print("\nmaking seed \(failed.seed) smaller ...")
      let small = Shrinking(seed: failed.seed, without: faults, events: arguments.events).run()
      print("  \(small.reason)\n  replay: \(small.command)")
    }
    throw ExitCode(1)
  }
}

/// One process of a campaign: prints a line when a seed begins and one when it has ended.
struct Worker: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run seeds one after the other, and print a line for each.", shouldDisplay: false)

  @OptionGroup var arguments: SeedArguments

  @Option(help: "The distance between seeds.")
  var stride: UInt64 = 1

  func run() throws {
    let faults = try arguments.faults()
    let parent = getppid()
    for number in 0..<arguments.seeds {
      // Whoever would read the lines is gone.
      guard getppid() == parent else { return }
      let seed = arguments.first + number * stride
      say("begin \(seed)")
      let options = SimulationOptions(
        seed: seed, without: faults, eventLimit: arguments.events)
      let folder = Worker.memory + "/configsync-simulate-\(getpid())-\(seed)"
      let result = Simulation(options).run(in: folder)
      let coverage = result.coverage.sorted { $0.key < $1.key }
        .map { "\($0.key.replacing(" ", with: "-"))=\($0.value)" }.joined(separator: ",")
      say(
        "end \(seed) \(String(result.trace, radix: 16)) \(result.events) "
          + "\(result.simulatedSeconds) \(result.answered) \(coverage.isEmpty ? "-" : coverage) "
          + (result.failure ?? "ok"))
    }
  }

  /// A line at once: whoever reads it must know of a seed that ends the process.
  private func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
  }

  /// The states of members live in memory where there is such a folder: nothing of a simulation
  /// depends on a disk.
  private static let memory =
    FileManager.default.isWritableFile(atPath: "/dev/shm")
    ? "/dev/shm" : NSTemporaryDirectory()
}
