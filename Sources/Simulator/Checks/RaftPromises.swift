import Raft

/// What members of a cluster promise each other, remembered across all of them and their restarts
/// (thesis figure 3.2). Each method gives the first promise that what it is told breaks, or nil.
struct RaftPromises {
  private struct Ballot: Hashable {
    var voter: MemberID
    var term: Term
  }

  private struct Place: Hashable {
    var index: LogIndex
    var term: Term
  }

  private var votes: [Ballot: MemberID] = [:]
  private(set) var leaders: [Term: MemberID] = [:]
  /// Of each entry that any disk held: its content, and the term of the one before it.
  private var entries: [Place: (hash: UInt64, previous: Term?)] = [:]

  /// Votes, and who speaks for a term. A candidate that asks for votes has given its own.
  mutating func sent(_ message: Message) -> String? {
    switch message.body {
    case .voteReply(granted: true): vote(of: message.from, for: message.to, in: message.term)
    case .voteRequest: vote(of: message.from, for: message.from, in: message.term)
    case .append, .committed, .heartbeat, .installSnapshot:
      leaders[message.term].flatMap { leader in
        leader == message.from
          ? nil : "\(message.from) speaks as the leader of term \(message.term), which is \(leader)"
      }
    default: nil
    }
  }

  private mutating func vote(
    of voter: MemberID, for candidate: MemberID, in term: Term
  ) -> String? {
    let ballot = Ballot(voter: voter, term: term)
    let other = votes[ballot] ?? candidate
    votes[ballot] = candidate
    return other == candidate
      ? nil : "\(voter) votes for \(other) and \(candidate) in term \(term)"
  }

  /// Election Safety.
  mutating func leads(_ id: MemberID, in term: Term) -> String? {
    let other = leaders[term] ?? id
    leaders[term] = id
    return other == id ? nil : "\(other) and \(id) lead in term \(term)"
  }

  /// Log Matching, of what is durable: what is in memory alone may still be forgotten, and its place
  /// be given to another entry.
  mutating func durable(_ entry: Entry, after previous: Term?) -> String? {
    let place = Place(index: entry.index, term: entry.term)
    let hash = Truth.hash(of: entry)
    guard let found = entries[place] else {
      entries[place] = (hash, previous)
      return nil
    }
    if found.hash != hash { return "two entries are \(entry.index)/\(entry.term)" }
    guard let previous, let other = found.previous, previous != other else { return nil }
    return "logs that agree at \(entry.index) differ before it"
  }
}
