package import Cluster
import Store

/// What a member tells of its health and of its figures, to whoever looks after it.
package struct MemberProbe: Sendable {
  private let member: ClusterMember

  package init(_ member: ClusterMember) { self.member = member }

  package var hasLeader: Bool { member.status.leader != 0 }
  package var isLearner: Bool { member.status.isLearner(member.id) }

  /// The gravest alarm that concerns this member, as etcd names it: that another one is fenced does not.
  package var alarm: String? {
    let kinds = member.store.refusingAlarms
    if member.status.isFenced || kinds.contains(.corrupt) { return "CORRUPT" }
    return kinds.contains(.noSpace) ? "NOSPACE" : nil
  }

  /// Reads through a majority.
  ///
  /// - Throws: `ClusterError`.
  package func readThroughMajority() async throws { try await member.readBarrier() }

  /// Reads what this member has.
  ///
  /// - Throws: SQLite's error.
  package func readLocally() throws { _ = try member.store.members() }

  /// The figures that the metrics show.
  package struct Figures: Sendable {
    package var hasLeader: Bool
    package var isLeader: Bool
    package var isLearner: Bool
    package var isFenced: Bool
    package var committed: UInt64
    package var applied: UInt64
    package var term: UInt64
    package var revision: Int64
    package var compactRevision: Int64
    package var databaseBytes: Int64
    package var databaseBytesInUse: Int64
    package var quotaBytes: Int64
    package var member: UInt64
    package var pendingProposals: Int
    package var watchStreams: Int
    package var watches: Int
    package var leaderChanges: Int
    package var failedProposals: Int
    package var puts: Int
    package var deletes: Int
    package var logWrites: Distribution
    package var commits: Distribution
  }

  /// How often something took how long.
  package struct Distribution: Sendable {
    /// Upper bounds of the buckets in seconds, and how often each was met; the last count has no bound.
    package var bounds: [Double]
    package var counts: [Int]
    package var seconds: Double

    init(_ histogram: Histogram) {
      (bounds, counts, seconds) = (Histogram.bounds, histogram.counts, histogram.seconds)
    }
  }

  /// - Throws: SQLite's error.
  package func figures() throws -> Figures {
    let status = member.status
    let sizes = try member.store.sizes()
    let position = member.store.current
    let counts = member.counts
    return Figures(
      hasLeader: status.leader != 0, isLeader: status.leader == member.id,
      isLearner: status.isLearner(member.id), isFenced: status.isFenced,
      committed: status.committed,
      applied: status.applied, term: status.term, revision: position.revision.rawValue,
      compactRevision: position.compactRevision.rawValue, databaseBytes: sizes.total,
      databaseBytesInUse: sizes.used, quotaBytes: member.configuration.limits.quotaBytes,
      member: member.id, pendingProposals: member.pendingProposals,
      watchStreams: member.hub.streams, watches: member.hub.watches,
      leaderChanges: counts.leaderChanges, failedProposals: counts.failedProposals,
      puts: counts.puts, deletes: counts.deletes, logWrites: Distribution(counts.logWrites),
      commits: Distribution(counts.commits))
  }
}
