package import Cluster
import EtcdProtos
package import GRPCServer
import SwiftProtobuf

/// Every service of the API that this member answers.
package func etcdServices(for member: ClusterMember) -> GRPCServices {
  var services = GRPCServices()
  let base = ServiceBase(member: member)
  KVService(base: base).register(in: &services)
  WatchService(base: base).register(in: &services)
  LeaseService(base: base).register(in: &services)
  LockService(base: base).register(in: &services)
  ElectionService(base: base).register(in: &services)
  MaintenanceService(base: base).register(in: &services)
  ClusterService(base: base).register(in: &services)
  // grpc.health.v1: the empty request answers SERVING, whatever the cluster does.
  services.add("/grpc.health.v1.Health/Check", .unary { _, _ in .success([0x08, 0x01]) })
  return services
}

/// What every service needs: the member, response headers, and the way from bytes to messages.
struct ServiceBase: Sendable {
  let member: ClusterMember

  /// The header of a response; `revision` is 0 where etcd sends none.
  func header(revision: Int64) -> Etcdserverpb_ResponseHeader {
    var header = Etcdserverpb_ResponseHeader()
    header.clusterID = member.clusterID
    header.memberID = member.id
    header.revision = revision
    header.raftTerm = member.status.term
    return header
  }

  /// A client that sends `hasleader` would rather fail than wait for a leader.
  func checkLeader(_ call: GRPCCall) throws(GRPCStatus) {
    if call.metadata["hasleader"] == "true", member.status.leader == 0 {
      throw .noLeader
    }
  }

  /// A learner answers for nothing but itself and what it has: clients go to a voter.
  func checkVoter() throws(GRPCStatus) {
    if member.status.isLearner(member.id) { throw .notSupportedForLearner }
  }

  /// A unary method from its typed body.
  func unary<Request: Message, Response: Message>(
    _ body: @escaping @Sendable (Request) async throws -> Response
  ) -> GRPCMethod {
    .unary { call, bytes in
      do {
        try checkLeader(call)
        let response = try await body(try ServiceBase.decode(bytes))
        let encoded: [UInt8] = try response.serializedBytes()
        return .success(encoded)
      } catch {
        return .failure(GRPCStatus(error))
      }
    }
  }

  /// A streaming method; what `body` throws is its status.
  func streaming(
    _ body: @escaping @Sendable (AsyncStream<[UInt8]>, GRPCResponseWriter) async throws -> Void
  ) -> GRPCMethod {
    .streaming { call, requests, writer in
      do {
        try checkLeader(call)
        try await body(requests, writer)
        return .ok
      } catch {
        return GRPCStatus(error)
      }
    }
  }

  static func decode<Request: Message>(_ bytes: [UInt8]) throws(GRPCStatus) -> Request {
    do {
      return try Request(serializedBytes: bytes)
    } catch {
      throw GRPCStatus(.internalError, "grpc: error unmarshalling request")
    }
  }
}
