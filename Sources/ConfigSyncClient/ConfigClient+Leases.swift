import EtcdProtos
import Foundation
import GRPCCore
import SwiftProtobuf

/// A lease, and what is left of it.
public struct ClientLease: Hashable, Sendable {
  public var id: Int64
  /// Seconds.
  public var left: Int64
  public var granted: Int64
  public var keys: [[UInt8]]
}

/// Leases, and locks that hang on them.
extension ConfigClient {
  /// - Parameter seconds: how long it lives without a renewal.
  /// - Returns: its id, and the seconds that it was granted.
  public func grantLease(seconds: Int64) async throws -> (id: Int64, seconds: Int64) {
    let response: Etcdserverpb_LeaseGrantResponse = try await once { connection in
      try await leases(connection).leaseGrant(.with { $0.ttl = seconds }, options: options)
    }
    return (response.id, response.ttl)
  }

  /// Ends a lease, and deletes its keys.
  public func revokeLease(_ id: Int64) async throws {
    let _: Etcdserverpb_LeaseRevokeResponse = try await once { connection in
      try await leases(connection).leaseRevoke(.with { $0.id = id }, options: options)
    }
  }

  /// The ids of all leases, ascending.
  public func leases() async throws -> [Int64] {
    let response: Etcdserverpb_LeaseLeasesResponse = try await repeatable { connection in
      try await leases(connection).leaseLeases(.init(), options: options)
    }
    return response.leases.map(\.id)
  }

  /// nil if there is no such lease.
  public func lease(_ id: Int64) async throws -> ClientLease? {
    let request = Etcdserverpb_LeaseTimeToLiveRequest.with {
      $0.id = id
      $0.keys = true
    }
    let response: Etcdserverpb_LeaseTimeToLiveResponse = try await repeatable { connection in
      try await leases(connection).leaseTimeToLive(request, options: options)
    }
    guard response.ttl >= 0 else { return nil }
    return ClientLease(
      id: id, left: response.ttl, granted: response.grantedTtl,
      keys: response.keys.map { [UInt8]($0) })
  }

  /// Begins the time of a lease anew.
  ///
  /// - Returns: the seconds that it lives from now on; nil if there is no such lease.
  public func renewLease(_ id: Int64) async throws -> Int64? {
    try await repeatable { connection in
      try await leases(connection).leaseKeepAlive(options: options) { writer in
        try await writer.write(.with { $0.id = id })
      } onResponse: { response in
        for try await message in response.messages { return message.ttl > 0 ? message.ttl : nil }
        throw ClientError(.unknownOutcome, "\(connection.endpoint): no answer to a renewal")
      }
    }
  }

  /// Makes a key that hangs on a lease, unless there is one.
  ///
  /// - Parameter item: what may be there, and is replaced then; nil if nothing may.
  /// - Returns: nil if it was made, and otherwise what is there.
  public func putUnlessThere(
    _ key: [UInt8], _ value: [UInt8], lease: Int64, over item: ClientItem? = nil
  ) async throws -> ClientItem? {
    let request = Etcdserverpb_TxnRequest.with {
      $0.compare = [
        .with {
          $0.key = Data(key)
          $0.target = .mod
          $0.modRevision = item?.modRevision ?? 0
        }
      ]
      $0.success = [
        .with {
          $0.requestPut = .with {
            $0.key = Data(key)
            $0.value = Data(value)
            $0.lease = lease
          }
        }
      ]
      $0.failure = [.with { $0.requestRange = .with { $0.key = Data(key) } }]
    }
    let response: Etcdserverpb_TxnResponse = try await once { connection in
      let client = Etcdserverpb_KV.Client(wrapping: connection.client)
      return try await client.txn(request, options: options)
    }
    guard !response.succeeded else { return nil }
    guard let item = response.responses.first?.responseRange.kvs.first else {
      throw ClientError(.unknownOutcome, "the key was neither made nor found")
    }
    return ClientItem(item)
  }

  /// Waits until the lock is this lease's.
  ///
  /// - Returns: the key that stands for it while it is held.
  public func lock(_ name: String, lease: Int64) async throws -> [UInt8] {
    // It may take as long as others hold it.
    var patient = options
    patient.timeout = nil
    let unlimited = patient
    let request = V3lockpb_LockRequest.with {
      $0.name = Data(name.utf8)
      $0.lease = lease
    }
    let response: V3lockpb_LockResponse = try await repeatable { connection in
      try await V3lockpb_Lock.Client(wrapping: connection.client).lock(
        request, options: unlimited)
    }
    return [UInt8](response.key)
  }

  private func leases(
    _ connection: Connection
  ) -> Etcdserverpb_Lease.Client<ConnectionTransport> {
    Etcdserverpb_Lease.Client(wrapping: connection.client)
  }
}
