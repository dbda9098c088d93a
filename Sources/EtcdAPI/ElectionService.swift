import Cluster
import EtcdProtos
import Foundation
import GRPCServer
import Store
import SwiftProtobuf

/// v3electionpb.Election: whoever is first in line leads, and may say something to the others.
struct ElectionService: Sendable {
  let base: ServiceBase

  func register(in services: inout GRPCServices) {
    services.add("/v3electionpb.Election/Campaign", base.unary(campaign))
    services.add("/v3electionpb.Election/Proclaim", base.unary(proclaim))
    services.add("/v3electionpb.Election/Leader", base.unary(leader))
    services.add("/v3electionpb.Election/Resign", base.unary(resign))
    services.add("/v3electionpb.Election/Observe", base.streaming(observe))
  }

  private func line(_ name: Data, _ session: Session) -> WaitingLine {
    WaitingLine(session: session, name: [UInt8](name))
  }

  private var now: Int64 { base.member.store.current.revision.rawValue }

  private func campaign(
    _ request: V3electionpb_CampaignRequest, _ session: Session
  ) async throws -> V3electionpb_CampaignResponse {
    try base.checkVoter()
    let line = line(request.name, session)
    let place = try await base.withUnknownStatus {
      try await line.enter(lease: request.lease, value: [UInt8](request.value))
    }
    try await line.wait(at: place)
    var response = V3electionpb_CampaignResponse()
    response.header = base.header(revision: now)
    response.leader.name = request.name
    response.leader.key = Data(place.key.bytes)
    response.leader.rev = place.created.rawValue
    response.leader.lease = place.lease
    return response
  }

  private static func place(of leader: V3electionpb_LeaderKey) -> WaitingLine.Place {
    WaitingLine.Place(
      key: Key([UInt8](leader.key)), created: Revision(leader.rev), lease: leader.lease)
  }

  private static let leaderMissing = GRPCStatus(
    .unknown, "\"leader\" field must be provided")

  private func proclaim(
    _ request: V3electionpb_ProclaimRequest, _ session: Session
  ) async throws -> V3electionpb_ProclaimResponse {
    try base.checkVoter()
    guard request.hasLeader else { throw ElectionService.leaderMissing }
    let isLeading = try await base.withUnknownStatus {
      try await line(request.leader.name, session).replace(
        [UInt8](request.value), at: ElectionService.place(of: request.leader))
    }
    guard isLeading else { throw GRPCStatus(.unknown, "election: not leader") }
    var response = V3electionpb_ProclaimResponse()
    response.header = base.header(revision: now)
    return response
  }

  private func resign(
    _ request: V3electionpb_ResignRequest, _ session: Session
  ) async throws -> V3electionpb_ResignResponse {
    try base.checkVoter()
    guard request.hasLeader else { throw ElectionService.leaderMissing }
    try await base.withUnknownStatus {
      _ = try await line(request.leader.name, session).leave(
        ElectionService.place(of: request.leader))
    }
    var response = V3electionpb_ResignResponse()
    response.header = base.header(revision: now)
    return response
  }

  private func leader(
    _ request: V3electionpb_LeaderRequest, _ session: Session
  ) async throws -> V3electionpb_LeaderResponse {
    try base.checkVoter()
    let (item, revision) = try await line(request.name, session).first()
    guard let item else { throw GRPCStatus(.unknown, "election: no leader") }
    return response(item, revision: revision)
  }

  private func response(
    _ item: KeyValue, revision: Revision
  ) -> V3electionpb_LeaderResponse {
    var response = V3electionpb_LeaderResponse()
    response.header = base.header(revision: revision.rawValue)
    response.kv = Mvccpb_KeyValue(item)
    return response
  }

  /// The leader, each time that another leads or the leader says something else.
  private func observe(
    _ requests: AsyncStream<[UInt8]>, _ writer: GRPCResponseWriter, _ session: Session
  ) async throws {
    try base.checkVoter()
    var request = V3electionpb_LeaderRequest()
    for await bytes in requests {
      request = try ServiceBase.decode(bytes)
      break
    }
    let session = await session.pinned()
    let line = line(request.name, session)
    while true {
      let (item, revision) = try await line.first()
      guard let item else {
        try await session.follow(line.everyone(after: revision)) { event in
          if case .put = event.change { true } else { false }
        }
        continue
      }
      try await writer.send(response(item, revision: revision).serializedBytes())
      try await session.follow(WatchRequest(.single(item.key), from: revision.next)) { event in
        guard case .put(let changed) = event.change else { return true }
        try await writer.send(
          response(changed, revision: changed.modRevision).serializedBytes())
        return false
      }
    }
  }
}
