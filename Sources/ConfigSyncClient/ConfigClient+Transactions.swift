import EtcdProtos
import Foundation
import GRPCCore
import GRPCProtobuf
import SwiftProtobuf

/// What a transaction asks of a key; one that does not exist has 0 everywhere, and no value.
public struct ClientCompare: Hashable, Sendable {
  public enum Target: Hashable, Sendable {
    case version(Int64)
    case createRevision(Int64)
    case modRevision(Int64)
    case value([UInt8])
    case lease(Int64)
  }
  public enum Relation: Hashable, Sendable { case equal, notEqual, greater, less }

  public var key: [UInt8]
  public var target: Target
  public var relation: Relation

  public init(_ key: [UInt8], _ relation: Relation, _ target: Target) {
    self.key = key
    self.target = target
    self.relation = relation
  }
}

public enum ClientOperation: Hashable, Sendable {
  case put(key: [UInt8], value: [UInt8])
  case get(ClientRange)
  case delete(ClientRange)
}

public enum ClientOperationResult: Hashable, Sendable {
  case put
  case items([ClientItem])
  /// How many keys there were.
  case deleted(Int64)
}

public struct ClientTransactionResult: Hashable, Sendable {
  /// Every compare held, so that the first list was carried out, and else the second.
  public var succeeded: Bool
  public var revision: Int64
  /// Of each operation, in their order.
  public var results: [ClientOperationResult]
}

extension ConfigClient {
  /// Carries out one of two lists of operations, whole and at one revision.
  ///
  /// - Throws: `ClientError`; it is sent once, since it may have taken effect when the answer is lost.
  public func transact(
    if compares: [ClientCompare], then success: [ClientOperation], else failure: [ClientOperation]
  ) async throws -> ClientTransactionResult {
    var request = Etcdserverpb_TxnRequest()
    request.compare = compares.map(Etcdserverpb_Compare.init)
    request.success = success.map(Etcdserverpb_RequestOp.init)
    request.failure = failure.map(Etcdserverpb_RequestOp.init)
    let message = request
    let response: Etcdserverpb_TxnResponse = try await once { connection in
      let client = Etcdserverpb_KV.Client(wrapping: connection.client)
      return try await client.txn(message, options: options)
    }
    return ClientTransactionResult(
      succeeded: response.succeeded, revision: response.header.revision,
      results: response.responses.map(ClientOperationResult.init))
  }
}

extension Etcdserverpb_Compare {
  fileprivate init(_ compare: ClientCompare) {
    self.init()
    key = Data(compare.key)
    switch compare.relation {
    case .equal: result = .equal
    case .notEqual: result = .notEqual
    case .greater: result = .greater
    case .less: result = .less
    }
    switch compare.target {
    case .version(let number):
      target = .version
      version = number
    case .createRevision(let number):
      target = .create
      createRevision = number
    case .modRevision(let number):
      target = .mod
      modRevision = number
    case .value(let bytes):
      target = .value
      value = Data(bytes)
    case .lease(let number):
      target = .lease
      lease = number
    }
  }
}

extension Etcdserverpb_RequestOp {
  fileprivate init(_ operation: ClientOperation) {
    self.init()
    switch operation {
    case .put(let key, let value):
      requestPut.key = Data(key)
      requestPut.value = Data(value)
    case .get(let range):
      let (key, end) = range.wire
      requestRange.key = Data(key)
      requestRange.rangeEnd = Data(end)
    case .delete(let range):
      let (key, end) = range.wire
      requestDeleteRange.key = Data(key)
      requestDeleteRange.rangeEnd = Data(end)
    }
  }
}

extension ClientOperationResult {
  fileprivate init(_ response: Etcdserverpb_ResponseOp) {
    switch response.response {
    case .responseRange(let range): self = .items(range.kvs.map(ClientItem.init))
    case .responseDeleteRange(let deletion): self = .deleted(deletion.deleted)
    case .responsePut, .responseTxn, nil: self = .put
    }
  }
}
