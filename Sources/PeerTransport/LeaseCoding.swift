import BinaryCoding
import Cluster
import Raft

// A question about a lease, and its answer: who asks whom (ids), the number of the question, a tag, and
// up to two integers.

extension ByteWriter {
  mutating func write(_ message: LeaseMessage) {
    write(message.from.rawValue)
    write(message.to.rawValue)
    write(message.number)
    switch message.body {
    case .question(.renew(let id)): write(0, id, 0)
    case .question(.timeLeft(let id)): write(1, id, 0)
    case .answer(.alive(let left, let ttl)): write(2, left, ttl)
    case .answer(.unknown): write(3, 0, 0)
    case .answer(.undecided): write(4, 0, 0)
    }
  }

  private mutating func write(_ tag: UInt8, _ first: Int64, _ second: Int64) {
    write(tag)
    write(first)
    write(second)
  }
}

extension ByteReader {
  mutating func readLeaseMessage() throws(DecodingFailure) -> LeaseMessage {
    let (from, to) = (try read(UInt64.self), try read(UInt64.self))
    let number = try read(UInt64.self)
    let tag = try readByte()
    let (first, second) = (try read(Int64.self), try read(Int64.self))
    let body: LeaseMessage.Body
    switch tag {
    case 0: body = .question(.renew(id: first))
    case 1: body = .question(.timeLeft(id: first))
    case 2: body = .answer(.alive(left: first, ttl: second))
    case 3: body = .answer(.unknown)
    case 4: body = .answer(.undecided)
    default: throw DecodingFailure("an unknown message about leases")
    }
    return LeaseMessage(from: MemberID(from), to: MemberID(to), number: number, body: body)
  }
}
