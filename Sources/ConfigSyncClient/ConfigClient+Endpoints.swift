import EtcdProtos
import Foundation
import GRPCCore
import SwiftProtobuf

/// A member's hash of the store at a revision: equal members have equal ones.
public struct ClientHash: Hashable, Sendable {
  public var member: UInt64
  public var hash: UInt32
  /// The revision of the member's store.
  public var revision: Int64
  public var compactRevision: Int64
}

/// What each endpoint answers for itself.
extension ConfigClient {
  /// Asks every endpoint, one after the other, in their order.
  private func each<Value: Sendable>(
    _ body: (Connection) async throws -> Value
  ) async -> [(endpoint: String, result: Result<Value, ClientError>)] {
    var results: [(endpoint: String, result: Result<Value, ClientError>)] = []
    for connection in connections {
      do {
        try await login.ensure(on: connection)
        results.append((connection.endpoint, .success(try await body(connection))))
      } catch {
        let failure = ConfigClient.translate(error, connection)
        results.append((connection.endpoint, .failure(failure)))
      }
    }
    return results
  }

  /// How long a read through a majority takes at each.
  public func readTimes() async -> [(endpoint: String, result: Result<Duration, ClientError>)] {
    await each { connection in
      let client = Etcdserverpb_KV.Client(wrapping: connection.client)
      let clock = ContinuousClock()
      let start = clock.now
      do {
        _ = try await client.range(.with { $0.key = Data("health".utf8) }, options: options)
      } catch let error as RPCError where error.code == .permissionDenied {
        // Who may not read is answered by a member that is well.
      }
      return start.duration(to: clock.now)
    }
  }

  /// - Parameter revision: 0 for the newest of each.
  public func hashes(
    at revision: Int64
  ) async -> [(endpoint: String, result: Result<ClientHash, ClientError>)] {
    await each { connection in
      let client = Etcdserverpb_Maintenance.Client(wrapping: connection.client)
      let response = try await client.hashKV(
        .with { $0.revision = revision }, options: options)
      return ClientHash(
        member: response.header.memberID, hash: response.hash,
        revision: response.header.revision, compactRevision: response.compactRevision)
    }
  }

  /// Gives free pages of each member's database back; a member serves nothing meanwhile.
  public func defragment() async -> [(endpoint: String, result: Result<Void, ClientError>)] {
    // As long as it takes: a database may be large.
    var patient = options
    patient.timeout = nil
    let unlimited = patient
    return await each { connection in
      let client = Etcdserverpb_Maintenance.Client(wrapping: connection.client)
      _ = try await client.defragment(.init(), options: unlimited)
    }
  }
}
