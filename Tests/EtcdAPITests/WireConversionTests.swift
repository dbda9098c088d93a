import Cluster
import EtcdProtos
import Foundation
import GRPCServer
import Store
import Testing

@testable import EtcdAPI

struct WireConversionTests {
  @Test func rangesFollowEtcdsRules() throws {
    var request = Etcdserverpb_RangeRequest()
    #expect(throws: GRPCStatus.keyNotProvided) { _ = try RangeQuery(request) }
    request.key = Data("a".utf8)
    #expect(try RangeQuery(request).range == .single("a"))
    request.rangeEnd = Data([0])
    #expect(try RangeQuery(request).range == .from("a"))
    request.rangeEnd = Data("c".utf8)
    request.limit = -1
    request.revision = -5
    request.minModRevision = 3
    let query = try RangeQuery(request)
    #expect(query.range == .between("a", "c"))
    #expect(query.limit == nil && query.revision == nil)
    #expect(query.modBounds.minimum == Revision(3) && query.modBounds.maximum == nil)
    request.sortTarget = .value
    #expect(try RangeQuery(request).sort == .init(.value, .ascending))
    request.sortOrder = .UNRECOGNIZED(9)
    #expect(throws: GRPCStatus.invalidSort) { _ = try RangeQuery(request) }
  }

  @Test func putsThatContradictThemselvesAreRefused() throws {
    var request = Etcdserverpb_PutRequest()
    request.key = Data("a".utf8)
    request.value = Data("v".utf8)
    request.ignoreValue = true
    #expect(throws: GRPCStatus.valueProvided) { _ = try PutRequest(request) }
    request.value = Data()
    request.lease = 1
    request.ignoreLease = true
    #expect(throws: GRPCStatus.leaseProvided) { _ = try PutRequest(request) }
  }

  @Test func anOperationWithNothingSetIsRefused() {
    var request = Etcdserverpb_TxnRequest()
    request.success = [Etcdserverpb_RequestOp()]
    #expect(throws: GRPCStatus.operationMissing) { _ = try Transaction(request) }
  }

  @Test func errorsHaveEtcdsCodesAndTexts() {
    let table: [(any Error, GRPCStatus.Code, String)] = [
      (StoreError.emptyKey, .invalidArgument, "etcdserver: key is not provided"),
      (StoreError.leaseNotFound, .notFound, "etcdserver: requested lease not found"),
      (
        StoreError.compacted(oldest: Revision(3)), .outOfRange,
        "etcdserver: mvcc: required revision has been compacted"
      ),
      (
        StoreError.futureRevision(current: Revision(3)), .outOfRange,
        "etcdserver: mvcc: required revision is a future revision"
      ),
      (
        StoreError.duplicateKey, .invalidArgument,
        "etcdserver: duplicate key given in txn request"
      ),
      (ClusterError.timedOut(leaderKnown: false), .unavailable, "etcdserver: request timed out"),
      (
        ClusterError.tooLarge(bytes: 2, limit: 1), .invalidArgument,
        "etcdserver: request is too large"
      ),
    ]
    for (error, code, text) in table {
      #expect(GRPCStatus(error) == GRPCStatus(code, text))
    }
  }

  @Test func eventsCarryWhatEtcdsDo() {
    let item = KeyValue(
      key: "k", value: [1], createRevision: Revision(2), modRevision: Revision(3), version: 2,
      lease: 0)
    let put = Mvccpb_Event(KeyEvent(.put(item), previous: nil))
    #expect(put.type == .put && put.kv.modRevision == 3 && put.kv.createRevision == 2)
    #expect(!put.hasPrevKv)
    let delete = Mvccpb_Event(KeyEvent(.delete("k", at: Revision(4)), previous: item))
    #expect(delete.type == .delete && delete.kv.modRevision == 4 && delete.kv.value.isEmpty)
    #expect(delete.prevKv.modRevision == 3)
  }
}
