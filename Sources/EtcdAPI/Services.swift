package import Cluster
import EtcdProtos
package import GRPCServer
import Store
import SwiftProtobuf

/// What the services can be told.
package struct ServiceOptions: Sendable {
  /// The binary logarithm of bcrypt's rounds; etcd's.
  package var bcryptCost = 10
  package var tokens = TokenSetting.simple
  /// After how long without an event a watch that asked for it is told that it misses nothing; etcd's.
  package var progressInterval = Duration.seconds(600)
  /// Operations of one level of a transaction (`--max-txn-ops`).
  package var transactionOperations = TransactionLimits.operations

  package init() {}
}

/// Every service of the API that this member answers.
///
/// - Throws: `TokenSettingError` for a key that can't be used; never else, but for generated code that is broken.
package func etcdServices(
  for member: ClusterMember, options: ServiceOptions = ServiceOptions()
) async throws -> GRPCServices {
  var services = GRPCServices()
  let tokens: any TokenScheme =
    switch options.tokens {
    case .simple: SimpleTokens(member: member)
    case .jwt(let setting): try await JWTTokens(setting)
    }
  let base = ServiceBase(
    member: member, options: options, tokens: tokens,
    passwords: Passwords(cost: options.bcryptCost))
  KVService(base: base).register(in: &services)
  WatchService(base: base).register(in: &services)
  LeaseService(base: base).register(in: &services)
  LockService(base: base).register(in: &services)
  ElectionService(base: base).register(in: &services)
  MaintenanceService(base: base).register(in: &services)
  ClusterService(base: base).register(in: &services)
  AuthService(base: base).register(in: &services)
  HealthService(member: member).register(in: &services)
  try ReflectionService().register(in: &services)
  return services
}

/// What every service needs: the member, response headers, and the way from bytes to messages.
struct ServiceBase: Sendable {
  let member: ClusterMember
  let options: ServiceOptions
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

  /// A member whose state is not that of the others sends its clients to them.
  private func checkSound() throws(GRPCStatus) {
    if member.status.isFenced { throw .fenced }
  }

  /// A unary method from its typed body.
  ///
  /// - Parameters:
  ///   - tellsOfItself: it is about the member, and answered even if that is fenced.
  ///   - place: where the body runs.
  func unary<Request: Message, Response: Message>(
    tellsOfItself: Bool = false, runs place: GRPCMethod.Place = .elsewhere,
    _ body: @escaping @Sendable (Request, Session) async throws -> Response
  ) -> GRPCMethod {
    encodedUnary(tellsOfItself: tellsOfItself, runs: place) { (request: Request, session) in
      try await body(request, session).serializedBytes()
    }
  }

  /// A unary method that encodes its answer itself, for instance away from the event loop.
  func encodedUnary<Request: Message>(
    tellsOfItself: Bool = false, runs place: GRPCMethod.Place = .elsewhere,
    _ body: @escaping @Sendable (Request, Session) async throws -> [UInt8]
  ) -> GRPCMethod {
    .unary(
      { call, bytes in
        do {
          if !tellsOfItself { try checkSound() }
          try checkLeader(call)
          let session = Session(member: member, tokens: tokens, call: call)
          let answer = try await body(try ServiceBase.decode(bytes), session)
          // It may come from a state that was found to differ meanwhile; what was asked may have been done.
          if !tellsOfItself, member.status.isFenced { throw GRPCStatus.serverStopped }
          return .success(answer)
        } catch {
          return .failure(GRPCStatus(error))
        }
      }, runs: place)
  }

  /// A streaming method; what `body` throws is its status.
  func streaming(
    _ body:
      @escaping @Sendable (AsyncStream<[UInt8]>, GRPCResponseWriter, Session) async throws -> Void
  ) -> GRPCMethod {
    .streaming { call, requests, writer in
      do {
        try checkSound()
        try checkLeader(call)
        let session = Session(member: member, tokens: tokens, call: call)
        try await whileLed(call) { try await body(requests, writer, session) }
        // What it watched has ended for that reason.
        try checkSound()
        return .ok
      } catch {
        return GRPCStatus(error)
      }
    }
  }

  /// Ends a stream of a client that sent `hasleader` once there has been no leader for a while.
  private func whileLed(
    _ call: GRPCCall, _ body: @escaping @Sendable () async throws -> Void
  ) async throws {
    guard call.metadata["hasleader"] == "true" else { return try await body() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await body() }
      group.addTask {
        var missed = 0
        while missed < ServiceBase.electionsWithoutLeader {
          try await Task.sleep(for: member.configuration.electionTimeout)
          missed = member.status.leader == 0 ? missed + 1 : 0
        }
        throw GRPCStatus.noLeader
      }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  /// Election timeouts after which a stream is not worth to be kept; etcd's.
  private static let electionsWithoutLeader = 3

  static func decode<Request: Message>(_ bytes: [UInt8]) throws(GRPCStatus) -> Request {
    do {
      return try Request(serializedBytes: bytes)
    } catch {
      throw GRPCStatus(.internalError, "grpc: error unmarshalling request")
    }
  }
}
