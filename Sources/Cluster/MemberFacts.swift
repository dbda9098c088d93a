import Raft

// What the edges tell clients, as the numbers of the wire: they need no word of Raft for it.

extension MemberStatus {
  package var term: UInt64 { leadership.term.rawValue }
  /// 0 where no leader is known, as etcd writes it.
  package var leader: UInt64 { leadership.leader?.rawValue ?? 0 }
  package var committed: UInt64 { commitIndex.rawValue }
  package var applied: UInt64 { appliedIndex.rawValue }
  /// Whether `id` receives the log without a vote.
  package func isLearner(_ id: UInt64) -> Bool { membership.isLearner(MemberID(id)) }
}

extension ClusterMember {
  package var id: UInt64 { configuration.id.rawValue }
  package var clusterID: UInt64 { configuration.clusterID }
}

/// A member as clients see it.
package struct MemberDescription: Hashable, Sendable {
  package var id: UInt64
  /// Empty, as are the client URLs, until the member has started once.
  package var name: String
  package var peerURLs: [String]
  package var clientURLs: [String]
  package var isLearner: Bool
}
