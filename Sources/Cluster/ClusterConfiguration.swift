package import Raft
package import RaftLog
import Store

/// A member by its name and where others reach it.
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
  package var name: String
  /// The voters with whom a new cluster begins; empty for a member that joins one.
  package var founders: [Peer]
  /// Members that this one has been told of, until its own store knows better.
  package var contacts: [Peer]
  package var peerURLs: [String]
  package var clientURLs: [String]
  package var dataDirectory: String
  package var heartbeatInterval: Duration = .milliseconds(100)
  package var electionTimeout: Duration = .seconds(1)
  /// Leases that live longer are written down this often; etcd's.
  package var leaseCheckpointInterval: Duration = .seconds(300)
  /// How long a token counts after its last use; etcd's.
  package var tokenLifetime: Duration = .seconds(300)
  /// nil compacts when somebody asks for it only.
  package var autoCompaction: AutoCompaction?
  /// How often a leader has the members' states compared; nil for never.
  package var integrityInterval: Duration? = .seconds(3600)
  package var limits = ClusterLimits()

  /// Of a member that founds a cluster with `founders`, itself among them.
  package init(
    clusterID: UInt64, id: MemberID, founders: [Peer], clientURLs: [String],
    dataDirectory: String
  ) {
    let own = founders.first { $0.id == id }
    self.init(
      clusterID: clusterID, id: id, name: own?.name ?? "", contacts: founders,
      peerURLs: own?.urls ?? [], clientURLs: clientURLs, dataDirectory: dataDirectory)
    self.founders = founders
  }

  /// Of a member that joins a cluster of which it knows `contacts`.
  package init(
    clusterID: UInt64, id: MemberID, name: String, contacts: [Peer], peerURLs: [String],
    clientURLs: [String], dataDirectory: String
  ) {
    self.clusterID = clusterID
    self.id = id
    self.name = name
    self.founders = []
    self.contacts = contacts
    self.peerURLs = peerURLs
    self.clientURLs = clientURLs
    self.dataDirectory = dataDirectory
  }

  /// The command of a new cluster's first entry: the same on every founder.
  var founding: [UInt8] {
    guard !founders.isEmpty else { return [] }
    let founders = founders.sorted { $0.id < $1.id }
      .map { Founder(id: $0.id.rawValue, peerURLs: $0.urls) }
    let nobody = RequestID(member: 0, number: 0)
    return Command(request: nobody, action: .memberChange(.found(founders))).encoded()
  }

  var electionTicks: Int { max(2, Int(electionTimeout / heartbeatInterval)) }
  /// Seconds: a lease outlives an election, as in etcd.
  var shortestLease: Int64 {
    let milliseconds = Int64(electionTimeout / .milliseconds(1)) * 3 / 2
    return (milliseconds + 999) / 1000
  }
  var integrityTicks: Int? { integrityInterval.map { max(1, Int($0 / heartbeatInterval)) } }
  var tokenTicks: Int { max(1, Int(tokenLifetime / heartbeatInterval)) }
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
  /// How the log is cut into files.
  package var segments = SegmentLimits()
  /// The limits of the core's queues and messages.
  package var raft = RaftLimits()
  /// Committed entries waiting to be applied, above which proposals are refused.
  package var applyBacklog: UInt64 = 5_000
  /// Proposals waiting for a leader, and events waiting for the loop; more are refused.
  package var heldProposals = 10_000
  /// Bytes of proposals that are under way, of this member's clients; more are refused.
  package var proposalBytes = 512 << 20
  package var inboxEvents = 100_000
  /// Members that receive the log without a vote; etcd's default.
  package var learners = 1
  /// Questions of other members about leases that are answered at a time.
  package var leaseQuestions = 10_000
  /// Reads of the whole database at a time: hashes, and snapshots as long as their clients take them.
  package var wholeReads = 4
  /// Bytes of the database that hold data (`--quota-backend-bytes`); etcd's default.
  package var quotaBytes: Int64 = 2 << 30
  /// One command: so that an append, a frame, a record and an apply can hold it.
  package var commandBytes = 64 << 20

  package init() {}
}

/// Why a member can't answer; a write may or may not take effect later.
package enum ClusterError: Error, Hashable, Sendable {
  /// No majority answered in time: no leader, or one that can't reach the others.
  case timedOut(leaderKnown: Bool)
  case overloaded
  /// The leader did not take it and never will; it may be sent again.
  case dropped
  /// A change of the membership was refused.
  case membership(MembershipFailure)
  /// Only the leader can do that.
  case notLeader
  case tooLarge(bytes: Int, limit: Int)
  case stopped
}

/// Why the membership stays as it is.
package enum MembershipFailure: Error, Hashable, Sendable {
  /// Another change is still under way.
  case pending
  case unknownMember
  case memberExists
  case urlsInUse
  case invalidURLs
  case notLearner
  case learnerBehind
  case wouldLoseQuorum
  case tooManyMembers
  case tooManyLearners
  /// Leadership can't pass to that member.
  case badTransferee

  init(_ refusal: MembershipRefusal) {
    switch refusal {
    case .pending: self = .pending
    case .exists: self = .memberExists
    case .unknown: self = .unknownMember
    case .notLearner: self = .notLearner
    case .learnerBehind: self = .learnerBehind
    case .noVoters, .wouldLoseQuorum: self = .wouldLoseQuorum
    case .tooMany: self = .tooManyMembers
    }
  }
}

/// Why a member can't start.
package struct StartError: Error, CustomStringConvertible {
  package var description: String
  init(_ description: String) { self.description = description }
}
