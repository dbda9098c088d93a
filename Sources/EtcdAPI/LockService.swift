import Cluster
import EtcdProtos
import Foundation
import GRPCServer
import Store

/// v3lockpb.Lock: one at a time, in the order of arrival.
///
/// A lock is no mutual exclusion by itself: its holder may lose it without knowing. Whoever relies on it
/// compares the lock key's create revision in the same transaction.
struct LockService: Sendable {
  let base: ServiceBase

  func register(in services: inout GRPCServices) {
    services.add("/v3lockpb.Lock/Lock", base.unary(lock))
    services.add("/v3lockpb.Lock/Unlock", base.unary(unlock))
  }

  private func lock(_ request: V3lockpb_LockRequest, _ session: Session) async throws
    -> V3lockpb_LockResponse
  {
    try base.checkVoter()
    let line = WaitingLine(session: session, name: [UInt8](request.name))
    let place = try await base.withUnknownStatus {
      try await line.enter(lease: request.lease, value: [])
    }
    try await line.wait(at: place)
    var response = V3lockpb_LockResponse()
    response.header = base.header(revision: base.member.store.current.revision.rawValue)
    response.key = Data(place.key.bytes)
    return response
  }

  private func unlock(
    _ request: V3lockpb_UnlockRequest, _ session: Session
  ) async throws -> V3lockpb_UnlockResponse {
    try base.checkVoter()
    guard !request.key.isEmpty else { throw GRPCStatus.keyNotProvided }
    let outcome = try await session.propose(
      .delete(DeleteRequest(.single(Key([UInt8](request.key))))))
    _ = try outcome.result.get()
    var response = V3lockpb_UnlockResponse()
    response.header = base.header(revision: outcome.revision.rawValue)
    return response
  }
}

extension ServiceBase {
  /// etcd's lock and election services answer what the store refuses with status 2.
  func withUnknownStatus<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
      return try await body()
    } catch let error as StoreError {
      if case .auth = error { throw error }
      throw GRPCStatus(.unknown, GRPCStatus(error).message)
    }
  }
}
