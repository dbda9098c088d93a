extension RaftNode {
  mutating func tick() {
    electionElapsed += 1
    if isLeader {
      tickLeader()
    } else if electionElapsed >= electionTimeout {
      electionElapsed = 0
      drawElectionTimeout()
      preCampaign()
    }
  }

  private mutating func tickLeader() {
    heartbeatElapsed += 1
    if electionElapsed >= configuration.electionTicks {
      electionElapsed = 0
      checkQuorum()
    }
    guard isLeader, heartbeatElapsed >= configuration.heartbeatTicks else { return }
    heartbeatElapsed = 0
    broadcastHeartbeat()
  }

  /// A leader that has not heard from a majority for an election timeout steps down, so that it
  /// neither blocks clients nor answers for a cluster that has moved on (thesis §6.2).
  private mutating func checkQuorum() {
    guard case .leader(var state) = role else { return }
    let isHeld = quorum.isReached { $0 == id || state.progress[$0]?.isActive == true }
    for peer in peers { state.progress[peer]?.isActive = false }
    role = .leader(state)
    if !isHeld { becomeFollower(term: term, leader: nil) }
  }

  private mutating func preCampaign() {
    failReads(unless: nil)
    role = .preCandidate(votes: [id: true])
    if quorum.verdict(on: [id: true]) == .won { return campaign() }
    for peer in peers {
      ready.messages.append(
        Message(from: id, to: peer, term: term.next, body: .preVoteRequest(last: log.last)))
    }
  }

  private mutating func campaign() {
    term = term.next
    vote = id
    electionElapsed = 0
    drawElectionTimeout()
    role = .candidate(votes: [id: true])
    if quorum.verdict(on: [id: true]) == .won { return becomeLeader() }
    // The vote for oneself is a promise too: requests leave after it is durable.
    for peer in peers { promise(.voteRequest(last: log.last), to: peer) }
  }

  private mutating func becomeLeader() {
    failReads(unless: nil)
    var progress: [MemberID: Progress] = [:]
    for peer in peers { progress[peer] = Progress(next: log.last.index.next) }
    electionElapsed = 0
    heartbeatElapsed = 0
    role = .leader(LeaderState(progress: progress))
    // Nothing of an earlier term counts as committed, and no read is answered, before this is.
    appendAsLeader([(.noOperation, [])])
  }

  /// Whether to hear `message` at all; changes the term where the message demands it.
  mutating func admit(_ message: Message) -> Bool {
    switch message.body {
    case .preVoteRequest: return true
    case .preVoteReply(granted: true): return message.term == term.next
    default: break
    }
    if message.term > term {
      if case .voteRequest = message.body, isLeaderRecent { return false }
      becomeFollower(term: message.term, leader: nil)
    } else if message.term < term {
      // Tells a leader of the past that it is one, so that it steps down.
      switch message.body {
      case .append, .heartbeat, .installSnapshot:
        promise(.appendRejected(previous: .zero, hint: .origin), to: message.from)
      case .voteRequest: promise(.voteReply(granted: false), to: message.from)
      default: break
      }
      return false
    }
    return true
  }

  /// A leader was heard within the shortest election timeout: votes would only disturb it.
  private var isLeaderRecent: Bool {
    leader != nil && electionElapsed < configuration.electionTicks
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
    case .won: campaign()
    case .lost: becomeFollower(term: term, leader: nil)
    case .pending: break
    }
  }

  mutating func countVote(from member: MemberID, isGranted: Bool) {
    guard case .candidate(var votes) = role else { return }
    votes[member] = isGranted
    role = .candidate(votes: votes)
    switch quorum.verdict(on: votes) {
    case .won: becomeLeader()
    case .lost: becomeFollower(term: term, leader: nil)
    case .pending: break
    }
  }

  /// Thesis §3.6.1: a voter refuses a candidate whose log is older than its own.
  private func isUpToDate(_ candidate: SnapshotMark) -> Bool {
    let own = log.last
    return candidate.term > own.term
      || (candidate.term == own.term && candidate.index >= own.index)
  }
}
