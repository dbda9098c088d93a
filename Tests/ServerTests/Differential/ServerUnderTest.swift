import EtcdProtos
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import SwiftProtobuf

/// One of the two servers, and what it answers, without what must differ: ids, terms and times.
struct ServerUnderTest: Sendable {
  let client: GRPCClient<HTTP2ClientTransport.Posix>

  init(_ endpoint: String) throws {
    let port = Int(endpoint.split(separator: ":").last ?? "") ?? 0
    client = GRPCClient(
      transport: try HTTP2ClientTransport.Posix(
        target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: .plaintext))
  }

  /// The answer as text: a message in proto's text form, or an error.
  ///
  /// - Parameter token: whose request it is; nil for a stranger's.
  func answer(
    _ request: AnyRequest, token: String? = nil
  ) async -> (text: String, revision: Int64?) {
    do {
      var metadata = Metadata()
      if let token { metadata.addString(token, forKey: "token") }
      let (text, header) = try await send(request, metadata)
      return (text, header.revision)
    } catch let error as RPCError {
      return ("error \(error.code): \(error.message)", nil)
    } catch {
      return ("error \(error)", nil)
    }
  }

  private func send(
    _ request: AnyRequest, _ metadata: Metadata
  ) async throws -> (String, Etcdserverpb_ResponseHeader) {
    let keys = Etcdserverpb_KV.Client(wrapping: client)
    let leases = Etcdserverpb_Lease.Client(wrapping: client)
    switch request {
    case .range(let request):
      var response = try await keys.range(request, metadata: metadata)
      // In the order that was asked for, and among equal ones by key.
      let places = response.kvs.map { request.place(of: $0) }
      let isSorted = zip(places, places.dropFirst()).allSatisfy { !request.precedes($1, $0) }
      response.kvs.sort { $0.key.lexicographicallyPrecedes($1.key) }
      let (text, header) = show(response, \.header)
      return ("sorted: \(isSorted)\n\(text)", header)
    case .put(let request): return show(try await keys.put(request, metadata: metadata), \.header)
    case .delete(let request):
      return show(try await keys.deleteRange(request, metadata: metadata), \.header)
    case .transaction(let request):
      return show(try await keys.txn(request, metadata: metadata), \.header)
    case .compact(let request):
      return show(try await keys.compact(request, metadata: metadata), \.header)
    case .grant(let request):
      return show(try await leases.leaseGrant(request, metadata: metadata), \.header)
    case .revoke(let request):
      return show(try await leases.leaseRevoke(request, metadata: metadata), \.header)
    case .timeToLive(let request):
      var response = try await leases.leaseTimeToLive(request, metadata: metadata)
      if response.ttl > 0 { response.ttl = 1 }
      response.keys.sort { $0.lexicographicallyPrecedes($1) }
      return show(response, \.header)
    case .leases(let request):
      var response = try await leases.leaseLeases(request, metadata: metadata)
      response.leases.sort { $0.id < $1.id }
      return show(response, \.header)
    }
  }

  func show<Response: Message>(
    _ response: Response, _ header: WritableKeyPath<Response, Etcdserverpb_ResponseHeader>
  ) -> (String, Etcdserverpb_ResponseHeader) {
    var response = response
    response[keyPath: header].clusterID = 0
    response[keyPath: header].memberID = 0
    response[keyPath: header].raftTerm = 0
    return (response.textFormatString(), response[keyPath: header])
  }
}

extension Etcdserverpb_RangeRequest {
  /// What a key is sorted by: numbers so that their bytes are in the same order.
  fileprivate func place(of item: Mvccpb_KeyValue) -> Data {
    let number: Int64
    switch sortTarget {
    case .version: number = item.version
    case .create: number = item.createRevision
    case .mod: number = item.modRevision
    // Values are not there if only keys are asked for.
    case .value: return keysOnly ? Data() : item.value
    default: return item.key
    }
    return withUnsafeBytes(of: number.bigEndian) { Data($0) }
  }

  fileprivate func precedes(_ left: Data, _ right: Data) -> Bool {
    sortOrder == .descend
      ? right.lexicographicallyPrecedes(left) : left.lexicographicallyPrecedes(right)
  }
}
