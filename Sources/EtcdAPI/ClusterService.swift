import Cluster
import EtcdProtos
import Foundation
import GRPCServer
import Store

/// etcdserverpb.Cluster: who the members are, and changing that.
struct ClusterService: Sendable {
  let base: ServiceBase

  func register(in services: inout GRPCServices) {
    services.add("/etcdserverpb.Cluster/MemberList", base.unary(list))
    services.add("/etcdserverpb.Cluster/MemberAdd", base.unary(add))
    services.add("/etcdserverpb.Cluster/MemberRemove", base.unary(remove))
    services.add("/etcdserverpb.Cluster/MemberUpdate", base.unary(update))
    services.add("/etcdserverpb.Cluster/MemberPromote", base.unary(promote))
  }

  private func list(
    _ request: Etcdserverpb_MemberListRequest, _ session: Session
  ) async throws -> Etcdserverpb_MemberListResponse {
    if request.linearizable { try await base.member.readBarrier() }
    _ = try await session.rights()
    var response = Etcdserverpb_MemberListResponse()
    // etcd answers these without a revision.
    response.header = base.header(revision: 0)
    response.members = try members()
    return response
  }

  private func add(
    _ request: Etcdserverpb_MemberAddRequest, _ session: Session
  ) async throws -> Etcdserverpb_MemberAddResponse {
    try await checkMayChange(session)
    try base.checkVoter()
    try checkURLs(request.peerUrls)
    let added = try await base.member.addMember(
      peerURLs: request.peerUrls, as: request.isLearner ? .learner : .voter)
    var response = Etcdserverpb_MemberAddResponse()
    response.header = base.header(revision: 0)
    response.member = Etcdserverpb_Member(added)
    response.members = try members()
    return response
  }

  private func remove(
    _ request: Etcdserverpb_MemberRemoveRequest, _ session: Session
  ) async throws -> Etcdserverpb_MemberRemoveResponse {
    try await checkMayChange(session)
    try await base.member.removeMember(request.id)
    var response = Etcdserverpb_MemberRemoveResponse()
    response.header = base.header(revision: 0)
    response.members = try members()
    return response
  }

  private func update(
    _ request: Etcdserverpb_MemberUpdateRequest, _ session: Session
  ) async throws -> Etcdserverpb_MemberUpdateResponse {
    try await checkMayChange(session)
    try checkURLs(request.peerUrls)
    try await base.member.updateMember(request.id, peerURLs: request.peerUrls)
    var response = Etcdserverpb_MemberUpdateResponse()
    response.header = base.header(revision: 0)
    response.members = try members()
    return response
  }

  private func promote(
    _ request: Etcdserverpb_MemberPromoteRequest, _ session: Session
  ) async throws -> Etcdserverpb_MemberPromoteResponse {
    try await checkMayChange(session)
    try await base.member.promoteMember(request.id)
    var response = Etcdserverpb_MemberPromoteResponse()
    response.header = base.header(revision: 0)
    response.members = try members()
    return response
  }

  /// Who belongs to the cluster changes as an entry is written, before it is applied: the rights are those
  /// of everything that was committed before.
  private func checkMayChange(_ session: Session) async throws {
    try await base.member.readBarrier()
    try await session.rights().checkRoot()
  }

  private func members() throws -> [Etcdserverpb_Member] {
    try base.member.members().map(Etcdserverpb_Member.init)
  }

  /// A URL that no member could connect to would cost the cluster a voter.
  private func checkURLs(_ urls: [String]) throws {
    for text in urls {
      guard let url = URL(string: text), url.scheme == "http",
        url.port.map({ (1...65535).contains($0) }) == true,
        url.host().map({ !$0.isEmpty }) == true, url.path().isEmpty
      else { throw ClusterError.membership(.invalidURLs) }
    }
  }
}

extension Etcdserverpb_Member {
  fileprivate init(_ description: MemberDescription) {
    self.init()
    id = description.id
    name = description.name
    peerUrls = description.peerURLs
    clientUrls = description.clientURLs
    isLearner = description.isLearner
  }
}
