import EtcdProtos
import SwiftProtobuf

/// The paths of the JSON gateway, behind `/v3` (etcd's `rpc.proto`).
enum GatewayRoutes {
  static let unary: [String: Transcoding] = core.merging(auth) { first, _ in first }

  private static let core: [String: Transcoding] = {
    typealias P = EtcdPaths
    return [
      "/kv/range": Transcoding(
        P.kv + "Range", Etcdserverpb_RangeRequest.self, Etcdserverpb_RangeResponse.self),
      "/kv/put": Transcoding(
        P.kv + "Put", Etcdserverpb_PutRequest.self, Etcdserverpb_PutResponse.self),
      "/kv/deleterange": Transcoding(
        P.kv + "DeleteRange", Etcdserverpb_DeleteRangeRequest.self,
        Etcdserverpb_DeleteRangeResponse.self),
      "/kv/txn": Transcoding(
        P.kv + "Txn", Etcdserverpb_TxnRequest.self, Etcdserverpb_TxnResponse.self),
      "/kv/compaction": Transcoding(
        P.kv + "Compact", Etcdserverpb_CompactionRequest.self,
        Etcdserverpb_CompactionResponse.self),
      "/lease/grant": Transcoding(
        P.lease + "LeaseGrant", Etcdserverpb_LeaseGrantRequest.self,
        Etcdserverpb_LeaseGrantResponse.self),
      "/lease/revoke": revoke, "/kv/lease/revoke": revoke,
      "/lease/timetolive": timeToLive, "/kv/lease/timetolive": timeToLive,
      "/lease/leases": leases, "/kv/lease/leases": leases,
      "/lock/lock": Transcoding(
        P.lock + "Lock", V3lockpb_LockRequest.self, V3lockpb_LockResponse.self),
      "/lock/unlock": Transcoding(
        P.lock + "Unlock", V3lockpb_UnlockRequest.self, V3lockpb_UnlockResponse.self),
      "/election/campaign": Transcoding(
        P.election + "Campaign", V3electionpb_CampaignRequest.self,
        V3electionpb_CampaignResponse.self),
      "/election/proclaim": Transcoding(
        P.election + "Proclaim", V3electionpb_ProclaimRequest.self,
        V3electionpb_ProclaimResponse.self),
      "/election/leader": Transcoding(
        P.election + "Leader", V3electionpb_LeaderRequest.self,
        V3electionpb_LeaderResponse.self),
      "/election/resign": Transcoding(
        P.election + "Resign", V3electionpb_ResignRequest.self,
        V3electionpb_ResignResponse.self),
      "/cluster/member/list": Transcoding(
        P.cluster + "MemberList", Etcdserverpb_MemberListRequest.self,
        Etcdserverpb_MemberListResponse.self),
      "/cluster/member/add": Transcoding(
        P.cluster + "MemberAdd", Etcdserverpb_MemberAddRequest.self,
        Etcdserverpb_MemberAddResponse.self),
      "/cluster/member/remove": Transcoding(
        P.cluster + "MemberRemove", Etcdserverpb_MemberRemoveRequest.self,
        Etcdserverpb_MemberRemoveResponse.self),
      "/cluster/member/update": Transcoding(
        P.cluster + "MemberUpdate", Etcdserverpb_MemberUpdateRequest.self,
        Etcdserverpb_MemberUpdateResponse.self),
      "/cluster/member/promote": Transcoding(
        P.cluster + "MemberPromote", Etcdserverpb_MemberPromoteRequest.self,
        Etcdserverpb_MemberPromoteResponse.self),
      "/maintenance/status": Transcoding(
        P.maintenance + "Status", Etcdserverpb_StatusRequest.self,
        Etcdserverpb_StatusResponse.self),
      "/maintenance/alarm": Transcoding(
        P.maintenance + "Alarm", Etcdserverpb_AlarmRequest.self,
        Etcdserverpb_AlarmResponse.self),
      "/maintenance/defragment": Transcoding(
        P.maintenance + "Defragment", Etcdserverpb_DefragmentRequest.self,
        Etcdserverpb_DefragmentResponse.self),
      // At /hash in etcd 3.5.1, at /hashkv in later releases.
      "/maintenance/hash": hashKV, "/maintenance/hashkv": hashKV,
      "/maintenance/downgrade": Transcoding(
        P.maintenance + "Downgrade", Etcdserverpb_DowngradeRequest.self,
        Etcdserverpb_DowngradeResponse.self),
      "/maintenance/transfer-leadership": Transcoding(
        P.maintenance + "MoveLeader", Etcdserverpb_MoveLeaderRequest.self,
        Etcdserverpb_MoveLeaderResponse.self),
    ]
  }()

  private static let auth: [String: Transcoding] = [
    "/auth/enable": route(
      "AuthEnable", Etcdserverpb_AuthEnableRequest.self, Etcdserverpb_AuthEnableResponse.self),
    "/auth/disable": route(
      "AuthDisable", Etcdserverpb_AuthDisableRequest.self,
      Etcdserverpb_AuthDisableResponse.self),
    "/auth/status": route(
      "AuthStatus", Etcdserverpb_AuthStatusRequest.self, Etcdserverpb_AuthStatusResponse.self),
    "/auth/authenticate": route(
      "Authenticate", Etcdserverpb_AuthenticateRequest.self,
      Etcdserverpb_AuthenticateResponse.self),
    "/auth/user/add": route(
      "UserAdd", Etcdserverpb_AuthUserAddRequest.self, Etcdserverpb_AuthUserAddResponse.self),
    "/auth/user/get": route(
      "UserGet", Etcdserverpb_AuthUserGetRequest.self, Etcdserverpb_AuthUserGetResponse.self),
    "/auth/user/list": route(
      "UserList", Etcdserverpb_AuthUserListRequest.self, Etcdserverpb_AuthUserListResponse.self),
    "/auth/user/delete": route(
      "UserDelete", Etcdserverpb_AuthUserDeleteRequest.self,
      Etcdserverpb_AuthUserDeleteResponse.self),
    "/auth/user/changepw": route(
      "UserChangePassword", Etcdserverpb_AuthUserChangePasswordRequest.self,
      Etcdserverpb_AuthUserChangePasswordResponse.self),
    "/auth/user/grant": route(
      "UserGrantRole", Etcdserverpb_AuthUserGrantRoleRequest.self,
      Etcdserverpb_AuthUserGrantRoleResponse.self),
    "/auth/user/revoke": route(
      "UserRevokeRole", Etcdserverpb_AuthUserRevokeRoleRequest.self,
      Etcdserverpb_AuthUserRevokeRoleResponse.self),
    "/auth/role/add": route(
      "RoleAdd", Etcdserverpb_AuthRoleAddRequest.self, Etcdserverpb_AuthRoleAddResponse.self),
    "/auth/role/get": route(
      "RoleGet", Etcdserverpb_AuthRoleGetRequest.self, Etcdserverpb_AuthRoleGetResponse.self),
    "/auth/role/list": route(
      "RoleList", Etcdserverpb_AuthRoleListRequest.self, Etcdserverpb_AuthRoleListResponse.self),
    "/auth/role/delete": route(
      "RoleDelete", Etcdserverpb_AuthRoleDeleteRequest.self,
      Etcdserverpb_AuthRoleDeleteResponse.self),
    "/auth/role/grant": route(
      "RoleGrantPermission", Etcdserverpb_AuthRoleGrantPermissionRequest.self,
      Etcdserverpb_AuthRoleGrantPermissionResponse.self),
    "/auth/role/revoke": route(
      "RoleRevokePermission", Etcdserverpb_AuthRoleRevokePermissionRequest.self,
      Etcdserverpb_AuthRoleRevokePermissionResponse.self),
  ]

  private static func route<Request: Message, Response: Message>(
    _ method: String, _ request: Request.Type, _ response: Response.Type
  ) -> Transcoding {
    Transcoding(EtcdPaths.auth + method, request, response)
  }

  static let streaming: [String: Transcoding] = [
    "/watch": Transcoding(
      EtcdPaths.watch + "Watch", Etcdserverpb_WatchRequest.self,
      Etcdserverpb_WatchResponse.self),
    "/election/observe": Transcoding(
      EtcdPaths.election + "Observe", V3electionpb_LeaderRequest.self,
      V3electionpb_LeaderResponse.self),
    "/maintenance/snapshot": Transcoding(
      EtcdPaths.maintenance + "Snapshot", Etcdserverpb_SnapshotRequest.self,
      Etcdserverpb_SnapshotResponse.self),
    "/lease/keepalive": Transcoding(
      EtcdPaths.lease + "LeaseKeepAlive", Etcdserverpb_LeaseKeepAliveRequest.self,
      Etcdserverpb_LeaseKeepAliveResponse.self),
  ]

  private static let hashKV = Transcoding(
    EtcdPaths.maintenance + "HashKV", Etcdserverpb_HashKVRequest.self,
    Etcdserverpb_HashKVResponse.self)
  private static let revoke = Transcoding(
    EtcdPaths.lease + "LeaseRevoke", Etcdserverpb_LeaseRevokeRequest.self,
    Etcdserverpb_LeaseRevokeResponse.self)
  private static let timeToLive = Transcoding(
    EtcdPaths.lease + "LeaseTimeToLive", Etcdserverpb_LeaseTimeToLiveRequest.self,
    Etcdserverpb_LeaseTimeToLiveResponse.self)
  private static let leases = Transcoding(
    EtcdPaths.lease + "LeaseLeases", Etcdserverpb_LeaseLeasesRequest.self,
    Etcdserverpb_LeaseLeasesResponse.self)
}

private enum EtcdPaths {
  static let auth = "/etcdserverpb.Auth/"
  static let kv = "/etcdserverpb.KV/"
  static let lease = "/etcdserverpb.Lease/"
  static let lock = "/v3lockpb.Lock/"
  static let election = "/v3electionpb.Election/"
  static let watch = "/etcdserverpb.Watch/"
  static let cluster = "/etcdserverpb.Cluster/"
  static let maintenance = "/etcdserverpb.Maintenance/"
}
