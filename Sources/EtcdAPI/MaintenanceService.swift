import Cluster
import Crypto
import EtcdProtos
import Foundation
import GRPCServer
import Store
import SwiftProtobuf

/// The API that this server speaks; clients choose features by it.
package let servedEtcdVersion = "3.5.1"

/// etcdserverpb.Maintenance: what a member tells of itself.
struct MaintenanceService: Sendable {
  /// One piece of a snapshot, as etcd cuts it.
  private static let blobBytes = 32 << 10

  let base: ServiceBase

  func register(in services: inout GRPCServices) {
    services.add("/etcdserverpb.Maintenance/Status", base.unary(tellsOfItself: true, status))
    services.add("/etcdserverpb.Maintenance/Alarm", base.unary(tellsOfItself: true, alarms))
    services.add("/etcdserverpb.Maintenance/MoveLeader", base.unary(moveLeader))
    services.add("/etcdserverpb.Maintenance/Hash", base.unary(tellsOfItself: true, hash))
    services.add("/etcdserverpb.Maintenance/HashKV", base.unary(tellsOfItself: true, hashKV))
    services.add("/etcdserverpb.Maintenance/Defragment", base.unary(defragment))
    services.add("/etcdserverpb.Maintenance/Snapshot", base.streaming(snapshot))
    services.add("/etcdserverpb.Maintenance/Downgrade", base.unary(downgrade))
  }

  /// Answered from this member alone, with or without a leader.
  private func status(
    _ request: Etcdserverpb_StatusRequest, _ session: Session
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
    for alarm in try base.member.store.alarms() {
      let name = alarm.kind == .noSpace ? "NOSPACE" : "CORRUPT"
      response.errors.append("memberID:\(alarm.member) alarm:\(name) ")
    }
    return response
  }

  private func moveLeader(
    _ request: Etcdserverpb_MoveLeaderRequest, _ session: Session
  ) async throws -> Etcdserverpb_MoveLeaderResponse {
    try await session.rights().checkRoot()
    try await base.member.moveLeader(to: request.targetID)
    var response = Etcdserverpb_MoveLeaderResponse()
    response.header = base.header(revision: 0)
    return response
  }

  // MARK: - Alarms

  private func alarms(
    _ request: Etcdserverpb_AlarmRequest, _ session: Session
  ) async throws -> Etcdserverpb_AlarmResponse {
    var response = Etcdserverpb_AlarmResponse()
    switch request.action {
    case .get:
      _ = try await session.rights()
      response.alarms = try base.member.store.alarms().map(Etcdserverpb_AlarmMember.init).filter {
        (request.memberID == 0 || $0.memberID == request.memberID)
          && (request.alarm == .none || $0.alarm == request.alarm)
      }
    case .activate: response.alarms = try await change(request, session) { .raise($0) }
    case .deactivate: response.alarms = try await change(request, session) { .clear($0) }
    case .UNRECOGNIZED: break
    }
    response.header = base.header(revision: base.member.store.current.revision.rawValue)
    return response
  }

  /// The alarm if that changed it, else none.
  private func change(
    _ request: Etcdserverpb_AlarmRequest, _ session: Session, _ make: (Alarm) -> AlarmChange
  ) async throws -> [Etcdserverpb_AlarmMember] {
    guard let kind = Alarm.Kind(rawValue: UInt8(clamping: request.alarm.rawValue)) else {
      return []
    }
    let alarm = Alarm(member: request.memberID, kind: kind)
    let isChanged = try await base.member.changeAlarm(make(alarm), for: session.caller())
    return isChanged ? [Etcdserverpb_AlarmMember(alarm)] : []
  }

  // MARK: - Hashes

  private func hash(
    _ request: Etcdserverpb_HashRequest, _ session: Session
  ) async throws -> Etcdserverpb_HashResponse {
    try await session.rights().checkRoot()
    let digest = base.member.store.current.digest
    var response = Etcdserverpb_HashResponse()
    response.header = base.header(revision: base.member.store.current.revision.rawValue)
    response.hash = UInt32(truncatingIfNeeded: digest ^ digest >> 32)
    return response
  }

  private func hashKV(
    _ request: Etcdserverpb_HashKVRequest, _ session: Session
  ) async throws -> Etcdserverpb_HashKVResponse {
    try await session.rights().checkRoot()
    let revision = request.revision > 0 ? Revision(request.revision) : nil
    let (hash, state) = try await base.member.readingWhole {
      try $0.hash(through: revision)
    }
    var response = Etcdserverpb_HashKVResponse()
    response.header = base.header(revision: state.revision.rawValue)
    response.hash = hash
    // etcd's before the first compaction.
    response.compactRevision =
      state.compactRevision > Revision(0) ? state.compactRevision.rawValue : -1
    return response
  }

  // MARK: - The database

  private func defragment(
    _ request: Etcdserverpb_DefragmentRequest, _ session: Session
  ) async throws -> Etcdserverpb_DefragmentResponse {
    try await session.rights().checkRoot()
    try await base.member.defragment()
    var response = Etcdserverpb_DefragmentResponse()
    response.header = base.header(revision: 0)
    return response
  }

  /// The state as a file of this program's own, in blobs, and its SHA-256 as the last one.
  private func snapshot(
    _ requests: AsyncStream<[UInt8]>, _ writer: GRPCResponseWriter, _ session: Session
  ) async throws {
    try await session.rights().checkRoot()
    try await base.member.withSnapshotFile { path, state in
      let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      defer { try? file.close() }
      var left = try file.seekToEnd()
      try file.seek(toOffset: 0)
      var hash = SHA256()
      while let blob = try file.read(upToCount: MaintenanceService.blobBytes), !blob.isEmpty {
        hash.update(data: blob)
        left -= UInt64(blob.count)
        try await send(blob, left: left, of: state, writer)
      }
      try await send(Data(hash.finalize()), left: 0, of: state, writer)
    }
  }

  private func send(
    _ blob: Data, left: UInt64, of state: StorePosition, _ writer: GRPCResponseWriter
  ) async throws {
    var response = Etcdserverpb_SnapshotResponse()
    response.header = base.header(revision: state.revision.rawValue)
    response.remainingBytes = left
    response.blob = blob
    try await writer.send(response.serializedBytes())
  }

  private func downgrade(
    _ request: Etcdserverpb_DowngradeRequest, _ session: Session
  ) async throws -> Etcdserverpb_DowngradeResponse {
    try await session.rights().checkRoot()
    throw GRPCStatus(.unimplemented, "etcdserver: downgrades are not supported")
  }
}

extension Etcdserverpb_AlarmMember {
  fileprivate init(_ alarm: Alarm) {
    self.init()
    memberID = alarm.member
    self.alarm = Etcdserverpb_AlarmType(rawValue: Int(alarm.kind.rawValue)) ?? .none
  }
}
