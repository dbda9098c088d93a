extension RaftNode {
  mutating func receive(_ message: Message) {
    guard message.to == id, message.from != id, admit(message) else { return }
    switch message.body {
    case .preVoteRequest(let last): answerPreVote(message, last: last)
    case .preVoteReply(let granted): countPreVote(from: message.from, isGranted: granted)
    case .voteRequest(let last, _): answerVote(message, last: last)
    case .voteReply(let granted): countVote(from: message.from, isGranted: granted)
    case .append(let previous, let entries, let commit):
      follow(message.from)
      answerAppend(from: message.from, previous: previous, entries: entries, commit: commit)
    case .appendAccepted(let through):
      noteFollows(message.from)
      accepted(by: message.from, through: through)
    case .appendRejected(let previous, let hint, let hasLost):
      noteFollows(message.from)
      rejected(by: message.from, previous: previous, hint: hint, hasLost: hasLost)
    case .committed(let index):
      follow(message.from)
      // Where the last entries are alike, so are all before them (thesis §3.5): also what was never acknowledged.
      if log.term(at: index) == term { advanceCommit(to: index) }
    case .heartbeat(let commit, let token):
      follow(message.from)
      // The leader sends no more than this member has acknowledged: which is not what it has, if its
      // disk has lost the end of the log and brought back what had been replaced there.
      if lost == nil { advanceCommit(to: min(commit, log.last.index)) }
      promise(.heartbeatReply(token: token), to: message.from)
      // The leader may believe that this member has everything, and would not send it again.
      if lost != nil { reportLoss(to: message.from) }
    case .heartbeatReply(let token):
      noteFollows(message.from)
      heartbeatAnswered(by: message.from, token: token)
    case .installSnapshot(let mark, let membership):
      follow(message.from)
      answerSnapshot(from: message.from, mark: mark, membership: membership)
    case .forward(let proposals): takeForwarded(proposals, from: message.from)
    case .forwardRefused(let ids, let reason):
      ready.dropped += ids.map { DroppedProposal(id: $0, reason: reason, proposal: nil) }
    case .timeoutNow: campaignForTransfer(from: message.from)
    case .readRequest(let id): requestRead(id, from: message.from)
    case .readReply(let id, let index): readAnswered(id, index: index)
    }
  }

  /// The sender leads the current term.
  private mutating func follow(_ leader: MemberID) {
    precondition(!isLeader, "two leaders in term \(term)")
    if case .follower(leader) = role {
      electionElapsed = 0
    } else {
      becomeFollower(term: term, leader: leader)
    }
  }

  /// An answer to what only a leader sends: the member hears this leader. What it says of its own
  /// accord, such as a request for pre-votes, proves the opposite.
  private mutating func noteFollows(_ member: MemberID) {
    guard case .leader(var state) = role else { return }
    state.progress[member]?.silentTicks = 0
    state.progress[member]?.hasAnswered = true
    role = .leader(state)
  }

  // MARK: - Leader

  /// Adds one entry of this term; `sendAppended` sends it on, once for many.
  mutating func addToLog(_ kind: Entry.Kind, _ payload: [UInt8]) {
    guard case .leader(var state) = role else { preconditionFailure("only a leader appends") }
    let entry = Entry(term: term, index: log.last.index.next, kind: kind, payload: payload)
    log.append(entry)
    state.uncommittedBytes += payload.count
    role = .leader(state)
    guard kind == .membership else { return }
    memberships.append(entry)
    membershipChanged()
  }

  mutating func sendAppended() {
    for peer in peers { sendAppend(to: peer) }
  }

  /// Sends what `member` lacks, within its limits of flight.
  mutating func sendAppend(to member: MemberID, evenIfEmpty: Bool = false) {
    guard case .leader(var state) = role, var progress = state.progress[member] else { return }
    var mayBeEmpty = evenIfEmpty
    while progress.mayReceive(configuration.limits) {
      let previous = progress.next.previous
      guard let previousTerm = log.term(at: previous) else {
        progress.become(.snapshot)
        ready.snapshotsNeeded.append(member)
        break
      }
      let entries = log.slice(
        from: progress.next, through: .max, maximumBytes: configuration.limits.appendBytes)
      if entries.isEmpty && !mayBeEmpty { break }
      mayBeEmpty = false
      send(
        .append(
          previous: SnapshotMark(index: previous, term: previousTerm), entries: entries,
          commit: commit),
        to: member)
      progress.sent(entries)
    }
    state.progress[member] = progress
    role = .leader(state)
  }

  mutating func broadcastHeartbeat() {
    guard case .leader(let state) = role else { return }
    for peer in peers {
      let match = state.progress[peer]?.match ?? .zero
      send(.heartbeat(commit: min(commit, match), token: state.readToken), to: peer)
    }
  }

  mutating func tryToCommit() {
    guard case .leader(var state) = role else { return }
    let agreed = quorum.committedIndex { member in
      member == id ? stable : state.progress[member]?.match ?? .zero
    }
    let index = max(agreed, decidedAlone)
    // Only an entry of its own term is committed by counting (thesis §3.6.2).
    guard index > commit, log.term(at: index) == term else { return }
    for entry in log.slice(from: commit.next, through: index, maximumBytes: .max) {
      state.uncommittedBytes = max(0, state.uncommittedBytes - entry.payload.count)
    }
    role = .leader(state)
    advanceCommit(to: index)
    for peer in peers { tellOfCommit(peer) }
    finishMembershipChange()
  }

  /// One to which everything was sent answers nothing, since that would say what is known, and cost as much as an answer
  /// that counts. One that is probed, or is owed entries, hears of it by an append, if it may receive one.
  private mutating func tellOfCommit(_ member: MemberID) {
    guard case .leader(let state) = role, let progress = state.progress[member] else { return }
    if progress.state == .replicate, progress.next > log.last.index {
      send(.committed(through: commit), to: member)
    } else {
      sendAppend(to: member, evenIfEmpty: true)
    }
  }

  private mutating func accepted(by member: MemberID, through index: LogIndex) {
    guard case .leader(var state) = role, index <= log.last.index else { return }
    let isInLog = log.term(at: index) != nil
    let wasReplicating = state.progress[member]?.state == .replicate
    let isNews = state.progress[member]?.accepted(through: index, isInLog: isInLog) ?? false
    role = .leader(state)
    let known = commit
    if isNews { tryToCommit() }
    if isNews, !wasReplicating, commit == known, log.term(at: commit) == term {
      // While it was probed nothing was sent when others had committed what it has now.
      tellOfCommit(member)
    } else {
      sendAppend(to: member)
    }
    guard isLeader, state.transfer?.target == member, index == log.last.index else { return }
    send(.timeoutNow, to: member)
  }

  private mutating func rejected(
    by member: MemberID, previous: LogIndex, hint: SnapshotMark, hasLost: Bool
  ) {
    guard case .leader(var state) = role else { return }
    let place = log.lastPlace(through: hint.index, withTermAtMost: hint.term)
    // Below the window there is nothing to compare with: a snapshot is next.
    let retry = hint.index < log.base.index ? hint.index : place.index
    var isNews: Bool
    if hasLost, let match = state.progress[member]?.match, match > retry || previous <= match {
      // What was acknowledged is gone, or has to be proved anew.
      state.progress[member]?.hasLost(after: retry)
      isNews = true
    } else {
      isNews = state.progress[member]?.rejected(previous: previous, retryAfter: retry) ?? false
    }
    role = .leader(state)
    if isNews { sendAppend(to: member, evenIfEmpty: true) }
  }

  private mutating func heartbeatAnswered(by member: MemberID, token: UInt64) {
    guard case .leader(var state) = role, var progress = state.progress[member] else { return }
    progress.confirmedToken = max(progress.confirmedToken, min(token, state.readToken))
    if case .probe = progress.state { progress.state = .probe(paused: false) }
    // It lives, but of a full flight no answer may have arrived: one more append asks for it.
    if progress.match < log.last.index { progress.freeOldestFlight(configuration.limits) }
    state.progress[member] = progress
    role = .leader(state)
    if progress.match < log.last.index { sendAppend(to: member, evenIfEmpty: true) }
    answerConfirmedReads()
  }

  mutating func peerUnreachable(_ member: MemberID) {
    guard case .leader(var state) = role else { return }
    // Appends in flight may be lost: find anew where the logs agree.
    if state.progress[member]?.state == .replicate {
      state.progress[member]?.become(.probe(paused: false))
    }
    role = .leader(state)
  }

  // MARK: - Follower

  private mutating func reportLoss(to leader: MemberID) {
    let last = log.last
    promise(.appendRejected(previous: last.index, hint: last, hasLost: true), to: leader)
  }

  private mutating func answerAppend(
    from leader: MemberID, previous: SnapshotMark, entries: [Entry], commit: LogIndex
  ) {
    guard areContiguous(entries, after: previous) else { return }
    if previous.index < self.commit {
      // Everything committed agrees already; what follows it is sent again if need be.
      let known = entries.prefix { $0.index <= self.commit }
      let rest = entries.dropFirst(known.count)
      guard let anchor = log.term(at: self.commit), !rest.isEmpty else {
        return promise(.appendAccepted(through: self.commit), to: leader)
      }
      let mark = SnapshotMark(index: self.commit, term: anchor)
      return store(Array(rest), after: mark, from: leader, commit: commit)
    }
    store(entries, after: previous, from: leader, commit: commit)
  }

  private mutating func store(
    _ entries: [Entry], after previous: SnapshotMark, from leader: MemberID, commit: LogIndex
  ) {
    guard log.term(at: previous.index) == previous.term else {
      let hint = log.lastPlace(
        through: min(previous.index, log.last.index), withTermAtMost: previous.term)
      return promise(
        .appendRejected(previous: previous.index, hint: hint, hasLost: lost != nil), to: leader)
    }
    var bringsMembership = false
    for entry in entries {
      if let term = log.term(at: entry.index) {
        if term == entry.term { continue }
        precondition(entry.index > self.commit, "a committed entry can't be replaced")
        log.truncate(from: entry.index)
        bringsMembership = memberships.truncate(from: entry.index) || bringsMembership
        writeEpoch += 1
        stable = min(stable, entry.index.previous)
        written = min(written, entry.index.previous)
      }
      log.append(entry)
      memberships.append(entry)
      bringsMembership = bringsMembership || entry.kind == .membership
    }
    if bringsMembership { membershipChanged() }
    // Only what this message proves to agree may be committed by it (thesis §3.5).
    let last = entries.last?.index ?? previous.index
    noteProved(entries.last.map { SnapshotMark(index: $0.index, term: $0.term) } ?? previous)
    advanceCommit(to: min(commit, last))
    promise(.appendAccepted(through: last), to: leader)
  }

  private func areContiguous(_ entries: [Entry], after previous: SnapshotMark) -> Bool {
    var at = previous
    for entry in entries {
      guard entry.index == at.index.next, entry.term >= at.term, entry.term <= term else {
        return false
      }
      at = SnapshotMark(index: entry.index, term: entry.term)
    }
    return true
  }
}
