import Raft
import Store
import Synchronization

/// Changes of who belongs to the cluster, as etcd's Cluster service asks for them.
extension ClusterMember {
  /// The members and how clients reach them; a member that has never started has no client URLs.
  package func members() throws -> [MemberDescription] {
    let learners = try store.membership().map { try PlacedMembership($0).membership.learners }
    return try store.members().map { member in
      MemberDescription(
        id: member.id, name: member.name, peerURLs: member.peerURLs,
        clientURLs: member.clientURLs,
        isLearner: learners?.contains(MemberID(member.id)) ?? false)
    }
  }

  /// This member was removed for good, as far as it has applied.
  package func isRemoved() throws -> Bool {
    try store.removedMembers().contains(configuration.id.rawValue)
  }

  /// Adds a member under an id of its own; it may start once this returns.
  ///
  /// - Throws: `.membership` if it is refused, `.timedOut` if the outcome is unknown.
  package func addMember(
    peerURLs: [String], as role: JoiningRole
  ) async throws -> MemberDescription {
    let urls = Set(peerURLs).sorted()
    try await readBarrier()
    let known = try members()
    guard !urls.isEmpty else { throw ClusterError.membership(.invalidURLs) }
    guard known.allSatisfy({ Set($0.peerURLs).isDisjoint(with: urls) }) else {
      throw ClusterError.membership(.urlsInUse)
    }
    if role == .learner, known.count(where: \.isLearner) >= configuration.limits.learners {
      throw ClusterError.membership(.tooManyLearners)
    }
    let id = try freshMemberID(avoiding: known.map(\.id))
    let change: MembershipChange =
      role == .learner ? .addLearner(MemberID(id)) : .addVoter(MemberID(id))
    _ = try await propose(.memberChange(.add(id: id, peerURLs: urls)), changing: change)
    return MemberDescription(
      id: id, name: "", peerURLs: urls, clientURLs: [], isLearner: role == .learner)
  }

  /// Removes a member for good: its id is never used again.
  package func removeMember(_ id: UInt64) async throws {
    try await checkKnown(id)
    _ = try await propose(.memberChange(.remove(id: id)), changing: .remove(MemberID(id)))
  }

  /// Makes a learner that has caught up a voter.
  package func promoteMember(_ id: UInt64) async throws {
    try await checkKnown(id)
    _ = try await propose(.memberChange(.promote(id: id)), changing: .promote(MemberID(id)))
  }

  /// Changes where others reach a member.
  package func updateMember(_ id: UInt64, peerURLs: [String]) async throws {
    let urls = Set(peerURLs).sorted()
    try await checkKnown(id)
    guard !urls.isEmpty else { throw ClusterError.membership(.invalidURLs) }
    let others = try members().filter { $0.id != id }
    guard others.allSatisfy({ Set($0.peerURLs).isDisjoint(with: urls) }) else {
      throw ClusterError.membership(.urlsInUse)
    }
    _ = try await propose(.memberChange(.relocate(id: id, peerURLs: urls)))
  }

  /// Hands leadership to a voter, and returns once it leads.
  ///
  /// - Throws: `.notLeader` anywhere but at the leader; `.timedOut` if it could not take over.
  package func moveLeader(to id: UInt64) async throws {
    let target = MemberID(id)
    guard status.leadership.leader == configuration.id else { throw ClusterError.notLeader }
    guard status.membership.isVoter(target) else {
      throw ClusterError.membership(.badTransferee)
    }
    guard target != configuration.id else { return }
    inbox.post(.raft(.transferRequested(to: target)))
    for _ in 0..<configuration.requestTicks {
      try await environment.clock.sleep(for: configuration.heartbeatInterval)
      if status.leadership.leader == target { return }
    }
    throw ClusterError.timedOut(leaderKnown: status.leadership.leader != nil)
  }

  /// Lets another voter lead, if this member does and one takes over soon: a cluster whose leader stops is
  /// not left without one for an election timeout.
  package func handOverLeadership() async {
    let own = configuration.id
    for target in status.membership.voters.sorted() where target != own {
      guard status.leadership.leader == own else { return }
      inbox.post(.raft(.transferRequested(to: target)))
      for _ in 0..<configuration.electionTicks where status.leadership.leader == own {
        do { try await environment.clock.sleep(for: configuration.heartbeatInterval) } catch {
          return
        }
      }
    }
  }

  private func checkKnown(_ id: UInt64) async throws {
    try await readBarrier()
    guard try members().contains(where: { $0.id == id }) else {
      throw ClusterError.membership(.unknownMember)
    }
  }

  /// Drawn before it is proposed, so that applying draws nothing; never one that was removed.
  private func freshMemberID(avoiding known: [UInt64]) throws -> UInt64 {
    let taken = try store.removedMembers().union(known)
    while true {
      let id = nextRandom()
      if id != 0, !taken.contains(id) { return id }
    }
  }

  /// Reads who belongs to the cluster, on the thread that applies: the loop waits for no database.
  func refreshRoll() {
    do {
      let read = (try store.members(), try store.removedMembers())
      roll.withLock { $0 = read }
    } catch {
      failStop(error)
    }
  }

  // MARK: - The transport's view

  package func wasRemoved() { removed() }

  /// Nobody as long as this member has read of nobody: what it was told when it started is hearsay.
  package func roster() -> [Peer] {
    published.withLock { $0.roster }
  }

  /// Everyone whom the store or an entry that is not applied yet names, and how to reach them.
  func peers(
    pending: [Entry]
  ) throws -> (peers: [Peer], removed: Set<MemberID>, isHearsay: Bool) {
    var peers: [MemberID: Peer] = [:]
    let (known, former) = roll.withLock { $0 }
    if known.isEmpty {
      for contact in configuration.contacts { peers[contact.id] = contact }
    }
    for member in known {
      let id = MemberID(member.id)
      peers[id] = Peer(id: id, name: member.name, urls: member.peerURLs)
    }
    for entry in pending where entry.kind == .membership {
      guard let context = Membership.decode(entry.payload)?.context, !context.isEmpty,
        case .memberChange(let change) = try Command(decoding: context).action
      else { continue }
      for added in change.added {
        let id = MemberID(added.id)
        peers[id] = Peer(id: id, name: peers[id]?.name ?? "", urls: added.peerURLs)
      }
    }
    let removed = Set(former.map { MemberID($0) })
    return (peers.values.sorted { $0.id < $1.id }, removed, known.isEmpty)
  }
}

/// How a member begins.
package enum JoiningRole: Hashable, Sendable {
  case voter
  /// It receives the log and has no vote until it is promoted.
  case learner
}
