package import Raft

/// Why the log can't be opened or written.
package enum LogError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The operating system refused; after a failed write or sync nothing may be assumed durable.
  case io(operation: String, path: String, errno: Int32)
  /// The log can't be read, and can't tell what it has lost. Nothing was cut or written.
  case damaged(path: String, offset: Int, reason: String)
  /// The directory belongs to another member or another cluster.
  case foreign(path: String, found: LogIdentity, expected: LogIdentity)
  /// Another process has the directory open.
  case locked(path: String)

  package var description: String {
    switch self {
    case .io(let operation, let path, let code):
      return "\(operation) \(path): \(errorText(code))"
    case .damaged(let path, let offset, let reason):
      return "\(path) is damaged at byte \(offset): \(reason). Nothing was changed. The other "
        + "members hold what this one lost: keep a copy of this directory, and replace the member"
    case .foreign(let path, let found, let expected):
      return "\(path) belongs to member \(found.member) of cluster \(hex(found.cluster)); this is "
        + "member \(expected.member) of cluster \(hex(expected.cluster)). Check --data-dir, --name "
        + "and --initial-cluster"
    case .locked(let path):
      return "\(path) is in use by another process. Two members can't share a data directory"
    }
  }

  private func hex(_ value: UInt64) -> String { String(value, radix: 16) }
}

/// What a log that was once durable has lost; what it holds before that is right.
package struct LogDamage: Hashable, Sendable {
  package var path: String
  package var offset: Int
  package var reason: String
}

/// Whose log it is.
package struct LogIdentity: Hashable, Sendable {
  package var cluster: UInt64
  package var member: MemberID
  package init(cluster: UInt64, member: MemberID) {
    self.cluster = cluster
    self.member = member
  }
}
