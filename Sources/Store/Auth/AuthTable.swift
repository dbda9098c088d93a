import Foundation
import GRDB

/// Users, roles and permissions in the state database.
///
/// Texts and rules are etcd's: a role that is given or taken has to exist, but for `root`; a user keeps no
/// role that is deleted; with permissions switched on, root stays root.
struct AuthTable {
  let db: Database

  // MARK: - Reading

  /// - Complexity: O(*n*) in users, roles and permissions.
  func read() throws -> AuthState {
    var state = AuthState(version: try StorePosition.read(db).auth)
    for row in try Row.fetchAll(db, sql: "SELECT name, password, since FROM users") {
      state.users[try row.name(0)] = AuthState.User(
        passwordHash: row[1], since: UInt64(bitPattern: row[2]), roles: [])
    }
    for row in try Row.fetchAll(db, sql: "SELECT user, role FROM userRoles ORDER BY user, role") {
      state.users[try row.name(0)]?.roles.append(try row.name(1))
    }
    for row in try Row.fetchAll(db, sql: "SELECT name FROM roles") {
      state.roles[try row.name(0)] = []
    }
    let permissions = try Row.fetchAll(
      db,
      sql: "SELECT role, kind, start, rangeEnd FROM permissions ORDER BY role, start, rangeEnd")
    for row in permissions {
      guard let kind = Permission.Kind(rawValue: row[1]) else {
        throw StateDatabaseError("it holds a permission of an unknown kind")
      }
      let range = KeyRange(key: try row.bytes(2), rangeEnd: try row.bytes(3))
      state.roles[try row.name(0)]?.append(Permission(kind, range))
    }
    state.collectGrants()
    return state
  }

  // MARK: - Changing

  /// - Parameter position: its version of the permissions is moved on.
  /// - Returns: false if everything was so already.
  /// - Throws: `StoreError`; then something may have been written that has to be undone.
  func apply(_ change: AuthChange, _ position: inout StorePosition) throws -> Bool {
    var next = position.auth
    next.revision += 1
    switch change {
    case .enable:
      guard !position.auth.isEnabled else { return false }
      try checkRoot()
      // As in etcd, this is no change of what is granted.
      position.auth.enabledAt = position.auth.revision
      return true
    case .disable:
      guard position.auth.isEnabled else { return false }
      next.enabledAt = nil
    case .admit(let user, let provenAt, _, _):
      guard position.auth.isEnabled else { throw StoreError.auth(.authDisabled) }
      guard let since = try since(of: user),
        provenAt >= max(since, position.auth.enabledAt ?? 0)
      else {
        throw StoreError.auth(.authenticationFailed)
      }
      return true
    case .addUser, .deleteUser, .changePassword, .giveRole, .takeRole:
      guard try changeUser(change, next) else { return false }
    case .addRole, .deleteRole, .grant, .revoke: try changeRole(change, next)
    }
    position.auth = next
    return true
  }

  private func checkRoot() throws {
    guard try since(of: .root) != nil else { throw StoreError.auth(.rootMissing) }
    guard try has(.root, role: .root) else { throw StoreError.auth(.rootWithoutRole) }
  }

  private func changeUser(_ change: AuthChange, _ version: AuthVersion) throws -> Bool {
    switch change {
    case .addUser(let name, let hash):
      guard !name.bytes.isEmpty else { throw StoreError.auth(.userNameEmpty) }
      guard try since(of: name) == nil else { throw StoreError.auth(.userExists) }
      try run(
        "INSERT INTO users(name, password, since) VALUES (?, ?, ?)",
        [name.data, hash, version.revision.stored])
    case .deleteUser(let name):
      if version.isEnabled, name == .root { throw StoreError.auth(.rootNeeded) }
      guard try since(of: name) != nil else { throw StoreError.auth(.userNotFound) }
      try run("DELETE FROM users WHERE name = ?", [name.data])
      try run("DELETE FROM userRoles WHERE user = ?", [name.data])
    case .changePassword(let name, let hash):
      guard try since(of: name) != nil else { throw StoreError.auth(.userNotFound) }
      try run(
        "UPDATE users SET password = ?, since = ? WHERE name = ?",
        [hash, version.revision.stored, name.data])
    case .giveRole(let role, let user):
      guard try since(of: user) != nil else { throw StoreError.auth(.userNotFound) }
      let isThere = try role == .root || exists(role: role)
      guard isThere else { throw StoreError.auth(.roleNotFound) }
      if try has(user, role: role) { return false }
      try run("INSERT INTO userRoles(user, role) VALUES (?, ?)", [user.data, role.data])
    case .takeRole(let role, let user):
      if version.isEnabled, user == .root, role == .root { throw StoreError.auth(.rootNeeded) }
      guard try since(of: user) != nil else { throw StoreError.auth(.userNotFound) }
      guard try has(user, role: role) else { throw StoreError.auth(.roleNotGiven) }
      try run("DELETE FROM userRoles WHERE user = ? AND role = ?", [user.data, role.data])
    default: preconditionFailure("no change of a user")
    }
    return true
  }

  private func changeRole(_ change: AuthChange, _ version: AuthVersion) throws {
    switch change {
    case .addRole(let name):
      guard !name.bytes.isEmpty else { throw StoreError.auth(.roleNameEmpty) }
      guard try !exists(role: name) else { throw StoreError.auth(.roleExists) }
      try run("INSERT INTO roles(name) VALUES (?)", [name.data])
    case .deleteRole(let name):
      if version.isEnabled, name == .root { throw StoreError.auth(.rootNeeded) }
      guard try exists(role: name) else { throw StoreError.auth(.roleNotFound) }
      try run("DELETE FROM roles WHERE name = ?", [name.data])
      try run("DELETE FROM permissions WHERE role = ?", [name.data])
      try run("DELETE FROM userRoles WHERE role = ?", [name.data])
    case .grant(let permission, let role):
      guard try exists(role: role) else { throw StoreError.auth(.roleNotFound) }
      let (start, end) = permission.range.wire
      try run(
        """
        INSERT INTO permissions(role, start, rangeEnd, kind) VALUES (?, ?, ?, ?)
        ON CONFLICT(role, start, rangeEnd) DO UPDATE SET kind = excluded.kind
        """, [role.data, Data(start), Data(end), Int64(permission.kind.rawValue)])
    case .revoke(let range, let role):
      guard try exists(role: role) else { throw StoreError.auth(.roleNotFound) }
      let (start, end) = range.wire
      try run(
        "DELETE FROM permissions WHERE role = ? AND start = ? AND rangeEnd = ?",
        [role.data, Data(start), Data(end)])
      guard db.changesCount > 0 else { throw StoreError.auth(.permissionNotGranted) }
    default: preconditionFailure("no change of a role")
    }
  }

  /// nil if there is no such user.
  private func since(of user: AuthName) throws -> UInt64? {
    try Int64.fetchOne(db, sql: "SELECT since FROM users WHERE name = ?", arguments: [user.data])
      .map(UInt64.init(bitPattern:))
  }

  private func has(_ user: AuthName, role: AuthName) throws -> Bool {
    try Int.fetchOne(
      db, sql: "SELECT 1 FROM userRoles WHERE user = ? AND role = ?",
      arguments: [user.data, role.data]) != nil
  }

  private func exists(role: AuthName) throws -> Bool {
    try Int.fetchOne(db, sql: "SELECT 1 FROM roles WHERE name = ?", arguments: [role.data]) != nil
  }

  private func run(_ sql: String, _ arguments: StatementArguments) throws {
    try db.execute(sql: sql, arguments: arguments)
  }
}

extension AuthName {
  fileprivate var data: Data { Data(bytes) }
}

extension UInt64 {
  fileprivate var stored: Int64 { Int64(bitPattern: self) }
}

extension Row {
  fileprivate func name(_ index: Int) throws -> AuthName { AuthName(bytes: try bytes(index)) }
}
