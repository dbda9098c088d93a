import Cluster
import Raft
import RaftLog
import Store

/// How a cluster looks once nothing disturbs it.
extension World {
  /// The settings that make small things of large ones: a few entries are a compaction, a few
  /// kilobytes a segment.
  func tuned(_ configuration: ClusterConfiguration) -> ClusterConfiguration {
    var tuned = configuration
    tuned.limits.entriesBeforeCompaction = UInt64(options.entriesBeforeCompaction)
    tuned.limits.entriesKept = UInt64(options.entriesKept)
    tuned.limits.segments = SegmentLimits(
      segmentBytes: options.segmentBytes, zeroedAheadBytes: 4096,
      copiedBytes: options.copiedBytes)
    tuned.limits.raft.flightMessages = options.flightMessages
    tuned.limits.raft.appendBytes = options.appendBytes
    tuned.limits.raft.uncommittedBytes = options.uncommittedBytes
    tuned.limits.learners = 2
    tuned.leaseCheckpointInterval = .milliseconds(options.checkpointMilliseconds)
    tuned.heartbeatInterval = .milliseconds(options.heartbeatMilliseconds)
    tuned.electionTimeout = tuned.heartbeatInterval * options.electionTicks
    // Often enough that members are compared in every seed.
    tuned.integrityInterval = tuned.electionTimeout * 10
    return tuned
  }

  /// Starts a member that was added to the running cluster.
  func join(_ id: MemberID) {
    guard members[id] == nil else { return }
    let name = "j\(id)"
    _ = add(
      tuned(
        ClusterConfiguration(
          clusterID: 1, id: id, name: name, contacts: [], peerURLs: ["http://\(name)"],
          clientURLs: ["http://c\(name)"], dataDirectory: "")))
    start(id)
  }

  /// Those who belong to the cluster, by the newest entry about it that is committed.
  var belonging: [MemberID] {
    checks.truth.membership?.membership.all
      ?? ids.filter { $0.rawValue <= UInt64(options.founders) }
  }

  /// Everyone who belongs to it is up and has applied the same, and nothing is under way.
  var isAtRest: Bool {
    guard !isOperating, let leader, let node = checks.nodes[leader],
      node.commitIndex == node.lastIndex,
      node.isIdle(without: Set(ids.filter { members[$0]?.isRetired == true })),
      !node.membership.membership.isJoint
    else { return false }
    return belonging.allSatisfy { id in
      guard let member = members[id] else { return false }
      if member.isRetired { return true }
      if checks.nodes[id]?.lost != nil { return false }
      return member.member?.status.appliedIndex == node.lastIndex
    }
  }

  var rest: String {
    let states = ids.map { id in
      guard let node = checks.nodes[id] else { return "\(id): down" }
      let applied = members[id]?.member?.status.appliedIndex.description ?? "-"
      return
        "\(id): \(node.isLeader ? "leads" : "follows \(node.leader?.description ?? "nobody")") "
        + "term \(node.term) last \(node.lastIndex) durable \(node.stableIndex) "
        + "commit \(node.commitIndex) applied \(applied)"
        + (node.lost.map { " lost \($0.index)" } ?? "")
    }
    let replication = leader.flatMap { checks.nodes[$0]?.replication } ?? "nobody leads"
    return "of \(belonging): " + states.joined(separator: "; ") + "; " + replication
  }

  /// Members that clients go to: any that is up, and once the faults are over those that belong.
  var hosts: [SimulatedMember] {
    guard isHealing else { return up }
    let belonging = belonging
    return up.filter { belonging.contains($0.id) }
  }

  var newestRevision: Revision {
    up.compactMap { $0.member?.store.current.revision }.max() ?? .initial
  }

  /// Members that have applied the same and differ all the same.
  var differences: String? {
    let positions = belonging.compactMap { id in
      members[id]?.member.map { (id, $0.store.current) }
    }
    for (id, position) in positions where position.digest != positions[0].1.digest {
      return "\(id) holds another state than \(positions[0].0)"
    }
    return differentMembers ?? differentLeases ?? lostHistory
  }

  /// What a lease has left, and what hangs on it, is no part of the digest as it stands.
  private var differentLeases: String? {
    let stores = belonging.compactMap { id in members[id]?.member.map { (id, $0.store) } }
    do {
      for (id, store) in stores where try store.leases() != stores[0].1.leases() {
        return "\(id) knows other leases than \(stores[0].0)"
      }
      return nil
    } catch {
      return "the leases can't be read: \(error)"
    }
  }

  private var lostHistory: String? {
    for id in belonging {
      guard let store = members[id]?.member?.store else { continue }
      do {
        let history = CompactedHistory(truth: checks.truth, store: store)
        if let problem = try history.verdict() { return "\(id) \(problem)" }
      } catch {
        return "the history of \(id) can't be read: \(error)"
      }
    }
    return nil
  }

  /// Who belongs to the cluster, and where each is reached, is no part of the digest.
  private var differentMembers: String? {
    let stores = belonging.compactMap { id in members[id]?.member.map { (id, $0.store) } }
    do {
      for (id, store) in stores {
        let first = stores[0].1
        if try store.members() != first.members()
          || store.removedMembers() != first.removedMembers()
          || store.membership() != first.membership()
        {
          return "\(id) knows other members than \(stores[0].0): \(try store.members()) "
            + "and \(try first.members())"
        }
      }
      return nil
    } catch {
      return "the members can't be read: \(error)"
    }
  }
}
