// What members send each other over TCP. Integers are little-endian.
//
//   0  length of what follows the length (u32)      4  kind (u8)      5  body
//
// The first frame of a connection is a hello in the direction in which it was opened. Then either
// batches of messages and questions about leases follow, or one snapshot: begin, chunks, end; the
// receiver answers with a verdict. A receiver that does not belong to the sender's cluster answers with a refusal and
// closes. Instead of a hello a member that wants to join may inquire: it is answered with the roster.
// A frame that breaks these rules closes the connection.

import BinaryCoding
import Cluster
import Raft

package enum PeerLimits {
  /// A frame holds at most one command of the largest size, and what goes with it.
  package static let frameBytes = 80 << 20
  /// A greeting, and what it may be answered: all that a stranger can make anybody hold. The roster of the largest
  /// cluster leaves 16 KiB for each member's URLs.
  package static let greetingBytes = 1 << 20
  /// Whoever opens a connection and takes this long to say who they are is disconnected.
  package static let greetingSeconds: Int64 = 10
  /// A peer that acknowledges nothing, or takes nothing, for this long counts as unreachable, and is connected to anew: what is sent
  /// again on the old connection goes out after pauses that double, up to two minutes (RFC 6298). Of etcd's streams, too.
  package static let silentSeconds = 5
  /// Messages are put into one frame up to here; one larger message travels alone.
  package static let frameTargetBytes = 4 << 20
  /// Bytes that wait for a peer; more are dropped, and Raft sends them again.
  package static let queuedBytes = 160 << 20
  /// A member that takes this long to say who its cluster is counts as away.
  package static let inquirySeconds: Int64 = 5
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
  /// The member that has come was removed from the cluster for good.
  case removed
  /// "Who are you?", of one that does not know the cluster yet.
  case inquiry
  case roster(Roster)
  case lease(LeaseMessage)

  struct Hello: Hashable {
    /// What a member of another version is told.
    static let versionRefusal =
      "this one speaks another version of the members' protocol: upgrade the older of the two"
    static let otherVersion = DecodingFailure(
      "the other side is no member, or one of another version")
    static let magic: UInt64 = 0x3430_5245_4550_5343  // "CSPEER04"
    var cluster: UInt64
    var from: MemberID
    var to: MemberID
    /// Where the sender is reached: the receiver may not know it yet.
    var urls: [String]
  }

  struct Roster: Hashable {
    var cluster: UInt64
    var peers: [Peer]
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
      writer.write(hello.urls)
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
    case .removed: writer.write(UInt8(10))
    case .inquiry:
      writer.write(UInt8(8))
      writer.write(Hello.magic)
    case .roster(let roster):
      writer.write(UInt8(9))
      writer.write(roster)
    case .lease(let message):
      writer.write(UInt8(11))
      writer.write(message)
    }
    writer.patch(UInt32(writer.count - 4), at: 0)
    return writer.bytes
  }

  /// A frame from its kind and body.
  init(decoding bytes: [UInt8]) throws(DecodingFailure) {
    var reader = ByteReader(bytes)
    switch try reader.readByte() {
    case 1:
      try reader.expectMagic()
      self = .hello(
        Hello(
          cluster: try reader.read(UInt64.self), from: MemberID(try reader.read(UInt64.self)),
          to: MemberID(try reader.read(UInt64.self)), urls: try reader.readURLs()))
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
    case 8:
      try reader.expectMagic()
      self = .inquiry
    case 9: self = .roster(try reader.readRoster())
    case 10: self = .removed
    case 11: self = .lease(try reader.readLeaseMessage())
    default: throw DecodingFailure("an unknown kind of frame")
    }
    try reader.expectEnd()
  }
}

extension Message {
  /// About what the message takes in a frame.
  fileprivate var byteCount: Int {
    switch body {
    case .append(_, let entries, _): entries.reduce(64) { $0 + $1.payload.count + 32 }
    case .forward(let proposals): proposals.reduce(64) { $0 + $1.payload.count + 16 }
    default: 64
    }
  }

  /// Proposals may be passed on one by one.
  fileprivate var parts: [Message] {
    guard case .forward(let proposals) = body, proposals.count > 1 else { return [self] }
    return proposals.map { Message(from: from, to: to, term: term, body: .forward([$0])) }
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
