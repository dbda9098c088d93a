/// Users, roles and permissions as of one moment, for deciding; replicated, so equal on every member.
package struct AuthState: Sendable {
  package struct User: Hashable, Sendable {
    /// nil for one without a password.
    package var passwordHash: String?
    /// The revision that made the user, or last changed the password.
    package var since: UInt64
    /// Ascending.
    package var roles: [AuthName]
  }

  package var version: AuthVersion
  package internal(set) var users: [AuthName: User] = [:]
  /// The permissions of each role, ascending by range.
  package internal(set) var roles: [AuthName: [Permission]] = [:]
  /// By the roles that a user has.
  private var grants: [[AuthName]: Grants] = [:]

  init(version: AuthVersion) { self.version = version }

  package var isEnabled: Bool { version.isEnabled }

  /// What a caller may do.
  ///
  /// - Throws: `AuthError.callerUnknown` without a token, `.tokenInvalid` with one that counts no more.
  package func rights(of caller: Caller) throws(StoreError) -> Rights {
    guard isEnabled else { return .everything }
    switch caller {
    case .cluster: return .everything
    case .nobody: throw .auth(.callerUnknown)
    case .user(let name, let provenAt):
      guard let user = users[name], provenAt <= version.revision,
        provenAt >= max(user.since, version.enabledAt ?? 0)
      else {
        throw .auth(.tokenInvalid)
      }
      return user.roles.contains(.root) ? .everything : .some(grants[user.roles] ?? Grants())
    }
  }

  /// Computes what each set of roles that somebody has grants them together.
  ///
  /// - Complexity: O(*p* log *p*) in the permissions of each such set.
  mutating func collectGrants() {
    grants = [:]
    for list in Set(users.values.map(\.roles)) {
      let permissions = list.flatMap { roles[$0] ?? [] }
      var granted = Grants()
      granted.readable.insert(permissions.filter(\.kind.reads).map(\.range))
      granted.writable.insert(permissions.filter(\.kind.writes).map(\.range))
      grants[list] = granted
    }
  }
}

/// Names a state of the permissions: no two that differ have the same.
package struct AuthVersion: Hashable, Sendable {
  /// One more with each change (etcd's `authRevision`); 1 before the first.
  package var revision: UInt64
  /// The revision at which they were switched on, and from which proofs count; nil while they are off.
  package var enabledAt: UInt64?
  package var isEnabled: Bool { enabledAt != nil }
  package static let initial = AuthVersion(revision: 1)
}

/// The keys that a user may read and write.
package struct Grants: Sendable {
  var readable = KeyRangeSet()
  var writable = KeyRangeSet()
}

/// What a caller may do.
package enum Rights: Sendable {
  case everything
  case some(Grants)

  /// - Throws: `AuthError.permissionDenied`, as the others do.
  package func checkRoot() throws(StoreError) {
    guard case .everything = self else { throw .auth(.permissionDenied) }
  }

  package func checkRead(_ range: KeyRange) throws(StoreError) {
    if case .some(let grants) = self, !grants.readable.covers(range) {
      throw .auth(.permissionDenied)
    }
  }

  package func checkWrite(_ range: KeyRange) throws(StoreError) {
    if case .some(let grants) = self, !grants.writable.covers(range) {
      throw .auth(.permissionDenied)
    }
  }
}
