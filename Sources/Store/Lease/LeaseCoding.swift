// The encoding of commands about leases; see CommandCoding.swift.

import BinaryCoding

extension ByteWriter {
  mutating func write(_ change: LeaseChange) {
    switch change {
    case .grant(let id, let ttl):
      write(UInt8(0))
      write(id)
      write(ttl)
    case .revoke(let id):
      write(UInt8(1))
      write(id)
    case .expire(let id, let grantedAt, let term):
      write(UInt8(2))
      write(id)
      write(grantedAt)
      write(term)
    case .checkpoint(let checkpoints, let term):
      write(UInt8(3))
      write(term)
      write(UInt32(checkpoints.count))
      for checkpoint in checkpoints {
        write(checkpoint.id)
        write(checkpoint.grantedAt)
        write(checkpoint.remaining)
      }
    }
  }
}

extension ByteReader {
  mutating func readLeaseChange() throws(DecodingFailure) -> LeaseChange {
    switch try readByte() {
    case 0: return .grant(id: try read(Int64.self), ttl: try read(Int64.self))
    case 1: return .revoke(id: try read(Int64.self))
    case 2:
      return .expire(
        id: try read(Int64.self), grantedAt: try read(UInt64.self), term: try read(UInt64.self))
    case 3:
      let term = try read(UInt64.self)
      var checkpoints: [LeaseCheckpoint] = []
      for _ in 0..<(try readCount(minimumSize: 24)) {
        checkpoints.append(
          LeaseCheckpoint(
            id: try read(Int64.self), grantedAt: try read(UInt64.self),
            remaining: try read(Int64.self)))
      }
      return .checkpoint(checkpoints, term: term)
    default: throw DecodingFailure("an unknown change of leases")
    }
  }
}
