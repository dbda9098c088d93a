import Cluster
import EtcdProtos
import Foundation
import GRPCServer
import Store
import SwiftProtobuf

/// etcdserverpb.Watch: many watches on one stream.
struct WatchService: Sendable {
  /// Events in one response of a watch that asked for fragments, about etcd's request limit.
  private static let fragmentBytes = 1_500_000
  /// Answers that are ready leave together, up to this.
  private static let togetherBytes = 64 << 10

  let base: ServiceBase
  private let encoder = EventEncoder()

  init(base: ServiceBase) { self.base = base }

  func register(in services: inout GRPCServices) {
    services.add("/etcdserverpb.Watch/Watch", base.streaming(serve))
  }

  private func serve(
    _ requests: AsyncStream<[UInt8]>, _ writer: GRPCResponseWriter, _ session: Session
  ) async throws {
    try base.checkVoter()
    let session = await session.pinned()
    let stream = base.member.hub.openStream()
    defer { stream.close() }
    try await withThrowingTaskGroup(of: Bool.self) { group in
      group.addTask {
        var permits = WatchPermits(session: session)
        while let deliveries = try await stream.next() {
          var answers: [[UInt8]] = []
          var bytes = 0
          for delivery in deliveries where await permits.allow(delivery, of: stream) {
            for answer in try encode(delivery, &permits) {
              answers.append(answer)
              bytes += answer.count
            }
            guard bytes >= WatchService.togetherBytes else { continue }
            try await writer.send(all: answers)
            (answers, bytes) = ([], 0)
          }
          try await writer.send(all: answers)
        }
        return true
      }
      group.addTask {
        // A client that has asked for everything it wants may end its side, and is told on (as with etcd).
        for await bytes in requests {
          guard stream.waiting < WatchLimits.pendingDeliveries else {
            throw GRPCStatus(.resourceExhausted, "too many answers wait on the stream")
          }
          try await take(bytes, on: stream, session)
        }
        return false
      }
      group.addTask {
        while !Task.isCancelled {
          // A cancelled sleep ends the loop at its next turn.
          try? await Task.sleep(for: base.options.progressInterval)
          stream.tellProgress()
        }
        return false
      }
      // Whichever side fails first ends the other: no client waits on a stream that is dead.
      do {
        while let isOver = try await group.next() {
          if isOver { group.cancelAll() }
        }
      } catch {
        stream.close()
        group.cancelAll()
        throw error
      }
    }
  }

  private func take(
    _ bytes: [UInt8], on stream: WatchStream, _ session: Session
  ) async throws {
    let request: Etcdserverpb_WatchRequest = try ServiceBase.decode(bytes)
    switch request.requestUnion {
    case .createRequest(let create):
      try await self.create(create, on: stream, session)
    case .cancelRequest(let cancel): stream.cancel(cancel.watchID)
    case .progressRequest: stream.requestProgress()
    case nil: break
    }
  }

  private func create(
    _ request: Etcdserverpb_WatchCreateRequest, on stream: WatchStream, _ session: Session
  ) async throws {
    // An empty key means the smallest key there is.
    let key = request.key.isEmpty ? [0] : [UInt8](request.key)
    let range = KeyRange(key: key, rangeEnd: [UInt8](request.rangeEnd))
    guard !range.isEmpty else {
      return stream.refuse("mvcc: watcher range is empty")
    }
    do {
      try await session.rights().checkRead(range)
    } catch {
      return stream.refuse(GRPCStatus(error).goText)
    }
    var filters: Set<WatchRequest.Filter> = []
    if request.filters.contains(.noput) { filters.insert(.noPut) }
    if request.filters.contains(.nodelete) { filters.insert(.noDelete) }
    let start = request.startRevision == 0 ? nil : Revision(request.startRevision)
    let wanted = WatchRequest(
      range, from: start, wantsPrevious: request.prevKv, filters: filters,
      delivery: request.fragment ? .fragments : .whole, wantsProgress: request.progressNotify)
    let id = request.watchID == 0 ? nil : request.watchID
    guard stream.add(wanted, id: id) != nil else {
      return stream.refuse("mvcc: duplicate watch ID provided on the WatchStream")
    }
  }

  private func response(_ id: WatchID, revision: Int64? = nil) -> Etcdserverpb_WatchResponse {
    var response = Etcdserverpb_WatchResponse()
    response.header = base.header(
      revision: revision ?? base.member.store.current.revision.rawValue)
    response.watchID = id
    return response
  }

  /// The answers that tell a client of a delivery, in their order.
  private func encode(
    _ delivery: WatchDelivery, _ permits: inout WatchPermits
  ) throws -> [[UInt8]] {
    switch delivery {
    case .created(let id, let revision):
      // A client that lost the stream before an event goes on after this revision.
      var response = response(id, revision: revision.rawValue)
      response.created = true
      return [try response.serializedBytes()]
    case .refused(let reason):
      var response = response(-1)
      response.created = true
      response.canceled = true
      response.cancelReason = reason
      return [try response.serializedBytes()]
    case .cancelled(let id):
      var response = response(id)
      response.canceled = true
      response.cancelReason = permits.takeReason(of: id) ?? ""
      return [try response.serializedBytes()]
    case .compacted(let id, let oldest):
      var response = response(id, revision: 0)
      response.canceled = true
      response.compactRevision = oldest.rawValue
      return [try response.serializedBytes()]
    case .upToDate(let id, let revision):
      return [try response(id, revision: revision.rawValue).serializedBytes()]
    case .progress(let revision):
      return [try response(-1, revision: revision.rawValue).serializedBytes()]
    case .events(let id, let batch, let origin):
      let parts =
        origin.request.delivery == .fragments
        ? WatchService.fragments(of: batch.events) : [batch.events]
      return try parts.enumerated().map { number, part in
        var response = response(id, revision: batch.revision.rawValue)
        response.fragment = number < parts.count - 1
        let head: [UInt8] = try response.serializedBytes()
        return head + (try encoder.encode(part))
      }
    }
  }

  private static func fragments(of events: [KeyEvent]) -> [[KeyEvent]] {
    var parts: [[KeyEvent]] = []
    var start = 0
    var bytes = 0
    for (index, event) in events.enumerated() {
      let size = event.byteCount
      if index > start, bytes + size > fragmentBytes {
        parts.append(Array(events[start..<index]))
        start = index
        bytes = 0
      }
      bytes += size
    }
    parts.append(Array(events[start...]))
    return parts
  }
}
