import Raft

/// Visits every state of a small cluster that can be reached within bounds, breadth first, so that
/// the first violation is one of the shortest.
///
/// Memory: the states of one level and the next, and 16 bytes a state visited.
package struct StateSearch {
  package struct Outcome: Sendable {
    package var states = 0
    package var transitions = 0
    /// Steps from the beginning; all states so far away, and nearer, were visited.
    package var depth = 0
    /// Nothing new can be reached: the search is complete within its bounds.
    package var isComplete = false
    package var violation: String?
  }

  private let bounds: SearchBounds
  private let maximumStates: Int

  package init(_ bounds: SearchBounds, maximumStates: Int) {
    self.bounds = bounds
    self.maximumStates = maximumStates
  }

  /// - Parameter level: is told of each depth that is done.
  package func run(level: (Outcome) -> Void = { _ in }) -> Outcome {
    var outcome = Outcome()
    let start = ModelState(bounds)
    var seen: Set<StateHasher.Value> = [start.fingerprint]
    var frontier = [start]
    outcome.states = 1
    while !frontier.isEmpty {
      var next: [ModelState] = []
      for state in frontier {
        for step in state.steps {
          guard let reached = state.after(step) else { continue }
          outcome.transitions += 1
          if let violation = reached.checks.violation {
            outcome.violation = violation
            return outcome
          }
          guard seen.insert(reached.fingerprint).inserted else { continue }
          outcome.states += 1
          next.append(reached)
        }
        if outcome.states >= maximumStates { return outcome }
      }
      frontier = next
      outcome.depth += 1
      level(outcome)
    }
    outcome.isComplete = true
    return outcome
  }
}
