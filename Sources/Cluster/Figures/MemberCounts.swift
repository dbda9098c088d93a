import Store
import Synchronization

/// What a member has counted since it started.
package struct MemberCounts: Sendable {
  /// Writes of the log, each with its sync.
  package var logWrites = Histogram()
  /// Commits of the state database.
  package var commits = Histogram()
  /// Times that it heard of a leader that was not the one before.
  package var leaderChanges = 0
  /// Commands of its clients that were not carried out, or of which nobody knows.
  package var failedProposals = 0
  /// Keys that were put, and that were deleted, by whomever.
  package var puts = 0
  package var deletes = 0
}

extension ClusterMember {
  package var counts: MemberCounts { counting.withLock { $0 } }

  func count(_ commands: [AppliedCommand]) {
    let all = commands.reduce(0) { $0 + $1.events.count }
    guard all > 0 else { return }
    let deletes = commands.reduce(0) { sum, command in
      sum + command.events.count { if case .delete = $0.change { true } else { false } }
    }
    counting.withLock { counts in
      counts.puts += all - deletes
      counts.deletes += deletes
    }
  }

  /// Commands of its clients that wait to be applied.
  package var pendingProposals: Int { waiters.withLock { $0.pendingProposals } }
}
