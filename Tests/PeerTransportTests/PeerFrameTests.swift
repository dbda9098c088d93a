import BinaryCoding
import Cluster
import Raft
import Testing

@testable import PeerTransport

struct PeerFrameTests {
  private static let mark = SnapshotMark(index: LogIndex(4), term: Term(2))
  private static let bodies: [Message.Body] =
    [
      .preVoteRequest(last: mark), .preVoteReply(granted: true),
      .voteRequest(last: mark, isTransfer: true),
      .voteReply(granted: false),
      .append(
        previous: mark,
        entries: [
          Entry(term: Term(2), index: LogIndex(5), kind: .command, payload: [1, 2, 3]),
          Entry(
            term: Term(2), index: LogIndex(6), kind: .membership,
            payload: Membership(voters: [MemberID(1)], learners: [MemberID(4)]).encoded(context: [9]
            )),
        ],
        commit: LogIndex(4)),
      .appendAccepted(through: LogIndex(5)),
      .appendRejected(previous: LogIndex(9), hint: mark, hasLost: true),
      .committed(through: LogIndex(4)), .heartbeat(commit: LogIndex(3), token: 8),
      .heartbeatReply(token: 8),
      .forward(changes.enumerated().map { Proposal(id: UInt64($0), payload: [7], change: $1) }),
      .readRequest(ReadID(6)), .readReply(ReadID(6), index: LogIndex(5)), .timeoutNow,
    ] + reasons.map { .forwardRefused([1, 2], reason: $0) }
  private static let changes: [MembershipChange?] = [
    nil, .addVoter(MemberID(4)), .addLearner(MemberID(5)), .promote(MemberID(5)),
    .remove(MemberID(1)), .replace(voters: [MemberID(2), MemberID(3)], learners: [MemberID(9)]),
  ]
  private static let reasons: [DropReason] = [
    .noLeader, .transferring, .full, .membership(.pending), .membership(.exists(MemberID(1))),
    .membership(.unknown(MemberID(2))), .membership(.notLearner(MemberID(3))),
    .membership(.learnerBehind(MemberID(4))), .membership(.noVoters),
    .membership(.wouldLoseQuorum), .membership(.tooMany(limit: 64)),
  ]

  private static let leaseBodies: [LeaseMessage.Body] = [
    .question(.renew(id: -4)), .question(.timeLeft(id: 4)), .answer(.alive(left: 1, ttl: 2)),
    .answer(.unknown), .answer(.undecided),
  ]

  private static func message(_ body: Message.Body) -> Message {
    Message(from: MemberID(1), to: MemberID(2), term: Term(3), body: body)
  }

  @Test func everyFrameReadsBack() throws {
    let frames: [PeerFrame] =
      [
        .hello(.init(cluster: 1, from: MemberID(2), to: MemberID(3), urls: ["http://a:1", ""])),
        .messages(Self.bodies.map(Self.message)),
        .snapshotBegin(term: Term(3), mark: Self.mark, bytes: 99), .snapshotChunk([1, 2]),
        .snapshotEnd(crc: 7), .verdict(accepted: true), .refused(reason: "no"), .inquiry,
        .removed,
        .roster(.init(cluster: 9, peers: [Peer(id: MemberID(1), name: "a", urls: ["http://a:1"])])),
      ]
      + Self.leaseBodies.map { body in
        .lease(LeaseMessage(from: MemberID(1), to: MemberID(2), number: 3, body: body))
      }
    for frame in frames {
      let bytes = frame.encoded()
      #expect(try PeerFrame(decoding: Array(bytes[4...])) == frame)
      let length = bytes[..<4].reversed().reduce(0) { $0 << 8 | Int($1) }
      #expect(length == bytes.count - 4)
    }
  }

  @Test func noPrefixOfAFrameIsOne() {
    let bytes = Array(PeerFrame.messages(Self.bodies.map(Self.message)).encoded()[4...])
    for length in 0..<bytes.count {
      #expect(throws: DecodingFailure.self) { try PeerFrame(decoding: Array(bytes[..<length])) }
    }
  }

  @Test func aSnapshotsArrivalIsNotToldByOthers() {
    let frame = PeerFrame.messages([
      Self.message(
        .installSnapshot(mark: Self.mark, membership: .init(index: .zero, membership: .unknown)))
    ]).encoded()
    #expect(throws: DecodingFailure.self) { try PeerFrame(decoding: Array(frame[4...])) }
  }

  @Test func largeBatchesAreSplitAndNothingIsLost() {
    let proposal = Proposal(id: 1, payload: [UInt8](repeating: 1, count: 1000))
    let messages = (0..<10).map { _ in Self.message(.forward([proposal, proposal])) }
    let parts = messages.split(atBytes: 2500)
    #expect(parts.count == 10)
    #expect(parts.flatMap { $0 } == messages)
    let single = [Self.message(.forward([proposal, proposal, proposal]))]
    #expect(single.split(atBytes: 1500).count == 3)
  }

  @Test func addressesAreReadAsEtcdWritesThem() {
    #expect(PeerAddress(url: "http://127.0.0.1:2380") == PeerAddress(host: "127.0.0.1", port: 2380))
    #expect(PeerAddress(url: "http://[::1]:2380")?.host == "::1")
    for bad in ["127.0.0.1:2380", "http://host", "https://host:1", "http://:1", "http://h:99999"] {
      #expect(PeerAddress(url: bad) == nil)
    }
  }
}
