import ConfigSyncClient
import Foundation
import GRDB
import TestSupport
import Testing

@testable import Server

/// A database that says something else than those of the other members, and nothing that notices but the
/// comparison of states.
struct IntegrityEndToEndTests {
  private func leader(_ client: ConfigClient) async throws -> Int? {
    await client.statuses().firstIndex { status in
      guard case .success(let found) = status.status else { return false }
      return found.member == found.leader
    }
  }

  /// Another program writes to the member's file: as a bit that flips on the disk would.
  private func falsify(_ member: ServerOptions) throws {
    let folder = member.dataDirectory + "/state"
    let files = try FileManager.default.contentsOfDirectory(atPath: folder)
    let name = try #require(files.filter { $0.hasPrefix("state-") && $0.hasSuffix(".db") }.max())
    var configuration = Configuration()
    configuration.busyMode = .timeout(10)
    try DatabaseQueue(path: folder + "/" + name, configuration: configuration).write { db in
      try db.execute(
        sql: "UPDATE history SET value = x'62616421' WHERE key = ?", arguments: [Data("/a".utf8)])
      #expect(db.changesCount == 1)
    }
  }

  /// Asks until `body` has an answer: each turn takes the time of a call.
  private func until<Value>(
    _ what: String, _ body: () async throws -> Value?
  ) async throws -> Value {
    for _ in 0..<20_000 {
      if let value = try? await body() { return value }
      await Task.yield()
    }
    throw NeverSeen(what: what)
  }

  private struct NeverSeen: Error { var what: String }

  @Test func aLeaderWhoseDatabaseDiffersIsFencedAndTheOthersGoOn() async throws {
    var fixture = try ClusterFixture()
    for index in fixture.members.indices { fixture.members[index].corruptCheckTime = "0.3s" }
    try await fixture.run { cluster in
      let endpoints = cluster.fixture.endpoints
      try await withConfigClient(endpoints: endpoints, timeout: .patience) { client in
        _ = try await until("a first write") { try await client.put(Array("/a".utf8), [1]) }
        let bad = try await until("a leader") { try await leader(client) }
        let good = endpoints.enumerated().filter { $0.offset != bad }.map(\.element)
        try await withConfigClient(endpoints: [endpoints[bad]], timeout: .patience) { victim in
          let first = try await victim.put(Array("/b".utf8), [2])
          let watching = Task {
            try await victim.watch(.prefix([]), from: first) { _ in false }
          }
          try await onThread { Result { try falsify(cluster.fixture.members[bad]) } }.get()
          _ = try await until("the alarm") { () -> Bool? in
            let errors = try await victim.statuses()[0].status.get().errors
            return errors.contains { $0.contains("CORRUPT") } ? true : nil
          }
          // What it would say is wrong; it says nothing, and its watches end.
          for consistency in [ClientConsistency.serializable, .linearizable] {
            await #expect {
              _ = try await victim.range(.key(Array("/a".utf8)), consistency)
            } throws: { "\($0)".contains("differs from the others") }
          }
          await #expect { _ = try await victim.put([9], [9]) } throws: {
            "\($0)".contains("differs from the others")
          }
          watching.cancel()
          _ = await watching.result
        }
        try await withConfigClient(endpoints: good, timeout: .patience) { others in
          _ = try await until("another leader") { try await leader(others) }
          _ = try await others.put(Array("/c".utf8), [3])
          let kept = try await others.range(.key(Array("/a".utf8)))
          #expect(kept.items.map(\.value) == [[1]])
        }
        // A client that knows all of them is served.
        #expect(try await client.range(.key(Array("/a".utf8))).items.map(\.value) == [[1]])
      }
    }
  }
}
