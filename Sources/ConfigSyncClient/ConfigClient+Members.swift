import EtcdProtos
import GRPCCore

extension ConfigClient {
  public func members() async throws -> [ClientMember] {
    let response: Etcdserverpb_MemberListResponse = try await repeatable { connection in
      let client = Etcdserverpb_Cluster.Client(wrapping: connection.client)
      return try await client.memberList(
        Etcdserverpb_MemberListRequest(), options: options)
    }
    return response.members.map(ClientMember.init)
  }

  /// Adds a member, which may start once this returns.
  ///
  /// - Returns: the new member, and all of them.
  public func addMember(
    peerURLs: [String], as role: ClientMemberRole
  ) async throws -> (added: ClientMember, members: [ClientMember]) {
    var request = Etcdserverpb_MemberAddRequest()
    request.peerUrls = peerURLs
    request.isLearner = role == .learner
    let message = request
    let response: Etcdserverpb_MemberAddResponse = try await once { connection in
      let client = Etcdserverpb_Cluster.Client(wrapping: connection.client)
      return try await client.memberAdd(message, options: options)
    }
    return (ClientMember(response.member), response.members.map(ClientMember.init))
  }

  /// Removes a member for good.
  ///
  /// - Returns: the members that are left.
  public func removeMember(_ id: UInt64) async throws -> [ClientMember] {
    var request = Etcdserverpb_MemberRemoveRequest()
    request.id = id
    let message = request
    let response: Etcdserverpb_MemberRemoveResponse = try await once { connection in
      let client = Etcdserverpb_Cluster.Client(wrapping: connection.client)
      return try await client.memberRemove(message, options: options)
    }
    return response.members.map(ClientMember.init)
  }

  /// Changes where the others reach a member.
  public func updateMember(_ id: UInt64, peerURLs: [String]) async throws -> [ClientMember] {
    var request = Etcdserverpb_MemberUpdateRequest()
    request.id = id
    request.peerUrls = peerURLs
    let message = request
    let response: Etcdserverpb_MemberUpdateResponse = try await once { connection in
      let client = Etcdserverpb_Cluster.Client(wrapping: connection.client)
      return try await client.memberUpdate(message, options: options)
    }
    return response.members.map(ClientMember.init)
  }

  /// Makes a learner a voter.
  public func promoteMember(_ id: UInt64) async throws -> [ClientMember] {
    var request = Etcdserverpb_MemberPromoteRequest()
    request.id = id
    let message = request
    let response: Etcdserverpb_MemberPromoteResponse = try await once { connection in
      let client = Etcdserverpb_Cluster.Client(wrapping: connection.client)
      return try await client.memberPromote(message, options: options)
    }
    return response.members.map(ClientMember.init)
  }

  /// Hands leadership to a voter; asks the endpoints which of them leads.
  ///
  /// - Returns: the member that led before.
  /// - Throws: `ClientError`, `.refused` if no endpoint is the leader.
  public func moveLeader(to target: UInt64) async throws -> UInt64 {
    var request = Etcdserverpb_MoveLeaderRequest()
    request.targetID = target
    for (connection, status) in zip(connections, await statuses()) {
      guard case .success(let found) = status.status, found.leader == found.member else { continue }
      let client = Etcdserverpb_Maintenance.Client(wrapping: connection.client)
      do {
        try await login.ensure(on: connection)
        _ = try await client.moveLeader(request, options: options)
      } catch {
        throw ConfigClient.translate(error, connection)
      }
      return found.member
    }
    throw ClientError(.refused, "none of the endpoints is the leader: give them all")
  }

  /// What each endpoint says of itself; an error where it says nothing.
  public func statuses() async -> [EndpointStatus] {
    var statuses: [EndpointStatus] = []
    for connection in connections {
      let client = Etcdserverpb_Maintenance.Client(wrapping: connection.client)
      do {
        try await login.ensure(on: connection)
        let response = try await client.status(
          Etcdserverpb_StatusRequest(), options: options)
        statuses.append(
          EndpointStatus(endpoint: connection.endpoint, status: .success(ClientStatus(response))))
      } catch {
        let failure = ConfigClient.translate(error, connection)
        statuses.append(EndpointStatus(endpoint: connection.endpoint, status: .failure(failure)))
      }
    }
    return statuses
  }
}

extension ClientMember {
  init(_ member: Etcdserverpb_Member) {
    self.init(
      id: member.id, name: member.name, peerURLs: member.peerUrls, clientURLs: member.clientUrls,
      isLearner: member.isLearner)
  }
}
