package import Raft

/// A member as the cluster was set up with it.
package struct Peer: Hashable, Sendable {
  package var id: MemberID
  package var name: String
  package var urls: [String]
  package init(id: MemberID, name: String, urls: [String]) {
    self.id = id
    self.name = name
    self.urls = urls
  }
}

package struct ClusterConfiguration: Sendable {
  package var clusterID: UInt64
  package var id: MemberID
  /// Every voter, this member among them.
  package var peers: [Peer]
  package var clientURLs: [String]
  package var dataDirectory: String
  package var heartbeatInterval: Duration = .milliseconds(100)
  package var electionTimeout: Duration = .seconds(1)
  package var limits = ClusterLimits()

  package init(
    clusterID: UInt64, id: MemberID, peers: [Peer], clientURLs: [String], dataDirectory: String
  ) {
    self.clusterID = clusterID
    self.id = id
    self.peers = peers
    self.clientURLs = clientURLs
    self.dataDirectory = dataDirectory
  }

  var name: String { peers.first { $0.id == id }?.name ?? "" }
  var electionTicks: Int { max(2, Int(electionTimeout / heartbeatInterval)) }
  /// 5 seconds and twice the election timeout, as etcd waits.
  var requestTicks: Int { Int(.seconds(5) / heartbeatInterval) + 2 * electionTicks }
}

package struct ClusterLimits: Hashable, Sendable {
  /// Applied entries after which the log is cut (`--snapshot-count`).
  package var entriesBeforeCompaction: UInt64 = 10_000
  /// Entries kept behind the cut, for members that are a little behind.
  package var entriesKept: UInt64 = 5_000
  /// Payload in memory after which the log is cut whatever the count, keeping nothing.
  package var bytesBeforeCompaction = 256 << 20
  /// Committed entries waiting to be applied, above which proposals are refused.
  package var applyBacklog: UInt64 = 5_000
  /// Proposals waiting for a leader, and events waiting for the loop; more are refused.
  package var heldProposals = 10_000
  package var inboxEvents = 100_000
  /// One command: so that an append, a frame, a record and an apply can hold it.
  package var commandBytes = 64 << 20

  package init() {}
}

/// Why a member can't answer; a write may or may not take effect later.
package enum ClusterError: Error, Hashable, Sendable {
  /// No majority answered in time: no leader, or one that can't reach the others.
  case timedOut(leaderKnown: Bool)
  case overloaded
  case tooLarge(bytes: Int, limit: Int)
  case stopped
}

/// Why a member can't start.
package struct StartError: Error, CustomStringConvertible {
  package var description: String
  init(_ description: String) { self.description = description }
}
