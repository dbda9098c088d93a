package import Cluster
import EtcdProtos
package import GRPCServer
import SwiftProtobuf

/// How callers prove who they are.
package struct AuthOptions: Sendable {
  /// The binary logarithm of bcrypt's rounds; etcd's.
  package var bcryptCost = 10
  package var tokens = TokenSetting.simple

  package init() {}
}

/// Every service of the API that this member answers.
///
/// - Throws: `TokenSettingError` for a key that can't be used.
package func etcdServices(
  for member: ClusterMember, auth: AuthOptions = AuthOptions()
) async throws -> GRPCServices {
  var services = GRPCServices()
  let tokens: any TokenScheme =
    switch auth.tokens {
    case .simple: SimpleTokens(member: member)
    case .jwt(let setting): try await JWTTokens(setting)
    }
  let base = ServiceBase(
    member: member, tokens: tokens, passwords: Passwords(cost: auth.bcryptCost))
  KVService(base: base).register(in: &services)
  WatchService(base: base).register(in: &services)
  LeaseService(base: base).register(in: &services)
  LockService(base: base).register(in: &services)
  ElectionService(base: base).register(in: &services)
  MaintenanceService(base: base).register(in: &services)
  ClusterService(base: base).register(in: &services)
  AuthService(base: base).register(in: &services)
  // grpc.health.v1: the empty request answers SERVING, whatever the cluster does.
  services.add("/grpc.health.v1.Health/Check", .unary { _, _ in .success([0x08, 0x01]) })
  return services
}

/// What every service needs: the member, response headers, and the way from bytes to messages.
struct ServiceBase: Sendable {
  let member: ClusterMember
  let tokens: any TokenScheme
  let passwords: Passwords

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
    _ body: @escaping @Sendable (Request, Session) async throws -> Response
  ) -> GRPCMethod {
    .unary { call, bytes in
      do {
        try checkLeader(call)
        let session = Session(member: member, tokens: tokens, call: call)
        let response = try await body(try ServiceBase.decode(bytes), session)
        let encoded: [UInt8] = try response.serializedBytes()
        return .success(encoded)
      } catch {
        return .failure(GRPCStatus(error))
      }
    }
  }

  /// A streaming method; what `body` throws is its status.
  func streaming(
    _ body:
      @escaping @Sendable (AsyncStream<[UInt8]>, GRPCResponseWriter, Session) async throws -> Void
  ) -> GRPCMethod {
    .streaming { call, requests, writer in
      do {
        try checkLeader(call)
        try await body(requests, writer, Session(member: member, tokens: tokens, call: call))
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
