// The encoding of commands about members; see CommandCoding.swift.

import BinaryCoding

extension ByteWriter {
  mutating func write(_ member: MemberAttributes) {
    write(member.id)
    write(member.name)
    write(member.clientURLs)
  }

  mutating func write(_ change: MemberChange) {
    switch change {
    case .add(let id, let urls): write(0, id, urls)
    case .remove(let id): write(1, id, [])
    case .promote(let id): write(2, id, [])
    case .relocate(let id, let urls): write(3, id, urls)
    case .found(let founders):
      write(UInt8(4))
      write(UInt32(founders.count))
      for founder in founders { write(founder.id, founder.peerURLs) }
    }
  }

  private mutating func write(_ kind: UInt8, _ id: UInt64, _ urls: [String]) {
    write(kind)
    write(id, urls)
  }

  private mutating func write(_ id: UInt64, _ urls: [String]) {
    write(id)
    write(urls)
  }

  private mutating func write(_ urls: [String]) {
    write(UInt32(urls.count))
    for url in urls { write(url) }
  }
}

extension ByteReader {
  mutating func readAttributes() throws(DecodingFailure) -> MemberAttributes {
    MemberAttributes(
      id: try read(UInt64.self), name: try readString(), clientURLs: try readURLs())
  }

  mutating func readMemberChange() throws(DecodingFailure) -> MemberChange {
    let kind = try readByte()
    if kind == 4 {
      var founders: [Founder] = []
      for _ in 0..<(try readCount(minimumSize: 12)) { founders.append(try readFounder()) }
      return .found(founders)
    }
    let member = try readFounder()
    switch kind {
    case 0: return .add(id: member.id, peerURLs: member.peerURLs)
    case 1: return .remove(id: member.id)
    case 2: return .promote(id: member.id)
    case 3: return .relocate(id: member.id, peerURLs: member.peerURLs)
    default: throw DecodingFailure("an unknown change of members")
    }
  }

  private mutating func readFounder() throws(DecodingFailure) -> Founder {
    Founder(id: try read(UInt64.self), peerURLs: try readURLs())
  }

  private mutating func readURLs() throws(DecodingFailure) -> [String] {
    var urls: [String] = []
    for _ in 0..<(try readCount(minimumSize: 4)) { urls.append(try readString()) }
    return urls
  }
}
