// What members send each other over TCP. Integers are little-endian.
//
//   0  length of what follows the length (u32)      4  kind (u8)      5  body
//
// The first frame of a connection is a hello in the direction in which it was opened. Then either
// batches of messages follow, or one snapshot: begin, chunks, end; the receiver answers with a
// verdict. A receiver that does not belong to the sender's cluster answers with a refusal and
// closes. A frame that breaks these rules closes the connection.

import BinaryCoding
import Raft

package enum PeerLimits {
  /// A frame holds at most one command of the largest size, and what goes with it.
  package static let frameBytes = 80 << 20
  /// Messages are put into one frame up to here; one larger message travels alone.
  package static let frameTargetBytes = 4 << 20
  /// Bytes that wait for a peer; more are dropped, and Raft sends them again.
  package static let queuedBytes = 160 << 20
  package static let snapshotChunkBytes = 256 << 10
  /// A peer that takes no chunk for this long counts as gone.
  package static let snapshotChunkSeconds: Int64 = 20
  /// A peer that takes this long to check a snapshot counts as gone.
  package static let snapshotReplySeconds: Int64 = 120
}

enum PeerFrame: Hashable {
  case hello(Hello)
  case messages([Message])
  case snapshotBegin(term: Term, mark: SnapshotMark, bytes: UInt64)
  case snapshotChunk([UInt8])
  case snapshotEnd(crc: UInt32)
  case verdict(accepted: Bool)
  case refused(reason: String)

  struct Hello: Hashable {
    static let magic: UInt64 = 0x3130_5245_4550_5343  // "CSPEER01"
    var cluster: UInt64
    var from: MemberID
    var to: MemberID
  }

  /// The frame with its length.
  func encoded() -> [UInt8] {
    var writer = ByteWriter(reservingCapacity: 256)
    writer.write(UInt32(0))
    switch self {
    case .hello(let hello):
      writer.write(UInt8(1))
      writer.write(Hello.magic)
      writer.write(hello.cluster)
      writer.write(hello.from.rawValue)
      writer.write(hello.to.rawValue)
    case .messages(let messages):
      writer.write(UInt8(2))
      writer.write(UInt32(messages.count))
      for message in messages { writer.write(message) }
    case .snapshotBegin(let term, let mark, let bytes):
      writer.write(UInt8(3))
      writer.write(term.rawValue)
      writer.write(mark)
      writer.write(bytes)
    case .snapshotChunk(let bytes):
      writer.write(UInt8(4))
      writer.write(raw: bytes)
    case .snapshotEnd(let crc):
      writer.write(UInt8(5))
      writer.write(crc)
    case .verdict(let accepted):
      writer.write(UInt8(6))
      writer.write(accepted)
    case .refused(let reason):
      writer.write(UInt8(7))
      writer.write(reason)
    }
    writer.patch(UInt32(writer.count - 4), at: 0)
    return writer.bytes
  }

  /// A frame from its kind and body.
  init(decoding bytes: [UInt8]) throws(DecodingFailure) {
    var reader = ByteReader(bytes)
    switch try reader.readByte() {
    case 1:
      guard try reader.read(UInt64.self) == Hello.magic else {
        throw DecodingFailure("the other side is no member")
      }
      self = .hello(
        Hello(
          cluster: try reader.read(UInt64.self), from: MemberID(try reader.read(UInt64.self)),
          to: MemberID(try reader.read(UInt64.self))))
    case 2:
      var messages: [Message] = []
      for _ in 0..<(try reader.readCount(minimumSize: 25)) {
        messages.append(try reader.readMessage())
      }
      self = .messages(messages)
    case 3:
      self = .snapshotBegin(
        term: Term(try reader.read(UInt64.self)), mark: try reader.readMark(),
        bytes: try reader.read(UInt64.self))
    case 4: self = .snapshotChunk(try reader.readRaw(reader.remaining))
    case 5: self = .snapshotEnd(crc: try reader.read(UInt32.self))
    case 6: self = .verdict(accepted: try reader.readBool())
    case 7: self = .refused(reason: try reader.readString())
    default: throw DecodingFailure("an unknown kind of frame")
    }
    try reader.expectEnd()
  }
}

extension ByteWriter {
  fileprivate mutating func write(_ mark: SnapshotMark) {
    write(mark.index.rawValue)
    write(mark.term.rawValue)
  }

  fileprivate mutating func write(_ message: Message) {
    write(message.from.rawValue)
    write(message.to.rawValue)
    write(message.term.rawValue)
    switch message.body {
    case .preVoteRequest(let last):
      write(UInt8(1))
      write(last)
    case .preVoteReply(let granted):
      write(UInt8(2))
      write(granted)
    case .voteRequest(let last):
      write(UInt8(3))
      write(last)
    case .voteReply(let granted):
      write(UInt8(4))
      write(granted)
    case .append(let previous, let entries, let commit):
      write(UInt8(5))
      write(previous)
      write(commit.rawValue)
      write(UInt32(entries.count))
      for entry in entries {
        write(entry.term.rawValue)
        write(entry.index.rawValue)
        write(entry.kind.rawValue)
        write(entry.payload)
      }
    case .appendAccepted(let through):
      write(UInt8(6))
      write(through.rawValue)
    case .appendRejected(let previous, let hint):
      write(UInt8(7))
      write(previous.rawValue)
      write(hint)
    case .heartbeat(let commit, let token):
      write(UInt8(8))
      write(commit.rawValue)
      write(token)
    case .heartbeatReply(let token):
      write(UInt8(9))
      write(token)
    case .installSnapshot(let mark):
      write(UInt8(10))
      write(mark)
    case .forward(let payloads):
      write(UInt8(11))
      write(UInt32(payloads.count))
      for payload in payloads { write(payload) }
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

extension ByteReader {
  fileprivate mutating func readIndex() throws(DecodingFailure) -> LogIndex {
    let index = LogIndex(try read(UInt64.self))
    guard index.rawValue < 1 << 62 else { throw DecodingFailure("an implausible index") }
    return index
  }

  fileprivate mutating func readMark() throws(DecodingFailure) -> SnapshotMark {
    SnapshotMark(index: try readIndex(), term: Term(try read(UInt64.self)))
  }

  fileprivate mutating func readMessage() throws(DecodingFailure) -> Message {
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
    case 3: return .voteRequest(last: try readMark())
    case 4: return .voteReply(granted: try readBool())
    case 5:
      let previous = try readMark()
      let commit = try readIndex()
      var entries: [Entry] = []
      for _ in 0..<(try readCount(minimumSize: 21)) { entries.append(try readEntry()) }
      return .append(previous: previous, entries: entries, commit: commit)
    case 6: return .appendAccepted(through: try readIndex())
    case 7: return .appendRejected(previous: try readIndex(), hint: try readMark())
    case 8: return .heartbeat(commit: try readIndex(), token: try read(UInt64.self))
    case 9: return .heartbeatReply(token: try read(UInt64.self))
    // 10 says that a snapshot has arrived: only the receiving member says so, to itself.
    case 11:
      var payloads: [[UInt8]] = []
      for _ in 0..<(try readCount(minimumSize: 4)) { payloads.append(try readBytes()) }
      return .forward(payloads: payloads)
    case 12: return .readRequest(ReadID(try read(UInt64.self)))
    case 13: return .readReply(ReadID(try read(UInt64.self)), index: try readIndex())
    default: throw DecodingFailure("an unknown message")
    }
  }

  private mutating func readEntry() throws(DecodingFailure) -> Entry {
    let term = Term(try read(UInt64.self))
    let index = try readIndex()
    guard let kind = Entry.Kind(rawValue: try readByte()) else {
      throw DecodingFailure("an unknown kind of entry")
    }
    return Entry(term: term, index: index, kind: kind, payload: try readBytes())
  }
}

extension Message {
  /// About what the message takes in a frame.
  fileprivate var byteCount: Int {
    switch body {
    case .append(_, let entries, _): entries.reduce(64) { $0 + $1.payload.count + 32 }
    case .forward(let payloads): payloads.reduce(64) { $0 + $1.count + 4 }
    default: 64
    }
  }

  /// Proposals may be passed on one by one.
  fileprivate var parts: [Message] {
    guard case .forward(let payloads) = body, payloads.count > 1 else { return [self] }
    return payloads.map {
      Message(from: from, to: to, term: term, body: .forward(payloads: [$0]))
    }
  }
}

extension [Message] {
  /// Runs of messages of at most so many bytes; a larger one alone.
  func split(atBytes limit: Int) -> [[Message]] {
    var parts: [[Message]] = []
    var size = 0
    for message in flatMap({ $0.byteCount > limit ? $0.parts : [$0] }) {
      let bytes = message.byteCount
      if parts.isEmpty || size + bytes > limit {
        parts.append([])
        size = 0
      }
      parts[parts.count - 1].append(message)
      size += bytes
    }
    return parts
  }
}
