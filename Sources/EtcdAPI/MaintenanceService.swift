import Cluster
import EtcdProtos
import GRPCServer
import Store

/// The API that this server speaks; clients choose features by it.
package let servedEtcdVersion = "3.5.1"

/// etcdserverpb.Maintenance: what a member tells of itself.
struct MaintenanceService: Sendable {
  let base: ServiceBase

  func register(in services: inout GRPCServices) {
    services.add("/etcdserverpb.Maintenance/Status", base.unary(status))
    services.add("/etcdserverpb.Maintenance/Alarm", base.unary(alarms))
    services.add("/etcdserverpb.Maintenance/MoveLeader", base.unary(moveLeader))
  }

  /// Answered from this member alone, with or without a leader.
  private func status(
    _ request: Etcdserverpb_StatusRequest
  ) async throws -> Etcdserverpb_StatusResponse {
    let status = base.member.status
    let sizes = try base.member.store.sizes()
    var response = Etcdserverpb_StatusResponse()
    response.header = base.header(revision: base.member.store.current.revision.rawValue)
    response.version = servedEtcdVersion
    response.dbSize = sizes.total
    response.dbSizeInUse = sizes.used
    response.leader = status.leader
    response.raftIndex = status.committed
    response.raftTerm = status.term
    response.raftAppliedIndex = status.applied
    response.isLearner = status.isLearner(base.member.id)
    if status.leader == 0 { response.errors = ["etcdserver: no leader"] }
    return response
  }

  private func moveLeader(
    _ request: Etcdserverpb_MoveLeaderRequest
  ) async throws -> Etcdserverpb_MoveLeaderResponse {
    try await base.member.moveLeader(to: request.targetID)
    var response = Etcdserverpb_MoveLeaderResponse()
    response.header = base.header(revision: 0)
    return response
  }

  /// Lists the alarms: none can be raised yet, so changing one is refused, not ignored.
  private func alarms(
    _ request: Etcdserverpb_AlarmRequest
  ) async throws -> Etcdserverpb_AlarmResponse {
    guard request.action == .get else {
      throw GRPCStatus(.unimplemented, "etcdserver: alarms can't be changed")
    }
    var response = Etcdserverpb_AlarmResponse()
    response.header = base.header(revision: base.member.store.current.revision.rawValue)
    return response
  }
}
