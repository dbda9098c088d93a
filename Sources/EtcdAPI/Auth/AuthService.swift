import Cluster
import EtcdProtos
import Foundation
import GRPCServer
import Store
import SwiftProtobuf

/// etcdserverpb.Auth: who may do what.
struct AuthService: Sendable {
  let base: ServiceBase

  func register(in services: inout GRPCServices) {
    let methods: [(String, GRPCMethod)] = [
      ("AuthEnable", base.unary(enable)), ("AuthDisable", base.unary(disable)),
      ("AuthStatus", base.unary(status)), ("Authenticate", base.unary(authenticate)),
      ("UserAdd", base.unary(addUser)), ("UserGet", base.unary(getUser)),
      ("UserList", base.unary(listUsers)), ("UserDelete", base.unary(deleteUser)),
      ("UserChangePassword", base.unary(changePassword)), ("UserGrantRole", base.unary(giveRole)),
      ("UserRevokeRole", base.unary(takeRole)), ("RoleAdd", base.unary(addRole)),
      ("RoleGet", base.unary(getRole)), ("RoleList", base.unary(listRoles)),
      ("RoleDelete", base.unary(deleteRole)), ("RoleGrantPermission", base.unary(grant)),
      ("RoleRevokePermission", base.unary(revoke)),
    ]
    for (name, method) in methods { services.add("/etcdserverpb.Auth/\(name)", method) }
  }

  private var header: Etcdserverpb_ResponseHeader {
    base.header(revision: base.member.store.current.revision.rawValue)
  }

  private func change(_ change: AuthChange, _ session: Session) async throws {
    try base.checkVoter()
    _ = try await session.propose(.auth(change)).result.get()
  }

  /// The permissions as the cluster has them.
  private func state(_ session: Session) async throws -> (AuthState, Rights) {
    try base.checkVoter()
    try await base.member.readBarrier()
    let state = base.member.store.auth
    return (state, try state.rights(of: try await session.caller()))
  }

  // MARK: - On and off

  private func enable(
    _ request: Etcdserverpb_AuthEnableRequest, _ session: Session
  ) async throws -> Etcdserverpb_AuthEnableResponse {
    try await base.member.readBarrier()
    // Otherwise nobody could ever change anything again.
    if base.tokens.needsPassword, let root = base.member.store.auth.users[.root],
      root.passwordHash == nil
    {
      throw GRPCStatus(
        .failedPrecondition, "etcdserver: root user has no password, and could not log in")
    }
    try await change(.enable, session)
    return .with { $0.header = header }
  }

  private func disable(
    _ request: Etcdserverpb_AuthDisableRequest, _ session: Session
  ) async throws -> Etcdserverpb_AuthDisableResponse {
    try await change(.disable, session)
    return .with { $0.header = header }
  }

  private func status(
    _ request: Etcdserverpb_AuthStatusRequest, _ session: Session
  ) async throws -> Etcdserverpb_AuthStatusResponse {
    let (state, rights) = try await state(session)
    try rights.checkRoot()
    return .with {
      $0.header = header
      $0.enabled = state.isEnabled
      $0.authRevision = state.version.revision
    }
  }

  /// One refusal for every reason: a stranger learns nothing of who there is.
  private func authenticate(
    _ request: Etcdserverpb_AuthenticateRequest, _ session: Session
  ) async throws -> Etcdserverpb_AuthenticateResponse {
    try base.checkVoter()
    try await base.member.readBarrier()
    let state = base.member.store.auth
    guard state.isEnabled else { throw StoreError.auth(.authDisabled) }
    let name = AuthName(request.name)
    let isProven = try await base.passwords.matches(
      request.password, state.users[name]?.passwordHash,
      decoy: state.users[.root]?.passwordHash)
    guard isProven else { throw StoreError.auth(.authenticationFailed) }
    let token = try await base.tokens.issue(to: name, provenAt: state.version.revision)
    return .with {
      $0.header = header
      $0.token = token
    }
  }

  // MARK: - Users

  private func addUser(
    _ request: Etcdserverpb_AuthUserAddRequest, _ session: Session
  ) async throws -> Etcdserverpb_AuthUserAddResponse {
    // Hashing takes long: nobody may ask for it who may not add users.
    try await checkMayManage(session)
    let hash =
      request.options.noPassword ? nil : try await base.passwords.hash(request.password)
    try await change(.addUser(AuthName(request.name), passwordHash: hash), session)
    return .with { $0.header = header }
  }

  private func checkMayManage(_ session: Session) async throws {
    try await session.rights().checkRoot()
  }

  private func getUser(
    _ request: Etcdserverpb_AuthUserGetRequest, _ session: Session
  ) async throws -> Etcdserverpb_AuthUserGetResponse {
    let (state, rights) = try await state(session)
    let name = AuthName(request.name)
    if case .user(name, _) = try await session.caller() {} else { try rights.checkRoot() }
    guard let user = state.users[name] else { throw StoreError.auth(.userNotFound) }
    return .with {
      $0.header = header
      $0.roles = user.roles.map(\.description)
    }
  }

  private func listUsers(
    _ request: Etcdserverpb_AuthUserListRequest, _ session: Session
  ) async throws -> Etcdserverpb_AuthUserListResponse {
    let (state, rights) = try await state(session)
    try rights.checkRoot()
    return .with {
      $0.header = header
      $0.users = state.users.keys.sorted().map(\.description)
    }
  }

  private func deleteUser(
    _ request: Etcdserverpb_AuthUserDeleteRequest, _ session: Session
  ) async throws -> Etcdserverpb_AuthUserDeleteResponse {
    try await change(.deleteUser(AuthName(request.name)), session)
    return .with { $0.header = header }
  }

  private func changePassword(
    _ request: Etcdserverpb_AuthUserChangePasswordRequest, _ session: Session
  ) async throws -> Etcdserverpb_AuthUserChangePasswordResponse {
    try await checkMayManage(session)
    let hash = try await base.passwords.hash(request.password)
    try await change(.changePassword(AuthName(request.name), passwordHash: hash), session)
    return .with { $0.header = header }
  }

  private func giveRole(
    _ request: Etcdserverpb_AuthUserGrantRoleRequest, _ session: Session
  ) async throws -> Etcdserverpb_AuthUserGrantRoleResponse {
    try await change(.giveRole(AuthName(request.role), to: AuthName(request.user)), session)
    return .with { $0.header = header }
  }

  private func takeRole(
    _ request: Etcdserverpb_AuthUserRevokeRoleRequest, _ session: Session
  ) async throws -> Etcdserverpb_AuthUserRevokeRoleResponse {
    try await change(.takeRole(AuthName(request.role), from: AuthName(request.name)), session)
    return .with { $0.header = header }
  }

  // MARK: - Roles

  private func addRole(
    _ request: Etcdserverpb_AuthRoleAddRequest, _ session: Session
  ) async throws -> Etcdserverpb_AuthRoleAddResponse {
    try await change(.addRole(AuthName(request.name)), session)
    return .with { $0.header = header }
  }

  private func getRole(
    _ request: Etcdserverpb_AuthRoleGetRequest, _ session: Session
  ) async throws -> Etcdserverpb_AuthRoleGetResponse {
    let (state, rights) = try await state(session)
    let name = AuthName(request.role)
    var isOwn = false
    if case .user(let user, _) = try await session.caller() {
      isOwn = state.users[user]?.roles.contains(name) ?? false
    }
    if !isOwn { try rights.checkRoot() }
    guard let permissions = state.roles[name] else { throw StoreError.auth(.roleNotFound) }
    return .with {
      $0.header = header
      $0.perm = permissions.map(Authpb_Permission.init)
    }
  }

  private func listRoles(
    _ request: Etcdserverpb_AuthRoleListRequest, _ session: Session
  ) async throws -> Etcdserverpb_AuthRoleListResponse {
    let (state, rights) = try await state(session)
    try rights.checkRoot()
    return .with {
      $0.header = header
      $0.roles = state.roles.keys.sorted().map(\.description)
    }
  }

  private func deleteRole(
    _ request: Etcdserverpb_AuthRoleDeleteRequest, _ session: Session
  ) async throws -> Etcdserverpb_AuthRoleDeleteResponse {
    try await change(.deleteRole(AuthName(request.role)), session)
    return .with { $0.header = header }
  }

  private func grant(
    _ request: Etcdserverpb_AuthRoleGrantPermissionRequest, _ session: Session
  ) async throws -> Etcdserverpb_AuthRoleGrantPermissionResponse {
    try await checkMayManage(session)
    guard request.hasPerm else {
      throw GRPCStatus(.invalidArgument, "etcdserver: permission not given")
    }
    guard let kind = Permission.Kind(request.perm.permType) else {
      throw GRPCStatus(.invalidArgument, "etcdserver: unknown type of permission")
    }
    let range = KeyRange(
      key: [UInt8](request.perm.key), rangeEnd: [UInt8](request.perm.rangeEnd))
    try await change(.grant(Permission(kind, range), to: AuthName(request.name)), session)
    return .with { $0.header = header }
  }

  private func revoke(
    _ request: Etcdserverpb_AuthRoleRevokePermissionRequest, _ session: Session
  ) async throws -> Etcdserverpb_AuthRoleRevokePermissionResponse {
    let range = KeyRange(key: [UInt8](request.key), rangeEnd: [UInt8](request.rangeEnd))
    try await change(.revoke(range, from: AuthName(request.role)), session)
    return .with { $0.header = header }
  }
}

extension Permission.Kind {
  fileprivate init?(_ type: Authpb_Permission.TypeEnum) {
    switch type {
    case .read: self = .read
    case .write: self = .write
    case .readwrite: self = .readWrite
    case .UNRECOGNIZED: return nil
    }
  }
}

extension Authpb_Permission {
  fileprivate init(_ permission: Permission) {
    self.init()
    switch permission.kind {
    case .read: permType = .read
    case .write: permType = .write
    case .readWrite: permType = .readwrite
    }
    let (start, end) = permission.range.wire
    key = Data(start)
    rangeEnd = Data(end)
  }
}
