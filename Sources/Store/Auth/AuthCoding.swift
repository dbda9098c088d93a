// The encoding of commands about permissions, and of who makes a request; see CommandCoding.swift.

import BinaryCoding

extension ByteWriter {
  mutating func write(_ caller: Caller) {
    switch caller {
    case .cluster: write(UInt8(0))
    case .nobody: write(UInt8(1))
    case .user(let name, let provenAt):
      write(UInt8(2))
      write(name.bytes)
      write(provenAt)
    }
  }

  mutating func write(_ change: AuthChange) {
    switch change {
    case .enable: write(UInt8(0))
    case .disable: write(UInt8(1))
    case .addUser(let name, let hash):
      write(2, name)
      write(hash != nil)
      if let hash { write(hash) }
    case .deleteUser(let name): write(3, name)
    case .changePassword(let name, let hash):
      write(4, name)
      write(hash)
    case .giveRole(let role, let user):
      write(5, role)
      write(user.bytes)
    case .takeRole(let role, let user):
      write(6, role)
      write(user.bytes)
    case .addRole(let name): write(7, name)
    case .deleteRole(let name): write(8, name)
    case .grant(let permission, let role):
      write(9, role)
      write(permission.kind.rawValue)
      write(permission.range)
    case .revoke(let range, let role):
      write(10, role)
      write(range)
    case .admit(let user, let provenAt, let token, let issuedAt):
      write(11, user)
      write(provenAt)
      write(token.bytes)
      write(issuedAt)
    }
  }

  private mutating func write(_ tag: UInt8, _ name: AuthName) {
    write(tag)
    write(name.bytes)
  }
}

extension ByteReader {
  mutating func readCaller() throws(DecodingFailure) -> Caller {
    switch try readByte() {
    case 0: return .cluster
    case 1: return .nobody
    case 2: return .user(try readName(), provenAt: try read(UInt64.self))
    default: throw DecodingFailure("an unknown kind of caller")
    }
  }

  mutating func readAuthChange() throws(DecodingFailure) -> AuthChange {
    switch try readByte() {
    case 0: return .enable
    case 1: return .disable
    case 2:
      let name = try readName()
      return .addUser(name, passwordHash: try readBool() ? try readString() : nil)
    case 3: return .deleteUser(try readName())
    case 4: return .changePassword(try readName(), passwordHash: try readString())
    case 5: return .giveRole(try readName(), to: try readName())
    case 6: return .takeRole(try readName(), from: try readName())
    case 7: return .addRole(try readName())
    case 8: return .deleteRole(try readName())
    case 9:
      let role = try readName()
      guard let kind = Permission.Kind(rawValue: try readByte()) else {
        throw DecodingFailure("an unknown permission")
      }
      return .grant(Permission(kind, try readRange()), to: role)
    case 10:
      let role = try readName()
      return .revoke(try readRange(), from: role)
    case 11:
      return .admit(
        try readName(), provenAt: try read(UInt64.self), token: TokenDigest(try readBytes()),
        issuedAt: try read(Int64.self))
    default: throw DecodingFailure("an unknown change of permissions")
    }
  }

  private mutating func readName() throws(DecodingFailure) -> AuthName {
    AuthName(bytes: try readBytes())
  }
}
