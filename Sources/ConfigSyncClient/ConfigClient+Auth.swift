import EtcdProtos
import Foundation
import GRPCCore
import SwiftProtobuf

/// What a role allows on a range of keys.
public struct ClientPermission: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable {
    case read, write
    case readWrite = "readwrite"
  }
  public var kind: Kind
  /// As the wire has it: an empty end is one key, a zero byte no end.
  public var key: [UInt8]
  public var end: [UInt8]

  public init(_ kind: Kind, _ range: ClientRange) {
    self.kind = kind
    (key, end) = range.wire
  }
}

/// Users, roles and permissions; `ClientError.refused` says what the cluster has against a change.
extension ConfigClient {
  /// Switches permissions on or off.
  public func setAuth(enabled: Bool) async throws {
    if enabled {
      let _: Etcdserverpb_AuthEnableResponse = try await once { connection in
        try await auth(connection).authEnable(.init(), options: options)
      }
    } else {
      let _: Etcdserverpb_AuthDisableResponse = try await once { connection in
        try await auth(connection).authDisable(.init(), options: options)
      }
    }
  }

  public func authStatus() async throws -> (isEnabled: Bool, revision: UInt64) {
    let response: Etcdserverpb_AuthStatusResponse = try await repeatable { connection in
      try await auth(connection).authStatus(.init(), options: options)
    }
    return (response.enabled, response.authRevision)
  }

  private func auth(
    _ connection: Connection
  ) -> Etcdserverpb_Auth.Client<ConnectionTransport> {
    Etcdserverpb_Auth.Client(wrapping: connection.client)
  }

  // MARK: - Users

  /// - Parameter password: nil for a user who can't prove who they are by one.
  public func addUser(_ name: String, password: String?) async throws {
    var request = Etcdserverpb_AuthUserAddRequest()
    request.name = name
    request.password = password ?? ""
    request.options.noPassword = password == nil
    let message = request
    let _: Etcdserverpb_AuthUserAddResponse = try await once { connection in
      try await auth(connection).userAdd(message, options: options)
    }
  }

  public func deleteUser(_ name: String) async throws {
    let _: Etcdserverpb_AuthUserDeleteResponse = try await once { connection in
      try await auth(connection).userDelete(.with { $0.name = name }, options: options)
    }
  }

  public func changePassword(of name: String, to password: String) async throws {
    let request = Etcdserverpb_AuthUserChangePasswordRequest.with {
      $0.name = name
      $0.password = password
    }
    let _: Etcdserverpb_AuthUserChangePasswordResponse = try await once { connection in
      try await auth(connection).userChangePassword(request, options: options)
    }
  }

  /// Ascending.
  public func users() async throws -> [String] {
    let response: Etcdserverpb_AuthUserListResponse = try await repeatable { connection in
      try await auth(connection).userList(.init(), options: options)
    }
    return response.users
  }

  /// Ascending.
  public func roles(of user: String) async throws -> [String] {
    let response: Etcdserverpb_AuthUserGetResponse = try await repeatable { connection in
      try await auth(connection).userGet(.with { $0.name = user }, options: options)
    }
    return response.roles
  }

  public func giveRole(_ role: String, to user: String) async throws {
    let request = Etcdserverpb_AuthUserGrantRoleRequest.with {
      $0.user = user
      $0.role = role
    }
    let _: Etcdserverpb_AuthUserGrantRoleResponse = try await once { connection in
      try await auth(connection).userGrantRole(request, options: options)
    }
  }

  public func takeRole(_ role: String, from user: String) async throws {
    let request = Etcdserverpb_AuthUserRevokeRoleRequest.with {
      $0.name = user
      $0.role = role
    }
    let _: Etcdserverpb_AuthUserRevokeRoleResponse = try await once { connection in
      try await auth(connection).userRevokeRole(request, options: options)
    }
  }

  // MARK: - Roles

  public func addRole(_ name: String) async throws {
    let _: Etcdserverpb_AuthRoleAddResponse = try await once { connection in
      try await auth(connection).roleAdd(.with { $0.name = name }, options: options)
    }
  }

  public func deleteRole(_ name: String) async throws {
    let _: Etcdserverpb_AuthRoleDeleteResponse = try await once { connection in
      try await auth(connection).roleDelete(.with { $0.role = name }, options: options)
    }
  }

  /// Ascending.
  public func roles() async throws -> [String] {
    let response: Etcdserverpb_AuthRoleListResponse = try await repeatable { connection in
      try await auth(connection).roleList(.init(), options: options)
    }
    return response.roles
  }

  /// Ascending by range.
  public func permissions(of role: String) async throws -> [ClientPermission] {
    let response: Etcdserverpb_AuthRoleGetResponse = try await repeatable { connection in
      try await auth(connection).roleGet(.with { $0.role = role }, options: options)
    }
    return response.perm.map(ClientPermission.init)
  }

  public func grant(_ permission: ClientPermission, to role: String) async throws {
    let request = Etcdserverpb_AuthRoleGrantPermissionRequest.with {
      $0.name = role
      $0.perm = Authpb_Permission(permission)
    }
    let _: Etcdserverpb_AuthRoleGrantPermissionResponse = try await once { connection in
      try await auth(connection).roleGrantPermission(request, options: options)
    }
  }

  public func revoke(_ range: ClientRange, from role: String) async throws {
    let (key, end) = range.wire
    let request = Etcdserverpb_AuthRoleRevokePermissionRequest.with {
      $0.role = role
      $0.key = Data(key)
      $0.rangeEnd = Data(end)
    }
    let _: Etcdserverpb_AuthRoleRevokePermissionResponse = try await once { connection in
      try await auth(connection).roleRevokePermission(request, options: options)
    }
  }
}

extension ClientPermission {
  fileprivate init(_ permission: Authpb_Permission) {
    switch permission.permType {
    case .read, .UNRECOGNIZED: kind = .read
    case .write: kind = .write
    case .readwrite: kind = .readWrite
    }
    key = [UInt8](permission.key)
    end = [UInt8](permission.rangeEnd)
  }
}

extension Authpb_Permission {
  fileprivate init(_ permission: ClientPermission) {
    self.init()
    switch permission.kind {
    case .read: permType = .read
    case .write: permType = .write
    case .readWrite: permType = .readwrite
    }
    key = Data(permission.key)
    rangeEnd = Data(permission.end)
  }
}
