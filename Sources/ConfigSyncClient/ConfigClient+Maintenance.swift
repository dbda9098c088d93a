import EtcdProtos
import Foundation
import GRPCCore

extension ConfigClient {
  /// Makes `revision` the oldest that can be read.
  public func compact(at revision: Int64, waitsForRemoval: Bool = false) async throws {
    var request = Etcdserverpb_CompactionRequest()
    request.revision = revision
    request.physical = waitsForRemoval
    let message = request
    let _: Etcdserverpb_CompactionResponse = try await once { connection in
      let client = Etcdserverpb_KV.Client(wrapping: connection.client)
      return try await client.compact(message, options: options)
    }
  }

  /// Hands the state of one member to `receive`, piece by piece, its SHA-256 last.
  ///
  /// - Throws: `ClientError`, and what `receive` throws; what came until then is of no use.
  public func snapshot(_ receive: @escaping @Sendable ([UInt8]) throws -> Void) async throws {
    // As long as it takes: a database may be large.
    var patient = options
    patient.timeout = nil
    let unlimited = patient
    try await repeatable { connection in
      let client = Etcdserverpb_Maintenance.Client(wrapping: connection.client)
      try await client.snapshot(Etcdserverpb_SnapshotRequest(), options: unlimited) { response in
        for try await message in response.messages { try receive([UInt8](message.blob)) }
      }
    }
  }
}
