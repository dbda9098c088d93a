import ArgumentParser
import Simulator

extension SearchBounds.Disks: ExpressibleByArgument {}

/// Visits all states of the core within bounds.
struct Search: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Visit every state that a small cluster can reach, and check each.",
    discussion: """
      Exit code 1: a state breaks a promise.

      Example:
        simulate search --terms 2 --proposals 1 --crashes 1 --messages 3
      """)

  @Option(help: "Members at the beginning.") var members = 3
  @Option(help: "Members that may be added.") var spares = 0
  @Option(help: "The highest term.") var terms: UInt64 = 2
  @Option(help: "Proposals of clients.") var proposals = 1
  @Option(help: "Crashes of members.") var crashes = 1
  @Option(help: "Changes of the membership.") var changes = 0
  @Option(help: "Messages under way at a time; more are lost.") var messages = 3
  @Option(help: "immediate, or slow: members go on while they write.")
  var disks = SearchBounds.Disks.slow
  @Option(help: "States after which the search gives up.") var states = 2_000_000

  func run() throws {
    var bounds = SearchBounds()
    bounds.members = members
    bounds.spares = spares
    bounds.terms = terms
    bounds.proposals = proposals
    bounds.crashes = crashes
    bounds.changes = changes
    bounds.messages = messages
    bounds.disks = disks
    let outcome = StateSearch(bounds, maximumStates: states).run { level in
      print("depth \(level.depth): \(level.states) states, \(level.transitions) transitions")
    }
    if let violation = outcome.violation {
      print("after \(outcome.depth + 1) steps: \(violation)")
      throw ExitCode(1)
    }
    let end =
      outcome.isComplete
      ? "complete" : "given up at the limit of states, complete to depth \(outcome.depth)"
    print("\(outcome.states) states, \(outcome.transitions) transitions, no violation: \(end)")
  }
}
