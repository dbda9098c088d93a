extension RaftNode {
  mutating func tick() {
    electionElapsed += 1
    if isLeader {
      tickLeader()
    } else if electionElapsed >= electionTimeout {
      electionElapsed = 0
      drawElectionTimeout()
      // Whoever can't campaign must not go on protecting a leader that is gone.
      if mayCampaign, isItsTurn() { preCampaign() } else { becomeFollower(term: term, leader: nil) }
    }
  }

  private mutating func tickLeader() {
    guard case .leader(var state) = role else { return }
    for peer in peers { state.progress[peer]?.silentTicks += 1 }
    if var transfer = state.transfer {
      transfer.elapsed += 1
      // A handing over that takes longer than an election has failed (thesis §3.10).
      state.transfer = transfer.elapsed >= configuration.electionTicks ? nil : transfer
    }
    role = .leader(state)
    checkQuorum()
    handOverIfUnfit()
    heartbeatElapsed += 1
    guard isLeader, heartbeatElapsed >= configuration.heartbeatTicks else { return }
    heartbeatElapsed = 0
    broadcastHeartbeat()
  }

  /// A leader that has not heard from a quorum for an election timeout steps down, so that it
  /// neither blocks clients nor answers for a cluster that has moved on (thesis §6.2).
  private mutating func checkQuorum() {
    guard case .leader(let state) = role else { return }
    let limit = configuration.electionTicks
    let isHeld = quorum.isReached { member in
      member == id || state.progress[member].map { $0.silentTicks < limit } ?? false
    }
    if !isHeld { becomeFollower(term: term, leader: nil) }
  }

  /// A learner, a removed member, and one whose log has lost its end can't lead. One whose removal is
  /// not committed may have to: nobody else may have the entry that removes it (thesis §4.2.2).
  var mayCampaign: Bool {
    lost == nil && installing == nil
      && memberships.known.contains { $0.membership.isVoter(id) }
  }

  /// Elections that a member which is not fit leaves to others, before it stands all the same: it may be the
  /// only one left that has every entry.
  private static let electionsWaived = 3

  private mutating func isItsTurn() -> Bool {
    guard !isFit, patience < RaftNode.electionsWaived else { return true }
    patience += 1
    return false
  }

  /// A leader that is not fit hands over to the voter that has come furthest of those that answer.
  private mutating func handOverIfUnfit() {
    guard !isFit, case .leader(let state) = role, state.transfer == nil else { return }
    let candidates = peers.filter { peer in
      memberships.current.membership.isVoter(peer)
        && state.progress[peer].map { $0.silentTicks < configuration.electionTicks } ?? false
    }
    let furthest = candidates.sorted().max { left, right in
      state.progress[left]?.match ?? .zero < state.progress[right]?.match ?? .zero
    }
    if let furthest { beginTransfer(to: furthest) }
  }

  private mutating func preCampaign() {
    failReads(unless: nil)
    role = .preCandidate(votes: [id: true])
    if quorum.verdict(on: [id: true]) == .won { return campaign(isTransfer: false) }
    for peer in peers {
      ready.messages.append(
        Message(from: id, to: peer, term: term.next, body: .preVoteRequest(last: log.last)))
    }
  }

  mutating func campaign(isTransfer: Bool) {
    failReads(unless: nil)
    term = term.next
    vote = id
    electionElapsed = 0
    drawElectionTimeout()
    role = .candidate(votes: [id: true])
    if quorum.verdict(on: [id: true]) == .won { return becomeLeader(isTermDurable: false) }
    // The vote for oneself is a promise too: requests leave after it is durable.
    for peer in peers {
      promise(.voteRequest(last: log.last, isTransfer: isTransfer), to: peer)
    }
  }

  private mutating func becomeLeader(isTermDurable: Bool) {
    failReads(unless: nil)
    var progress: [MemberID: Progress] = [:]
    for peer in peers { progress[peer] = Progress(next: log.last.index.next) }
    electionElapsed = 0
    heartbeatElapsed = 0
    forwards = RememberedForwards()
    var state = LeaderState(progress: progress, isTermDurable: isTermDurable)
    for entry in log.slice(from: commit.next, through: .max, maximumBytes: .max) {
      state.uncommittedBytes += entry.payload.count
    }
    role = .leader(state)
    // Nothing of an earlier term counts as committed, and no read is answered, before this is.
    if log.last == .origin, !configuration.founding.isEmpty {
      let founders = memberships.current.membership
      addToLog(.membership, founders.encoded(context: configuration.founding))
    } else {
      addToLog(.noOperation, [])
    }
    sendAppended()
  }

  /// Whether to hear `message` at all; changes the term where the message demands it.
  mutating func admit(_ message: Message) -> Bool {
    switch message.body {
    case .preVoteRequest: return true
    case .preVoteReply(granted: true): return message.term == term.next
    default: break
    }
    if message.term > term {
      if case .voteRequest(_, isTransfer: false) = message.body, isLeaderRecent { return false }
      becomeFollower(term: message.term, leader: nil)
    } else if message.term < term {
      // Tells a leader of the past that it is one, so that it steps down.
      switch message.body {
      case .append, .heartbeat, .installSnapshot:
        promise(
          .appendRejected(previous: .zero, hint: .origin, hasLost: false), to: message.from)
      case .voteRequest: promise(.voteReply(granted: false), to: message.from)
      default: break
      }
      return false
    }
    return true
  }

  /// A leader was heard within the shortest election timeout, or is this member: votes would only
  /// disturb it. Its own quorum check, not a candidate, ends a leader's term.
  private var isLeaderRecent: Bool {
    isLeader || (leader != nil && electionElapsed < configuration.electionTicks)
  }

  mutating func answerPreVote(_ message: Message, last: SnapshotMark) {
    let isGranted = message.term > term && !isLeaderRecent && isUpToDate(last)
    // A grant promises nothing, so it may leave at once and names the term asked for.
    let answered = isGranted ? message.term : term
    ready.messages.append(
      Message(
        from: id, to: message.from, term: answered, body: .preVoteReply(granted: isGranted)))
  }

  mutating func answerVote(_ message: Message, last: SnapshotMark) {
    let mayVote = vote == message.from || (vote == nil && leader == nil)
    guard mayVote, isUpToDate(last) else {
      return promise(.voteReply(granted: false), to: message.from)
    }
    vote = message.from
    electionElapsed = 0
    promise(.voteReply(granted: true), to: message.from)
  }

  mutating func countPreVote(from member: MemberID, isGranted: Bool) {
    guard case .preCandidate(var votes) = role else { return }
    votes[member] = isGranted
    role = .preCandidate(votes: votes)
    switch quorum.verdict(on: votes) {
    case .won: if mayCampaign { campaign(isTransfer: false) }
    case .lost: becomeFollower(term: term, leader: nil)
    case .pending: break
    }
  }

  mutating func countVote(from member: MemberID, isGranted: Bool) {
    guard case .candidate(var votes) = role else { return }
    votes[member] = isGranted
    role = .candidate(votes: votes)
    switch quorum.verdict(on: votes) {
    case .won: becomeLeader(isTermDurable: true)
    case .lost: becomeFollower(term: term, leader: nil)
    case .pending: break
    }
  }

  /// Thesis §3.6.1: a voter refuses a candidate whose log is older than its own; what this member's
  /// disk has lost counts as if it were still there.
  private func isUpToDate(_ candidate: SnapshotMark) -> Bool {
    candidate.isUpToDate(with: log.last) && (lost.map(candidate.isUpToDate(with:)) ?? true)
  }

  // MARK: - Handing over

  /// Lets `target` win the next election: once it has the whole log it is told to campaign at once.
  mutating func beginTransfer(to target: MemberID) {
    guard case .leader(var state) = role, target != id,
      memberships.current.membership.isVoter(target), state.transfer?.target != target
    else { return }
    state.transfer = Transfer(target: target)
    role = .leader(state)
    if state.progress[target]?.match == log.last.index {
      send(.timeoutNow, to: target)
    } else {
      sendAppend(to: target, evenIfEmpty: true)
    }
  }

  mutating func campaignForTransfer(from leader: MemberID) {
    guard mayCampaign, isFit, !isLeader, self.leader == leader else { return }
    campaign(isTransfer: true)
  }
}
