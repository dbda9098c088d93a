import Cluster
import EtcdProtos
import Foundation
import GRPCServer
import Store
import SwiftProtobuf

/// etcdserverpb.KV: range, put, delete and transactions.
struct KVService: Sendable {
  let base: ServiceBase

  func register(in services: inout GRPCServices) {
    services.add("/etcdserverpb.KV/Range", base.encodedUnary(runs: .onEventLoop, range))
    services.add("/etcdserverpb.KV/Put", base.unary(runs: .onEventLoop, put))
    services.add("/etcdserverpb.KV/DeleteRange", base.encodedUnary(runs: .onEventLoop, delete))
    services.add("/etcdserverpb.KV/Txn", base.encodedUnary(runs: .onEventLoop, transact))
    services.add("/etcdserverpb.KV/Compact", base.unary(compact))
  }

  private func range(
    _ request: Etcdserverpb_RangeRequest, _ session: Session
  ) async throws -> [UInt8] {
    let query = try RangeQuery(request)
    if !request.serializable {
      try base.checkVoter()
      try await base.member.readBarrier()
    }
    let session = try await session.resolved()
    if let (result, state) = try await session.cachedRange(query) {
      return try encode(result, state)
    }
    return try await offEventLoop {
      let (result, state) = try await session.range(query)
      return try encode(result, state)
    }
  }

  private func encode(_ result: RangeResult, _ state: StorePosition) throws -> [UInt8] {
    var response = Etcdserverpb_RangeResponse(result)
    response.header = base.header(revision: state.revision.rawValue)
    return try response.serializedBytes()
  }

  private func put(_ request: Etcdserverpb_PutRequest, _ session: Session) async throws
    -> Etcdserverpb_PutResponse
  {
    let (result, revision) = try await propose(.put(try PutRequest(request)), session)
    var response = Etcdserverpb_PutResponse()
    response.header = base.header(revision: revision)
    if case .put(let previous?) = result { response.prevKv = Mvccpb_KeyValue(previous) }
    return response
  }

  private func delete(
    _ request: Etcdserverpb_DeleteRangeRequest, _ session: Session
  ) async throws -> [UInt8] {
    let (result, revision) = try await propose(.delete(try DeleteRequest(request)), session)
    return try await encode(large: result.isLarge) {
      var response = Etcdserverpb_DeleteRangeResponse()
      response.header = base.header(revision: revision)
      if case .delete(let count, let previous) = result {
        response.deleted = Int64(count)
        response.prevKvs = previous.map(Mvccpb_KeyValue.init)
      }
      return response
    }
  }

  private func transact(
    _ request: Etcdserverpb_TxnRequest, _ session: Session
  ) async throws -> [UInt8] {
    let transaction = try Transaction(request)
    guard transaction.fits(base.options.transactionOperations) else {
      throw StoreError.tooManyOperations(limit: base.options.transactionOperations)
    }
    try transaction.validate()
    try base.checkVoter()
    if transaction.isReadOnly {
      try await base.member.readBarrier()
      let session = try await session.resolved()
      let read = try await offEventLoop { () -> [UInt8]? in
        guard let (result, state) = try await session.evaluate(transaction) else { return nil }
        return try response(result, revision: state.revision.rawValue).serializedBytes()
      }
      if let read { return read }
    }
    let (result, revision) = try await propose(.transaction(transaction), session)
    guard case .transaction(let done) = result else {
      throw GRPCStatus(.internalError, "etcdserver: a transaction gave another result")
    }
    return try await encode(large: result.isLarge) { response(done, revision: revision) }
  }

  /// A large answer is built away from the event loop.
  private func encode<Response: Message>(
    large: Bool, _ make: @Sendable () -> Response
  ) async throws -> [UInt8] {
    guard large else { return try make().serializedBytes() }
    return try await offEventLoop { try make().serializedBytes() }
  }

  private func compact(
    _ request: Etcdserverpb_CompactionRequest, _ session: Session
  ) async throws -> Etcdserverpb_CompactionResponse {
    try base.checkVoter()
    let revision = try await base.member.compact(
      at: Revision(request.revision), waitsForRemoval: request.physical,
      for: session.caller())
    var response = Etcdserverpb_CompactionResponse()
    response.header = base.header(revision: revision.rawValue)
    return response
  }

  private func response(
    _ result: TransactionResult, revision: Int64
  ) -> Etcdserverpb_TxnResponse {
    var response = Etcdserverpb_TxnResponse(result, revision: revision)
    response.header = base.header(revision: revision)
    return response
  }

  private func propose(
    _ action: Command.Action, _ session: Session
  ) async throws -> (result: OperationResult, revision: Int64) {
    try base.checkVoter()
    let outcome = try await session.propose(action)
    return (try outcome.result.get(), outcome.revision.rawValue)
  }
}

extension OperationResult {
  /// Items, or bytes of values, above which an answer takes so long to build that others would wait.
  private static let smallItems = 16
  private static let smallBytes = 64 << 10
  /// Results of a transaction that take as long to answer as an item.
  private static let resultsPerItem = 4

  fileprivate var isLarge: Bool {
    let (items, bytes) = weight
    return items > OperationResult.smallItems || bytes > OperationResult.smallBytes
  }

  private var weight: (items: Int, bytes: Int) {
    func sum(_ items: [KeyValue]) -> (Int, Int) {
      (items.count, items.reduce(0) { $0 + $1.value.count })
    }
    switch self {
    case .range(let range): return sum(range.items)
    case .delete(_, let previous): return sum(previous)
    case .put(let previous): return sum(previous.map { [$0] } ?? [])
    case .transaction(let result):
      return result.results.map(\.weight).reduce(
        (result.results.count / OperationResult.resultsPerItem, 0)
      ) {
        ($0.0 + $1.items, $0.1 + $1.bytes)
      }
    case .done, .unchanged: return (0, 0)
    }
  }
}
