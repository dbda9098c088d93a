import EtcdProtos
import Foundation
import GRPCServer
import Store

// Wire → domain: checks what can be told from the request alone, with etcd's errors.

extension RangeQuery {
  init(_ request: Etcdserverpb_RangeRequest) throws(GRPCStatus) {
    guard !request.key.isEmpty else { throw .keyNotProvided }
    self.init(
      KeyRange(key: [UInt8](request.key), rangeEnd: [UInt8](request.rangeEnd)),
      at: request.revision > 0 ? Revision(request.revision) : nil,
      limit: request.limit > 0 ? Int(request.limit) : nil,
      sort: try RangeQuery.sort(request),
      content: request.countOnly ? .countOnly : request.keysOnly ? .keysOnly : .full)
    modBounds = Bounds(minimum: request.minModRevision, maximum: request.maxModRevision)
    createBounds = Bounds(minimum: request.minCreateRevision, maximum: request.maxCreateRevision)
  }

  /// nil where the order of keys is asked for, in which the store has them.
  private static func sort(_ request: Etcdserverpb_RangeRequest) throws(GRPCStatus) -> Sort? {
    let target: SortTarget
    switch request.sortTarget {
    case .key: target = .key
    case .version: target = .version
    case .create: target = .create
    case .mod: target = .mod
    case .value: target = .value
    case .UNRECOGNIZED: throw .invalidSort
    }
    switch request.sortOrder {
    case .none, .ascend: return target == .key ? nil : Sort(target, .ascending)
    case .descend: return Sort(target, .descending)
    case .UNRECOGNIZED: throw .invalidSort
    }
  }
}

extension RangeQuery.Bounds {
  fileprivate init(minimum: Int64, maximum: Int64) {
    self.init(
      minimum: minimum == 0 ? nil : Revision(minimum),
      maximum: maximum == 0 ? nil : Revision(maximum))
  }
}

extension PutRequest {
  init(_ request: Etcdserverpb_PutRequest) throws(GRPCStatus) {
    guard !request.key.isEmpty else { throw .keyNotProvided }
    if request.ignoreValue, !request.value.isEmpty { throw .valueProvided }
    if request.ignoreLease, request.lease != 0 { throw .leaseProvided }
    self.init(
      Key([UInt8](request.key)),
      request.ignoreValue ? .keep : .set([UInt8](request.value)),
      lease: request.ignoreLease ? .keep : .set(request.lease), returnsPrevious: request.prevKv)
  }
}

extension DeleteRequest {
  init(_ request: Etcdserverpb_DeleteRangeRequest) throws(GRPCStatus) {
    guard !request.key.isEmpty else { throw .keyNotProvided }
    self.init(
      KeyRange(key: [UInt8](request.key), rangeEnd: [UInt8](request.rangeEnd)),
      returnsPrevious: request.prevKv)
  }
}

extension Compare {
  init(_ compare: Etcdserverpb_Compare) throws(GRPCStatus) {
    guard !compare.key.isEmpty else { throw .keyNotProvided }
    let target: Target
    switch compare.target {
    case .version: target = .version(compare.version)
    case .create: target = .create(Revision(compare.createRevision))
    case .mod: target = .mod(Revision(compare.modRevision))
    case .value: target = .value([UInt8](compare.value))
    case .lease: target = .lease(compare.lease)
    case .UNRECOGNIZED: throw GRPCStatus(.invalidArgument, "etcdserver: unknown compare target")
    }
    let relation: Relation
    switch compare.result {
    case .equal: relation = .equal
    case .greater: relation = .greater
    case .less: relation = .less
    case .notEqual: relation = .notEqual
    case .UNRECOGNIZED: throw GRPCStatus(.invalidArgument, "etcdserver: unknown compare result")
    }
    self.init(
      KeyRange(key: [UInt8](compare.key), rangeEnd: [UInt8](compare.rangeEnd)), target,
      is: relation)
  }
}

extension Transaction {
  init(_ request: Etcdserverpb_TxnRequest) throws(GRPCStatus) {
    self.init(compares: [], success: [], failure: [])
    for compare in request.compare { compares.append(try Compare(compare)) }
    for operation in request.success { success.append(try Operation(operation)) }
    for operation in request.failure { failure.append(try Operation(operation)) }
  }
}

extension Store.Operation {
  init(_ operation: Etcdserverpb_RequestOp) throws(GRPCStatus) {
    switch operation.request {
    case .requestRange(let range):
      var query = try RangeQuery(range)
      // Only outside a transaction does etcd take a negative revision for the newest one.
      if range.revision < 0 { query.revision = Revision(range.revision) }
      self = .range(query)
    case .requestPut(let put): self = .put(try PutRequest(put))
    case .requestDeleteRange(let delete): self = .delete(try DeleteRequest(delete))
    case .requestTxn(let transaction): self = .transaction(try Transaction(transaction))
    case nil: throw .operationMissing
    }
  }
}

// Domain → wire.

extension Mvccpb_KeyValue {
  init(_ item: KeyValue) {
    self.init()
    key = Data(item.key.bytes)
    value = Data(item.value)
    createRevision = item.createRevision.rawValue
    modRevision = item.modRevision.rawValue
    version = item.version
    lease = item.lease
  }
}

extension Mvccpb_Event {
  init(_ event: KeyEvent) {
    self.init()
    switch event.change {
    case .put(let item): kv = Mvccpb_KeyValue(item)
    case .delete(let key, let revision):
      type = .delete
      kv.key = Data(key.bytes)
      kv.modRevision = revision.rawValue
    }
    if let previous = event.previous { prevKv = Mvccpb_KeyValue(previous) }
  }
}

extension Etcdserverpb_RangeResponse {
  init(_ result: RangeResult) {
    self.init()
    kvs = result.items.map(Mvccpb_KeyValue.init)
    count = Int64(result.count)
    more = result.hasMore
  }
}

extension OperationResult {
  /// It has changed something.
  fileprivate var hasWritten: Bool {
    switch self {
    case .put: true
    case .delete(let count, _): count > 0
    case .transaction(let nested): nested.results.contains(where: \.hasWritten)
    case .range, .done, .unchanged: false
    }
  }
}

extension Etcdserverpb_ResponseOp {
  /// - Parameter seen: the revision that operations see: the transaction's own from its first write on.
  fileprivate init(_ result: OperationResult, seen: inout Int64, own: Int64) {
    self.init()
    if case .transaction = result {} else if result.hasWritten { seen = own }
    switch result {
    case .range(let range):
      responseRange = Etcdserverpb_RangeResponse(range)
      responseRange.header.revision = seen
    case .put(let previous):
      responsePut.header.revision = seen
      if let previous { responsePut.prevKv = Mvccpb_KeyValue(previous) }
    case .delete(let count, let previous):
      responseDeleteRange.header.revision = seen
      responseDeleteRange.deleted = Int64(count)
      responseDeleteRange.prevKvs = previous.map(Mvccpb_KeyValue.init)
    case .transaction(let nested):
      responseTxn = Etcdserverpb_TxnResponse(nested, seen: &seen, own: own)
    case .done, .unchanged: break
    }
  }
}

extension Etcdserverpb_TxnResponse {
  /// - Parameter revision: the store's, after the transaction.
  init(_ result: TransactionResult, revision: Int64) {
    let hasWritten = OperationResult.transaction(result).hasWritten
    var seen = hasWritten ? revision - 1 : revision
    self.init(result, seen: &seen, own: revision)
  }

  fileprivate init(_ result: TransactionResult, seen: inout Int64, own: Int64) {
    self.init()
    header = Etcdserverpb_ResponseHeader()
    succeeded = result.hasSucceeded
    for operation in result.results {
      responses.append(Etcdserverpb_ResponseOp(operation, seen: &seen, own: own))
    }
  }
}
