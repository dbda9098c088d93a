import Cluster
import EtcdProtos
import Foundation
import SwiftProtobuf

/// A request to either server.
enum AnyRequest {
  case range(Etcdserverpb_RangeRequest)
  case put(Etcdserverpb_PutRequest)
  case delete(Etcdserverpb_DeleteRangeRequest)
  case transaction(Etcdserverpb_TxnRequest)
  case compact(Etcdserverpb_CompactionRequest)
  case grant(Etcdserverpb_LeaseGrantRequest)
  case revoke(Etcdserverpb_LeaseRevokeRequest)
  case timeToLive(Etcdserverpb_LeaseTimeToLiveRequest)
  case leases(Etcdserverpb_LeaseLeasesRequest)
}

/// Draws requests that meet each other: few keys, few leases, revisions near the newest one, and what
/// no client should send.
struct RandomRequests {
  /// What one level of a transaction may hold.
  static let operations = 100_000

  private var random: SeededNames
  /// The newest revision that a response has told.
  var revision: Int64 = 1

  init(seed: UInt64) { random = SeededNames(state: seed) }

  private mutating func number(_ range: ClosedRange<Int>) -> Int {
    Int.random(in: range, using: &random)
  }
  private mutating func happens(_ percent: Int) -> Bool { number(1...100) <= percent }

  mutating func next() -> AnyRequest {
    switch number(1...100) {
    case ...25: .range(sorted())
    case ...50: .put(put())
    case ...60: .delete(delete())
    case ...85: .transaction(transaction(depth: 0).withoutPanic)
    case ...87: .compact(compact())
    case ...91: .grant(grant())
    case ...94: .revoke(.with { $0.id = lease() })
    case ...98:
      .timeToLive(
        .with {
          $0.id = lease()
          $0.keys = true
        })
    default: .leases(.init())
    }
  }

  /// One that changes something, but compacts nothing: whether a watch is still reading then, is chance.
  mutating func nextChange() -> AnyRequest {
    while true {
      let request = next()
      switch request {
      case .put, .delete, .transaction, .revoke: return request
      case .range, .compact, .grant, .timeToLive, .leases: continue
      }
    }
  }

  /// Puts of every key, so that each watch of some has a last event.
  static let everyKey: [AnyRequest] = keys.map { key in
    .put(
      .with {
        $0.key = Data(key)
        $0.value = Data("end".utf8)
      })
  }

  /// - Parameters:
  ///   - compacted: the oldest revision that can be read.
  ///   - isLast: it may begin before that. etcd gives the id of a watch that has ended so to no other.
  mutating func watch(compacted: Int64, isLast: Bool) -> Etcdserverpb_WatchRequest {
    var create = Etcdserverpb_WatchCreateRequest()
    create.key = key()
    create.rangeEnd = end()
    switch number(1...10) {
    case ...4: create.startRevision = 0
    // The previous value at the compacted revision is there or not.
    case ...7: create.startRevision = compacted + 1 + Int64(number(0...10))
    case 8 where isLast: create.startRevision = max(1, compacted - Int64(number(1...10)))
    default: create.startRevision = revision + Int64(number(0...12))
    }
    create.prevKv = happens(50)
    if happens(20) { create.filters.append(.noput) }
    if happens(20) { create.filters.append(.nodelete) }
    if happens(40) { create.watchID = Int64(number(1...8)) }
    create.fragment = happens(20)
    return .with { $0.createRequest = create }
  }

  // MARK: - Parts

  private static let keys: [[UInt8]] =
    ["a", "b", "ba", "bb", "bba", "c", "d"].map { Array($0.utf8) } + [[0], [0xff], [0xff, 0xff]]

  private mutating func key() -> Data {
    if happens(2) { return Data() }
    return Data(RandomRequests.keys.randomElement(using: &random) ?? [])
  }

  private mutating func end() -> Data {
    switch number(1...10) {
    case ...4: Data()
    case 5: Data([0])
    case 6: Data("bb".utf8)
    case 7: Data("c".utf8)
    case 8: Data("b".utf8)
    default: Data(RandomRequests.keys.randomElement(using: &random) ?? [])
    }
  }

  private mutating func value() -> Data {
    switch number(1...10) {
    case 1: Data()
    case 2: Data(repeating: 7, count: 300)
    default: Data("\(number(1...5))".utf8)
    }
  }

  private mutating func lease() -> Int64 {
    [1, 2, 3, 4, -5, 99, 0].randomElement(using: &random) ?? 1
  }

  private mutating func near() -> Int64 {
    switch number(1...20) {
    case 1: 0
    case 2: -1
    case 3: revision + 1
    case 4: revision + 1000
    case 5: .max
    default: max(1, revision - Int64(number(0...25)))
    }
  }

  // MARK: - Requests

  private mutating func range() -> Etcdserverpb_RangeRequest {
    var request = Etcdserverpb_RangeRequest()
    request.key = key()
    request.rangeEnd = end()
    if happens(30) { request.revision = near() }
    if happens(30) { request.limit = Int64(number(-1...4)) }
    if happens(40) {
      request.sortOrder = [.none, .ascend, .descend].randomElement(using: &random) ?? .none
    }
    request.serializable = happens(20)
    request.keysOnly = happens(15)
    request.countOnly = happens(10)
    if happens(10) { request.minModRevision = near() }
    if happens(10) { request.maxModRevision = near() }
    if happens(10) { request.minCreateRevision = near() }
    if happens(10) { request.maxCreateRevision = near() }
    return request
  }

  /// In an order by anything: where two keys are alike, etcd has them in no certain order, so that no
  /// limit may come between them.
  private mutating func sorted() -> Etcdserverpb_RangeRequest {
    var request = range()
    guard happens(40) else { return request }
    request.sortTarget =
      [.key, .version, .create, .mod, .value].randomElement(using: &random) ?? .key
    if request.sortTarget != .key { request.limit = 0 }
    return request
  }

  private mutating func put() -> Etcdserverpb_PutRequest {
    var request = Etcdserverpb_PutRequest()
    request.key = key()
    request.value = value()
    if happens(25) { request.lease = lease() }
    request.prevKv = happens(40)
    if happens(10) {
      request.ignoreValue = true
      if happens(80) { request.value = Data() }
    }
    if happens(10) {
      request.ignoreLease = true
      if happens(80) { request.lease = 0 }
    }
    return request
  }

  private mutating func delete() -> Etcdserverpb_DeleteRangeRequest {
    var request = Etcdserverpb_DeleteRangeRequest()
    request.key = key()
    if happens(40) { request.rangeEnd = end() }
    request.prevKv = happens(50)
    return request
  }

  private mutating func compare() -> Etcdserverpb_Compare {
    var compare = Etcdserverpb_Compare()
    compare.key = key()
    if happens(20) { compare.rangeEnd = end() }
    compare.result =
      [.equal, .greater, .less, .notEqual].randomElement(using: &random) ?? .equal
    compare.target =
      [.version, .create, .mod, .value, .lease].randomElement(using: &random) ?? .version
    // An operand that is missing counts as zero.
    if happens(90) {
      switch compare.target {
      case .version: compare.version = Int64(number(0...4))
      case .create: compare.createRevision = near()
      case .mod: compare.modRevision = near()
      case .value: compare.value = value()
      default: compare.lease = lease()
      }
    }
    return compare
  }

  private mutating func transaction(depth: Int) -> Etcdserverpb_TxnRequest {
    var request = Etcdserverpb_TxnRequest()
    for _ in 0..<number(0...2) { request.compare.append(compare()) }
    for _ in 0..<number(0...3) { request.success.append(operation(depth: depth)) }
    for _ in 0..<number(0...3) { request.failure.append(operation(depth: depth)) }
    return request
  }

  private mutating func operation(depth: Int) -> Etcdserverpb_RequestOp {
    var operation = Etcdserverpb_RequestOp()
    switch number(1...100) {
    case ...30: operation.requestRange = range()
    case ...65: operation.requestPut = put()
    case ...80: operation.requestDeleteRange = delete()
    case ...98 where depth < 3: operation.requestTxn = transaction(depth: depth + 1)
    case ...98: operation.requestRange = range()
    default: break
    }
    return operation
  }

  private mutating func compact() -> Etcdserverpb_CompactionRequest {
    var request = Etcdserverpb_CompactionRequest()
    request.revision = near()
    request.physical = happens(50)
    return request
  }

  private mutating func grant() -> Etcdserverpb_LeaseGrantRequest {
    var request = Etcdserverpb_LeaseGrantRequest()
    request.id = [1, 2, 3, 4, -5].randomElement(using: &random) ?? 1
    request.ttl =
      [5000, 6000, 9_000_000_000, 9_000_000_001, .max].randomElement(using: &random) ?? 5000
    return request
  }
}

extension Etcdserverpb_TxnRequest {
  /// etcd 3.5.1 ends when a transaction deletes keys without an end and then keeps the value of one of
  /// them; this server refuses that, as a test of the store says.
  fileprivate var withoutPanic: Etcdserverpb_TxnRequest { deletesOpenly ? keepingNothing : self }

  private var deletesOpenly: Bool {
    (success + failure).contains { operation in
      switch operation.request {
      case .requestDeleteRange(let delete): delete.rangeEnd == Data([0])
      case .requestTxn(let nested): nested.deletesOpenly
      default: false
      }
    }
  }

  fileprivate var keepingNothing: Etcdserverpb_TxnRequest {
    var request = self
    request.success = success.map(\.keepingNothing)
    request.failure = failure.map(\.keepingNothing)
    return request
  }
}

extension Etcdserverpb_RequestOp {
  fileprivate var keepingNothing: Etcdserverpb_RequestOp {
    var operation = self
    switch request {
    case .requestPut:
      operation.requestPut.ignoreValue = false
      operation.requestPut.ignoreLease = false
    case .requestTxn(let nested): operation.requestTxn = nested.keepingNothing
    default: break
    }
    return operation
  }
}
