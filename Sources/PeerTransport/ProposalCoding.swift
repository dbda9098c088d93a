import BinaryCoding
import Cluster
import Raft

// What goes beside messages about members: proposals with their changes, refusals, and rosters.

extension ByteWriter {
  mutating func write(_ urls: [String]) {
    write(UInt32(urls.count))
    for url in urls { write(url) }
  }

  mutating func write(_ roster: PeerFrame.Roster) {
    write(roster.cluster)
    write(UInt32(roster.peers.count))
    for peer in roster.peers {
      write(peer.id.rawValue)
      write(peer.name)
      write(peer.urls)
    }
  }

  mutating func write(_ proposal: Proposal) {
    write(proposal.id)
    write(proposal.payload)
    switch proposal.change {
    case nil: write(UInt8(0))
    case .addVoter(let id): write(1, id)
    case .addLearner(let id): write(2, id)
    case .promote(let id): write(3, id)
    case .remove(let id): write(4, id)
    case .replace(let voters, let learners):
      write(UInt8(5))
      for list in [voters, learners] {
        write(UInt32(list.count))
        for id in list { write(id.rawValue) }
      }
    }
  }

  private mutating func write(_ tag: UInt8, _ id: MemberID) {
    write(tag)
    write(id.rawValue)
  }

  mutating func write(_ reason: DropReason) {
    switch reason {
    case .noLeader: write(UInt8(0))
    case .transferring: write(UInt8(1))
    case .full: write(UInt8(2))
    case .membership(let refusal):
      write(UInt8(3))
      write(refusal)
    }
  }

  private mutating func write(_ refusal: MembershipRefusal) {
    switch refusal {
    case .pending: write(0, MemberID(0))
    case .exists(let id): write(1, id)
    case .unknown(let id): write(2, id)
    case .notLearner(let id): write(3, id)
    case .learnerBehind(let id): write(4, id)
    case .noVoters: write(5, MemberID(0))
    case .wouldLoseQuorum: write(6, MemberID(0))
    case .tooMany(let limit): write(7, MemberID(UInt64(limit)))
    }
  }
}

extension ByteReader {
  mutating func expectMagic() throws(DecodingFailure) {
    guard try read(UInt64.self) == PeerFrame.Hello.magic else {
      throw PeerFrame.Hello.otherVersion
    }
  }

  mutating func readURLs() throws(DecodingFailure) -> [String] {
    var urls: [String] = []
    for _ in 0..<(try readCount(minimumSize: 4)) { urls.append(try readString()) }
    return urls
  }

  mutating func readRoster() throws(DecodingFailure) -> PeerFrame.Roster {
    let cluster = try read(UInt64.self)
    var peers: [Peer] = []
    for _ in 0..<(try readCount(minimumSize: 16)) {
      peers.append(
        Peer(
          id: MemberID(try read(UInt64.self)), name: try readString(), urls: try readURLs()))
    }
    return PeerFrame.Roster(cluster: cluster, peers: peers)
  }

  mutating func readProposal() throws(DecodingFailure) -> Proposal {
    let id = try read(UInt64.self)
    let payload = try readBytes()
    return Proposal(id: id, payload: payload, change: try readChange())
  }

  private mutating func readChange() throws(DecodingFailure) -> MembershipChange? {
    switch try readByte() {
    case 0: return nil
    case 1: return .addVoter(try readMember())
    case 2: return .addLearner(try readMember())
    case 3: return .promote(try readMember())
    case 4: return .remove(try readMember())
    case 5: return .replace(voters: try readMembers(), learners: try readMembers())
    default: throw DecodingFailure("an unknown change of members")
    }
  }

  private mutating func readMember() throws(DecodingFailure) -> MemberID {
    MemberID(try read(UInt64.self))
  }

  private mutating func readMembers() throws(DecodingFailure) -> [MemberID] {
    var members: [MemberID] = []
    for _ in 0..<(try readCount(minimumSize: 8)) { members.append(try readMember()) }
    guard members.count <= Membership.memberLimit else {
      throw DecodingFailure("\(members.count) members")
    }
    return members
  }

  mutating func readDropReason() throws(DecodingFailure) -> DropReason {
    switch try readByte() {
    case 0: return .noLeader
    case 1: return .transferring
    case 2: return .full
    case 3: return .membership(try readRefusal())
    default: throw DecodingFailure("an unknown reason")
    }
  }

  private mutating func readRefusal() throws(DecodingFailure) -> MembershipRefusal {
    let tag = try readByte()
    let id = try readMember()
    switch tag {
    case 0: return .pending
    case 1: return .exists(id)
    case 2: return .unknown(id)
    case 3: return .notLearner(id)
    case 4: return .learnerBehind(id)
    case 5: return .noVoters
    case 6: return .wouldLoseQuorum
    case 7: return .tooMany(limit: Int(min(id.rawValue, 1 << 20)))
    default: throw DecodingFailure("an unknown refusal")
    }
  }
}
