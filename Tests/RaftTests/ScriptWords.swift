@testable import Raft

struct ScriptError: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = "error: " + description }
}

/// One command: a verb, words, and `name=value` settings.
struct Words {
  let verb: String
  private var plain: [String] = []
  private var settings: [String: String] = [:]

  init(_ line: String) {
    let words = line.split(separator: " ").map(String.init)
    verb = words.first ?? ""
    for word in words.dropFirst() {
      guard let equals = word.firstIndex(of: "=") else {
        plain.append(word)
        continue
      }
      settings[String(word[..<equals])] = String(word[word.index(after: equals)...])
    }
  }

  func text(_ position: Int) -> String { position < plain.count ? plain[position] : "" }

  func member(_ position: Int) throws -> MemberID {
    guard let id = UInt64(text(position)) else { throw ScriptError("which member?") }
    return MemberID(id)
  }

  func member(_ name: String) throws -> MemberID {
    guard let id = settings[name].flatMap({ UInt64($0) }) else {
      throw ScriptError("\(name)=MEMBER is missing")
    }
    return MemberID(id)
  }

  func number<Number: FixedWidthInteger>(_ name: String) throws -> Number? {
    guard let text = settings[name] else { return nil }
    guard let number = Number(text) else { throw ScriptError("\(name) is no number") }
    return number
  }

  func list(_ name: String) throws -> [MemberID] {
    try (settings[name] ?? "").split(separator: ",").map { part in
      guard let id = UInt64(part) else { throw ScriptError("\(name) is no list of members") }
      return MemberID(id)
    }
  }

  /// The members named, or all of them.
  func members(orAll all: [MemberID]) throws -> [MemberID] {
    if plain.isEmpty { return all }
    return try plain.indices.map { try member($0) }
  }

  func change() throws -> MembershipChange {
    switch text(1) {
    case "add-voter": return .addVoter(try member(2))
    case "add-learner": return .addLearner(try member(2))
    case "promote": return .promote(try member(2))
    case "remove": return .remove(try member(2))
    case "replace":
      return .replace(voters: try list("voters"), learners: try list("learners"))
    default: throw ScriptError("no such change: \(text(1))")
    }
  }

  /// `from=`, `to=` and `kind=` choose messages; without them all are meant.
  func matches(_ message: Message) -> Bool {
    func fits(_ name: String, _ value: String) -> Bool {
      settings[name].map { $0 == value } ?? true
    }
    return fits("from", "\(message.from)") && fits("to", "\(message.to)")
      && fits("kind", message.kind)
  }
}

// MARK: - What is printed

extension SnapshotMark {
  var text: String { "\(index)/\(term)" }
}

extension Entry {
  var text: String {
    switch kind {
    case .command: "\(index)/\(term) \"\(String(decoding: payload, as: UTF8.self))\""
    case .noOperation: "\(index)/\(term) no-op"
    case .membership:
      "\(index)/\(term) \(Membership.decode(payload)?.membership.text ?? "unreadable")"
    }
  }
}

extension Membership {
  var text: String {
    func list(_ ids: [MemberID]) -> String { ids.map(\.description).joined(separator: ",") }
    var text = "voters=\(list(voters))"
    if isJoint { text += " outgoing=\(list(outgoing))" }
    if !learners.isEmpty { text += " learners=\(list(learners))" }
    if !learnersNext.isEmpty { text += " learners-next=\(list(learnersNext))" }
    return text
  }
}

extension Message {
  var kind: String { text.split(separator: " ")[1].description }

  var text: String {
    "\(from)>\(to) \(bodyText) (term \(term))"
  }

  private var bodyText: String {
    switch body {
    case .preVoteRequest(let last): return "pre-vote-request last=\(last.text)"
    case .preVoteReply(let granted): return "pre-vote-reply \(granted ? "granted" : "refused")"
    case .voteRequest(let last, let isTransfer):
      return "vote-request last=\(last.text)\(isTransfer ? " transfer" : "")"
    case .voteReply(let granted): return "vote-reply \(granted ? "granted" : "refused")"
    case .append(let previous, let entries, let commit):
      let list = entries.map(\.text).joined(separator: ", ")
      return "append after=\(previous.text) [\(list)] commit=\(commit)"
    case .appendAccepted(let through): return "append-accepted through=\(through)"
    case .appendRejected(let previous, let hint, let hasLost):
      return "append-rejected previous=\(previous) hint=\(hint.text)\(hasLost ? " lost" : "")"
    case .committed(let through): return "committed through=\(through)"
    case .heartbeat(let commit, let token): return "heartbeat commit=\(commit) token=\(token)"
    case .heartbeatReply(let token): return "heartbeat-reply token=\(token)"
    case .installSnapshot(let mark, let membership):
      return "install-snapshot \(mark.text) \(membership.membership.text)"
    case .forward(let proposals):
      return "forward \(proposals.map { String(decoding: $0.payload, as: UTF8.self) })"
    case .forwardRefused(let ids, let reason): return "forward-refused \(ids) \(reason)"
    case .timeoutNow: return "timeout-now"
    case .readRequest(let id): return "read-request \(id.rawValue)"
    case .readReply(let id, let index): return "read-reply \(id.rawValue) index=\(index)"
    }
  }
}

extension Ready {
  /// The work, in the order in which the owner does it.
  func lines(of id: MemberID) -> [String] {
    var lines: [String] = []
    if let leadership {
      let leader = leadership.leader.map { $0 == id ? "leads" : "follows \($0)" } ?? "has no leader"
      lines.append("\(id) \(leader) (term \(leadership.term))")
    }
    if let membership {
      lines.append("\(id) counts \(membership.membership.text) (index \(membership.index))")
    }
    lines += messages.map(\.text)
    if let snapshot { lines.append("\(id) installs \(snapshot.text)") }
    if let state = hardState {
      lines.append("\(id) writes term=\(state.term) vote=\(state.vote?.description ?? "none")")
    }
    if !entries.isEmpty {
      lines.append("\(id) writes [\(entries.map(\.text).joined(separator: ", "))]")
    }
    if isWholeAgain { lines.append("\(id) is whole again") }
    lines += promises.map { "then " + $0.text }
    if !committed.isEmpty {
      lines.append("\(id) applies [\(committed.map(\.text).joined(separator: ", "))]")
    }
    lines += reads.map { "\(id) may answer read \($0.id.rawValue) at \($0.index)" }
    lines += failedReads.map { "\(id) fails read \($0.rawValue)" }
    lines += snapshotsNeeded.map { "\(id) must send a snapshot to \($0)" }
    lines += dropped.map { "\(id) drops proposal \($0.id): \($0.reason)" }
    return lines
  }
}

extension ScriptedCluster {
  func stateText(_ id: MemberID) -> String {
    guard let member = members[id] else { return "\(id): none" }
    let node = member.node
    let role =
      switch node.role {
      case .follower(let leader): leader.map { "follows \($0)" } ?? "follows nobody"
      case .preCandidate: "asks for pre-votes"
      case .candidate: "asks for votes"
      case .leader: "leads"
      }
    let lost = node.lost.map { " lost=\($0.text)" } ?? ""
    return "\(id): \(role) term=\(node.term) vote=\(node.vote?.description ?? "none") "
      + "last=\(node.log.last.text) commit=\(node.commit) applied=\(member.applied) "
      + "\(node.membership.membership.text)\(lost)"
  }

  func logText(_ id: MemberID) -> [String] {
    guard let node = members[id]?.node else { return [] }
    return ["after \(node.log.base.text)"] + node.entries(from: .zero).map(\.text)
  }

  func progressText(_ id: MemberID) -> [String] {
    guard let node = members[id]?.node, case .leader(let state) = node.role else {
      return ["\(id) does not lead"]
    }
    return node.peers.map { peer in
      guard let progress = state.progress[peer] else { return "\(peer): unknown" }
      let flight = progress.flightCount
      return "\(peer): \(progress.state) match=\(progress.match) next=\(progress.next) "
        + "flight=\(flight.messages) messages \(flight.bytes) bytes silent=\(progress.silentTicks)"
    }
  }
}
