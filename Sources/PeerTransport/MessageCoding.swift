// How messages stand in a frame: see `PeerFrame.swift`.

import BinaryCoding
import Raft

extension ByteWriter {
  mutating func write(_ mark: SnapshotMark) {
    write(mark.index.rawValue)
    write(mark.term.rawValue)
  }

  mutating func write(_ message: Message) {
    write(message.from.rawValue)
    write(message.to.rawValue)
    write(message.term.rawValue)
    write(message.body)
  }

  private mutating func write(_ body: Message.Body) {
    switch body {
    case .preVoteRequest(let last):
      write(UInt8(1))
      write(last)
    case .preVoteReply(let granted):
      write(UInt8(2))
      write(granted)
    case .voteRequest(let last, let isTransfer):
      write(UInt8(3))
      write(last)
      write(isTransfer)
    case .voteReply(let granted):
      write(UInt8(4))
      write(granted)
    case .append(let previous, let entries, let commit):
      write(UInt8(5))
      write(previous)
      write(commit.rawValue)
      write(UInt32(entries.count))
      for entry in entries { write(entry) }
    case .appendAccepted(let through):
      write(UInt8(6))
      write(through.rawValue)
    case .appendRejected(let previous, let hint, let hasLost):
      write(UInt8(7))
      write(previous.rawValue)
      write(hint)
      write(hasLost)
    case .heartbeat(let commit, let token):
      write(UInt8(8))
      write(commit.rawValue)
      write(token)
    case .heartbeatReply(let token):
      write(UInt8(9))
      write(token)
    // A member says that only to itself, once a stream has arrived: no reader takes it.
    case .installSnapshot: write(UInt8(10))
    case .forward(let proposals):
      write(UInt8(11))
      write(UInt32(proposals.count))
      for proposal in proposals { write(proposal) }
    case .forwardRefused(let ids, let reason):
      write(UInt8(14))
      write(UInt32(ids.count))
      for id in ids { write(id) }
      write(reason)
    case .timeoutNow: write(UInt8(15))
    case .committed(let through):
      write(UInt8(16))
      write(through.rawValue)
    case .readRequest(let id):
      write(UInt8(12))
      write(id.rawValue)
    case .readReply(let id, let index):
      write(UInt8(13))
      write(id.rawValue)
      write(index.rawValue)
    }
  }
}

extension ByteWriter {
  private mutating func write(_ entry: Entry) {
    write(entry.term.rawValue)
    write(entry.index.rawValue)
    write(entry.kind.rawValue)
    write(entry.payload)
  }
}

extension ByteReader {
  private mutating func readIndex() throws(DecodingFailure) -> LogIndex {
    let index = LogIndex(try read(UInt64.self))
    guard index.rawValue < 1 << 62 else { throw DecodingFailure("an implausible index") }
    return index
  }

  mutating func readMark() throws(DecodingFailure) -> SnapshotMark {
    SnapshotMark(index: try readIndex(), term: Term(try read(UInt64.self)))
  }

  mutating func readMessage() throws(DecodingFailure) -> Message {
    let from = MemberID(try read(UInt64.self))
    let to = MemberID(try read(UInt64.self))
    let term = Term(try read(UInt64.self))
    // Numbers that could overflow are no numbers of a cluster's life.
    guard term.rawValue < 1 << 62 else { throw DecodingFailure("an implausible term") }
    return Message(from: from, to: to, term: term, body: try readBody())
  }

  private mutating func readBody() throws(DecodingFailure) -> Message.Body {
    switch try readByte() {
    case 1: return .preVoteRequest(last: try readMark())
    case 2: return .preVoteReply(granted: try readBool())
    case 3: return .voteRequest(last: try readMark(), isTransfer: try readBool())
    case 4: return .voteReply(granted: try readBool())
    case 5:
      let previous = try readMark()
      let commit = try readIndex()
      var entries: [Entry] = []
      for _ in 0..<(try readCount(minimumSize: 21)) { entries.append(try readEntry()) }
      return .append(previous: previous, entries: entries, commit: commit)
    case 6: return .appendAccepted(through: try readIndex())
    case 7:
      return .appendRejected(
        previous: try readIndex(), hint: try readMark(), hasLost: try readBool())
    case 8: return .heartbeat(commit: try readIndex(), token: try read(UInt64.self))
    case 9: return .heartbeatReply(token: try read(UInt64.self))
    // 10 says that a snapshot has arrived: only the receiving member says so, to itself.
    case 11:
      var proposals: [Proposal] = []
      for _ in 0..<(try readCount(minimumSize: 13)) { proposals.append(try readProposal()) }
      return .forward(proposals)
    case 12: return .readRequest(ReadID(try read(UInt64.self)))
    case 13: return .readReply(ReadID(try read(UInt64.self)), index: try readIndex())
    case 14:
      var ids: [UInt64] = []
      for _ in 0..<(try readCount(minimumSize: 8)) { ids.append(try read(UInt64.self)) }
      return .forwardRefused(ids, reason: try readDropReason())
    case 15: return .timeoutNow
    case 16: return .committed(through: try readIndex())
    default: throw DecodingFailure("an unknown message")
    }
  }

  private mutating func readEntry() throws(DecodingFailure) -> Entry {
    let term = Term(try read(UInt64.self))
    let index = try readIndex()
    guard let kind = Entry.Kind(rawValue: try readByte()) else {
      throw DecodingFailure("an unknown kind of entry")
    }
    let payload = try readBytes()
    // Once it is in a log it must be readable: it would stop every member.
    guard kind != .membership || Membership.decode(payload) != nil else {
      throw DecodingFailure("a membership that can't be read")
    }
    return Entry(term: term, index: index, kind: kind, payload: payload)
  }
}
