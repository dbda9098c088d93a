import ConfigSyncClient
import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Server

/// A backup of a cluster, and a new cluster that begins with it.
@Suite(.serialized)
struct SnapshotFileTests {
  /// A snapshot of a member that holds two versions of a key.
  private static func save(in folder: String) async throws -> String {
    let path = folder + "/saved"
    try await ClusterFixture(count: 1).run { cluster in
      try await withConfigClient(endpoints: cluster.fixture.endpoints, timeout: .patience) {
        client in
        for value in ["one", "two"] {
          _ = try await client.put(Array("/key".utf8), Array(value.utf8))
        }
        let bytes = Mutex(Data())
        try await client.snapshot { blob in bytes.withLock { $0 += Data(blob) } }
        try bytes.withLock { try $0.write(to: URL(fileURLWithPath: path)) }
      }
    }
    return path
  }

  private static func restored(_ snapshot: String, token: String) throws -> ClusterFixture {
    var fixture = try ClusterFixture(count: 1)
    fixture.members[0].initialClusterToken = token
    _ = try SnapshotFile(snapshot).restore(fixture.members[0])
    return fixture
  }

  @Test func aNewClusterBeginsWithASnapshot() async throws {
    let folder = try TemporaryFolder()
    let saved = try await SnapshotFileTests.save(in: folder.path)
    let facts = try SnapshotFile(saved).inspect()
    #expect(facts.revision >= 3)
    let fixture = try SnapshotFileTests.restored(saved, token: "another")
    let names = try FileManager.default.contentsOfDirectory(atPath: fixture.folder.path)
    #expect(names == ["m0"], "nothing is left beside the directory")
    try await fixture.run { cluster in
      try await withConfigClient(endpoints: cluster.fixture.endpoints, timeout: .patience) {
        client in
        let found = try await client.range(.key(Array("/key".utf8)))
        #expect(found.items.first?.value == Array("two".utf8))
        let former = try await client.range(.key(Array("/key".utf8)), at: found.revision - 1)
        #expect(former.items.first?.value == Array("one".utf8))
        let next = try await client.put(Array("/key".utf8), [3])
        #expect(next == facts.revision + 1)
        #expect(try await client.members().count == 1)
      }
    }
  }

  /// Its log alone would give those who join nothing of what was restored.
  @Test func whoJoinsARestoredClusterIsSentItsState() async throws {
    let folder = try TemporaryFolder()
    let saved = try await SnapshotFileTests.save(in: folder.path)
    var prepared = try SnapshotFileTests.restored(saved, token: "another")
    let joining = try ClusterFixture(count: 2)
    var cluster = prepared.members[0].initialCluster
    for (index, member) in joining.members.enumerated() {
      var options = member
      options.name = "j\(index)"
      cluster += ",j\(index)=\(member.listenPeerURLs[0])"
      options.initialCluster = cluster
      options.initialClusterState = .existing
      options.initialClusterToken = "another"
      prepared.members.append(options)
    }
    let fixture = prepared
    let running = RunningCluster(fixture: fixture)
    defer { withExtendedLifetime(joining) {} }
    do {
      try await running.start(0)
      try await withConfigClient(endpoints: fixture.members[0].listenClientURLs, timeout: .patience)
      { client in
        for index in 1...2 {
          let urls = fixture.members[index].listenPeerURLs
          try await until { try await client.addMember(peerURLs: urls, as: .voter) }
          try await running.start(index)
          try await until { try await client.put(Array("/joined".utf8), [UInt8(index)]) }
        }
        let newest = try await client.put(Array("/all".utf8), [1])
        try await withConfigClient(endpoints: fixture.endpoints, timeout: .patience) { all in
          let hashes = try await until {
            try await all.hashes(at: newest).map { try $0.result.get().hash }
          }
          #expect(hashes.count == 3 && Set(hashes).count == 1)
        }
        for member in fixture.members[1...] {
          try await withConfigClient(endpoints: member.listenClientURLs, timeout: .patience) {
            joined in
            let found = try await joined.range(.key(Array("/key".utf8)))
            #expect(found.items.map(\.value) == [Array("two".utf8)])
          }
        }
      }
      await running.stopAll()
    } catch {
      await running.stopAll()
      throw error
    }
  }

  /// Asks until the cluster has somebody who answers.
  @discardableResult
  private func until<Value>(_ body: () async throws -> Value) async throws -> Value {
    for _ in 0..<300 { if let value = try? await body() { return value } }
    return try await body()
  }

  /// A forgotten flag does not make a restored directory useless.
  @Test func aMemberOfAnotherTokenIsRefusedAndChangesNothing() async throws {
    let folder = try TemporaryFolder()
    let saved = try await SnapshotFileTests.save(in: folder.path)
    var fixture = try SnapshotFileTests.restored(saved, token: "another")
    fixture.members[0].initialClusterToken = "etcd-cluster"
    let wrong = fixture
    await #expect {
      try await ConfigSyncServer(wrong.members[0], logger: .quiet, failStop: { _ in }).run()
    } throws: { error in
      "\(error)".contains("--initial-cluster-token")
    }
    fixture.members[0].initialClusterToken = "another"
    try await fixture.run { cluster in
      try await withConfigClient(endpoints: cluster.fixture.endpoints, timeout: .patience) {
        client in
        let found = try await client.range(.key(Array("/key".utf8)))
        #expect(found.items.count == 1)
      }
    }
  }

  @Test func whatIsNotWholeIsRefused() async throws {
    let folder = try TemporaryFolder()
    let saved = try await SnapshotFileTests.save(in: folder.path)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: saved))
    var flipped = bytes
    flipped[9000] ^= 1
    let fixture = try ClusterFixture(count: 1)
    for (content, reason) in [
      (flipped, "SHA-256"), (bytes.dropLast(), "no snapshot"), (bytes.dropLast(512), "SHA-256"),
      (Data(), "no snapshot"),
    ] {
      let damaged = folder.path + "/damaged"
      try content.write(to: URL(fileURLWithPath: damaged))
      #expect {
        _ = try SnapshotFile(damaged).restore(fixture.members[0])
      } throws: { error in
        "\(error)".contains(reason)
      }
      #expect(!FileManager.default.fileExists(atPath: fixture.members[0].dataDirectory))
    }
    _ = try SnapshotFile(saved).restore(fixture.members[0])
    #expect {
      _ = try SnapshotFile(saved).restore(fixture.members[0])
    } throws: { error in
      "\(error)".contains("is there already")
    }
  }
}
