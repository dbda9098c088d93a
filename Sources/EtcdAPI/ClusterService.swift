import Cluster
import EtcdProtos
import GRPCServer

/// etcdserverpb.Cluster: who the members are.
struct ClusterService: Sendable {
  let base: ServiceBase

  func register(in services: inout GRPCServices) {
    services.add("/etcdserverpb.Cluster/MemberList", base.unary(list))
  }

  private func list(
    _ request: Etcdserverpb_MemberListRequest
  ) async throws -> Etcdserverpb_MemberListResponse {
    if request.linearizable { try await base.member.readBarrier() }
    var response = Etcdserverpb_MemberListResponse()
    // etcd answers this one without a revision.
    response.header = base.header(revision: 0)
    response.members = try base.member.members().map { description in
      var member = Etcdserverpb_Member()
      member.id = description.id
      member.name = description.name
      member.peerUrls = description.peerURLs
      member.clientUrls = description.clientURLs
      return member
    }
    return response
  }
}
