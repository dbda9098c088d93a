import EtcdProtos
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCProtobuf
import Synchronization

/// Where a watch goes on when its stream breaks.
final class WatchCursor: Sendable {
  private let state: Mutex<Int64>
  init(_ start: Int64) { state = Mutex(start) }
  var next: Int64 { state.withLock { $0 } }
  func delivered(_ revision: Int64) { state.withLock { $0 = max($0, revision + 1) } }
  /// A stream has begun when the store was at `revision`: what one that asks for what is new misses afterwards is
  /// not new to the next.
  func began(at revision: Int64) { state.withLock { if $0 == 0 { $0 = revision + 1 } } }
}

/// One watch on one connection.
struct WatchCall: Sendable {
  let range: ClientRange
  let connection: Connection
  let cursor: WatchCursor
  let last: Int64

  /// - Returns: false once `body` has had enough; true if the stream ended by itself.
  func run(
    created: @escaping @Sendable () -> Void,
    _ body: @escaping @Sendable (ClientBatch) async throws -> Bool
  ) async throws -> Bool {
    let request = request()
    let (isOpen, finish) = AsyncStream.makeStream(of: Void.self)
    defer { finish.finish() }
    var options = CallOptions.defaults
    options.maxResponseMessageBytes = ConfigClient.messageBytes
    let (cursor, last) = (cursor, last)
    let client = Etcdserverpb_Watch.Client(wrapping: connection.client)
    // Who waits for what is new would wait in vain at a member that is cut off; what has been, each has.
    let metadata: Metadata = last == .max ? ["hasleader": "true"] : [:]
    return try await client.watch(metadata: metadata, options: options) { writer in
      try await writer.write(request)
      if last < .max {
        var progress = Etcdserverpb_WatchRequest()
        progress.progressRequest = Etcdserverpb_WatchProgressRequest()
        try await writer.write(progress)
      }
      // The client's side stays open as long as the watch.
      for await _ in isOpen {}
    } onResponse: { response in
      defer { finish.finish() }
      for try await message in response.messages {
        if message.canceled { throw WatchCall.refusal(message) }
        if message.created {
          cursor.began(at: message.header.revision)
          created()
        }
        // The bookmark: everything up to its revision has come.
        if message.watchID == -1, message.header.revision >= last { return false }
        if WatchCall.isProgress(message) { cursor.delivered(message.header.revision) }
        for batch in WatchCall.batches(message.events) {
          cursor.delivered(batch.revision)
          let goesOn = try await body(batch)
          if !goesOn { return false }
        }
      }
      return true
    }
  }

  private func request() -> Etcdserverpb_WatchRequest {
    let (key, end) = range.wire
    var request = Etcdserverpb_WatchRequest()
    request.createRequest.key = Data(key)
    request.createRequest.rangeEnd = Data(end)
    request.createRequest.startRevision = cursor.next
    request.createRequest.prevKv = true
    // So that a watch of keys that rest does not begin behind a compaction when it goes on.
    request.createRequest.progressNotify = true
    return request
  }

  /// Whether an answer tells that everything through its revision has come.
  private static func isProgress(_ message: Etcdserverpb_WatchResponse) -> Bool {
    message.events.isEmpty && !message.created && !message.canceled && message.watchID >= 0
  }

  private static func refusal(_ message: Etcdserverpb_WatchResponse) -> ClientError {
    message.compactRevision > 0
      ? ClientError(
        .refused, "the history before revision \(message.compactRevision) has been compacted",
        compactRevision: message.compactRevision)
      : ClientError(.refused, "the watch was cancelled: \(reason(message))")
  }

  /// etcd puts a status in it as Go prints one.
  private static func reason(_ message: Etcdserverpb_WatchResponse) -> String {
    message.cancelReason.components(separatedBy: " desc = ").last ?? message.cancelReason
  }

  private static func batches(_ events: [Mvccpb_Event]) -> [ClientBatch] {
    var batches: [ClientBatch] = []
    for event in events {
      let converted = ClientEvent(event)
      if batches.last?.revision == event.kv.modRevision {
        batches[batches.count - 1].events.append(converted)
      } else {
        batches.append(ClientBatch(revision: event.kv.modRevision, events: [converted]))
      }
    }
    return batches
  }
}

extension ClientEvent {
  init(_ event: Mvccpb_Event) {
    self.init(
      kind: event.type == .delete ? .delete : .put, key: [UInt8](event.kv.key),
      value: [UInt8](event.kv.value), modRevision: event.kv.modRevision,
      previous: event.hasPrevKv ? [UInt8](event.prevKv.value) : nil)
  }
}

extension ClientItem {
  init(_ item: Mvccpb_KeyValue) {
    self.init(
      key: [UInt8](item.key), value: [UInt8](item.value), createRevision: item.createRevision,
      modRevision: item.modRevision, version: item.version, lease: item.lease)
  }
}

extension ClientStatus {
  init(_ response: Etcdserverpb_StatusResponse) {
    self.init(
      member: response.header.memberID, leader: response.leader,
      revision: response.header.revision, term: response.raftTerm,
      appliedIndex: response.raftAppliedIndex, version: response.version,
      databaseBytes: response.dbSize, errors: response.errors)
  }
}

extension Etcdserverpb_TxnRequest {
  init(_ transaction: ClientTransaction) {
    self.init()
    compare = transaction.fences.map { fence in
      var compare = Etcdserverpb_Compare()
      compare.key = Data(fence.key)
      compare.target = .mod
      compare.modRevision = fence.revision
      return compare
    }
    success = transaction.puts.map { item in
      var operation = Etcdserverpb_RequestOp()
      operation.requestPut.key = Data(item.key)
      operation.requestPut.value = Data(item.value)
      return operation
    }
    success += transaction.deletes.map { key in
      var operation = Etcdserverpb_RequestOp()
      operation.requestDeleteRange.key = Data(key)
      return operation
    }
  }
}
