import ConfigSyncClient
import EtcdProtos
import GRPCServer
import SwiftProtobuf
import Synchronization
import TestSupport
import Testing

/// Where a client's watch goes on when its member can't tell it anything.
struct WatchClientTests {
  private static func listener(
    _ watch:
      @escaping @Sendable (
        _ call: GRPCCall, _ start: Int64, _ writer: GRPCResponseWriter
      ) async throws -> GRPCStatus
  ) async throws -> GRPCListener {
    var services = GRPCServices()
    services.add(
      "/etcdserverpb.Watch/Watch",
      .streaming { call, requests, writer in
        for await request in requests {
          do {
            let start = try Etcdserverpb_WatchRequest(serializedBytes: request)
              .createRequest.startRevision
            return try await watch(call, start, writer)
          } catch {
            return GRPCStatus(.cancelled)
          }
        }
        return .ok
      })
    return try await GRPCListener(services: services, addresses: [("127.0.0.1", 0)], threads: 1)
  }

  private static func created(at revision: Int64) throws -> [UInt8] {
    try Etcdserverpb_WatchResponse.with {
      $0.created = true
      $0.header.revision = revision
    }.serializedBytes()
  }

  /// A member that is cut off from the others ends the streams of those who ask for that, and of no one else.
  @Test(.timeLimit(.minutes(5))) func aWatchLeavesAMemberWithoutALeader() async throws {
    let alone = try await WatchClientTests.listener { call, start, writer in
      #expect(start == 0)
      try await writer.send(try WatchClientTests.created(at: 3))
      if call.metadata["hasleader"] != "true" { try await Task.sleep(for: .seconds(3600)) }
      return GRPCStatus(.unavailable, "etcdserver: no leader")
    }
    let led = try await WatchClientTests.listener { _, start, writer in
      #expect(start == 4, "what came in between is not lost, though nothing was delivered")
      try await writer.send(try WatchClientTests.created(at: 9))
      let event = Etcdserverpb_WatchResponse.with { response in
        response.events = [.with { $0.kv.modRevision = 5 }]
      }
      try await writer.send(try event.serializedBytes())
      return .ok
    }
    let endpoints = [alone, led].map { "127.0.0.1:\($0.ports[0])" }
    let seen = Mutex<[Int64]>([])
    try await withConfigClient(endpoints: endpoints, timeout: .patience) { client in
      try await client.watch(.prefix([])) { batch in
        seen.withLock { $0.append(batch.revision) }
        return false
      }
    }
    #expect(seen.withLock { $0 } == [5])
    try await alone.shutDown()
    try await led.shutDown()
  }
}
