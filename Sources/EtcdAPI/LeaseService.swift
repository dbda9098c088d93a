import Cluster
import EtcdProtos
import Foundation
import GRPCServer
import Store
import SwiftProtobuf

/// etcdserverpb.Lease: keys that live as long as somebody renews their lease.
struct LeaseService: Sendable {
  /// Renewals of one stream that are under way, or wait to be told.
  private static let waitingRenewals = 10_000

  let base: ServiceBase

  func register(in services: inout GRPCServices) {
    services.add("/etcdserverpb.Lease/LeaseGrant", base.unary(grant))
    services.add("/etcdserverpb.Lease/LeaseRevoke", base.unary(revoke))
    services.add("/etcdserverpb.Lease/LeaseTimeToLive", base.unary(timeToLive))
    services.add("/etcdserverpb.Lease/LeaseLeases", base.unary(list))
    services.add("/etcdserverpb.Lease/LeaseKeepAlive", base.streaming(keepAlive))
  }

  private func grant(
    _ request: Etcdserverpb_LeaseGrantRequest, _ session: Session
  ) async throws -> Etcdserverpb_LeaseGrantResponse {
    try base.checkVoter()
    let granted = try await base.member.grantLease(
      request.id, ttl: request.ttl, for: session.caller())
    var response = Etcdserverpb_LeaseGrantResponse()
    response.header = base.header(revision: base.member.store.current.revision.rawValue)
    response.id = granted.id
    response.ttl = granted.ttl
    return response
  }

  private func revoke(
    _ request: Etcdserverpb_LeaseRevokeRequest, _ session: Session
  ) async throws -> Etcdserverpb_LeaseRevokeResponse {
    try base.checkVoter()
    let revision = try await base.member.revokeLease(request.id, for: session.caller())
    var response = Etcdserverpb_LeaseRevokeResponse()
    response.header = base.header(revision: revision.rawValue)
    return response
  }

  /// One answer a request, in order; the time of an unknown lease is 0, and the stream goes on.
  private func keepAlive(
    _ requests: AsyncStream<[UInt8]>, _ writer: GRPCResponseWriter, _ session: Session
  ) async throws {
    try base.checkVoter()
    let session = await session.pinned()
    // Each begins as it comes: a client has hundreds due at once, and each waits for a majority.
    let (answers, queue) = AsyncStream.makeStream(
      of: Task<[UInt8], any Error>.self,
      bufferingPolicy: .bufferingOldest(LeaseService.waitingRenewals))
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        for await answer in answers { try await writer.send(answer.value) }
      }
      group.addTask {
        defer { queue.finish() }
        for await bytes in requests {
          let request: Etcdserverpb_LeaseKeepAliveRequest = try ServiceBase.decode(bytes)
          if case .dropped(let renewal) = queue.yield(Task { try await renew(request.id, session) })
          {
            renewal.cancel()
            throw GRPCStatus(.resourceExhausted, "too many renewals wait on the stream")
          }
        }
      }
      // The first error ends the stream: its client must not think that it renews.
      defer { group.cancelAll() }
      while try await group.next() != nil {}
    }
  }

  private func renew(_ id: Int64, _ session: Session) async throws -> [UInt8] {
    _ = try await session.rights()
    var response = Etcdserverpb_LeaseKeepAliveResponse()
    response.id = id
    response.ttl = try await base.member.renewLease(id) ?? 0
    response.header = base.header(revision: base.member.store.current.revision.rawValue)
    return try response.serializedBytes()
  }

  private func timeToLive(
    _ request: Etcdserverpb_LeaseTimeToLiveRequest, _ session: Session
  ) async throws -> Etcdserverpb_LeaseTimeToLiveResponse {
    try base.checkVoter()
    let found = try await base.member.leaseTimeLeft(request.id)
    let rights = try await session.rights()
    if request.keys, let found {
      for key in found.keys { try rights.checkRead(.single(key)) }
    }
    var response = Etcdserverpb_LeaseTimeToLiveResponse()
    response.header = base.header(revision: base.member.store.current.revision.rawValue)
    response.id = request.id
    response.ttl = found?.left ?? -1
    response.grantedTtl = found?.ttl ?? 0
    if request.keys, let found { response.keys = found.keys.map { Data($0.bytes) } }
    return response
  }

  private func list(
    _ request: Etcdserverpb_LeaseLeasesRequest, _ session: Session
  ) async throws -> Etcdserverpb_LeaseLeasesResponse {
    try base.checkVoter()
    let ids = try await base.member.leases()
    _ = try await session.rights()
    var response = Etcdserverpb_LeaseLeasesResponse()
    response.header = base.header(revision: base.member.store.current.revision.rawValue)
    response.leases = ids.map { id in
      var status = Etcdserverpb_LeaseStatus()
      status.id = id
      return status
    }
    return response
  }
}
