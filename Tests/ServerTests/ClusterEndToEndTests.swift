import Compiler
import ConfigModel
import ConfigSyncClient
import Foundation
import GitSource
import Reconciler
import Synchronization
import TestSupport
import Testing

@testable import Server

/// Real members, real disks, real sockets: the main job from a commit to a watcher.
@Suite(.serialized)
struct ClusterEndToEndTests {
  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  @Test func aCommitOfTenThousandKeysIsOneRevisionAndOneBatch() async throws {
    let git = try GitFixture()
    let count = 10_000
    let yaml = (0..<count).map { "key\($0): value \($0)\n" }.joined()
    try git.commit(["big.yaml": yaml], "ten thousand keys")
    try await ClusterFixture().run { cluster in
      try await withConfigClient(endpoints: cluster.fixture.endpoints, timeout: .patience) {
        client in
        let first = try await client.put(Array("/ready".utf8), [1])
        let source = GitConfigSource(try GitRepository(git.path))
        let report = try await SourceReconciler(
          source: source, target: EtcdConfigTarget(client), calendar: .system
        )
        .run(ReconcileOptions())
        #expect(report.applied == 1)
        let batches = Mutex<[ClientBatch]>([])
        try await client.watch(.prefix(Array("/big/".utf8)), from: first + 1) { batch in
          batches.withLock { $0.append(batch) }
          return false
        }
        let seen = batches.withLock { $0 }
        #expect(seen.map(\.revision) == [first + 1])
        #expect(seen.first?.events.count == count)
        // The revert is one revision too.
        let repository = try GitRepository(git.path)
        try git.commit(["big.yaml": "key0: value 0\n"], "all but one go")
        _ = repository
        let second = try await SourceReconciler(
          source: source, target: EtcdConfigTarget(client), calendar: .system
        )
        .run(ReconcileOptions())
        #expect(second.applied == 1)
        let left = try await client.range(.prefix(Array("/big/".utf8)))
        #expect(left.count == 1 && left.revision == first + 2)
      }
    }
  }

  @Test func nothingAcknowledgedIsLostWhileMembersComeAndGo() async throws {
    try await ClusterFixture().run { cluster in
      try await withConfigClient(endpoints: cluster.fixture.endpoints, timeout: .patience) {
        client in
        for round in 0..<3 {
          await cluster.stop(round)
          // Above the snapshot count: the member that is away needs a snapshot afterwards.
          for number in 0..<150 {
            let key = Array("/k\(round)/\(number)".utf8)
            var written = false
            while !written {
              do {
                _ = try await client.put(key, Array("\(number)".utf8))
                written = true
              } catch let error as ClientError where error.kind != .refused {
                continue
              }
            }
          }
          try await cluster.start(round)
        }
        for index in cluster.fixture.members.indices {
          try await withConfigClient(
            endpoints: cluster.fixture.members[index].listenClientURLs, timeout: .patience
          ) { member in
            let result = try await Self.untilReady { try await member.range(.prefix([])) }
            #expect(result.count == 450, "member \(index) holds every acknowledged write")
          }
        }
      }
    }
  }

  /// A real organisation's history, where it stands beside the checkout.
  private static let bundle = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../../../shared/data/kubernetes-org.bundle").standardized.path

  @Test(
    .enabled(
      if: FileManager.default.fileExists(atPath: bundle),
      "shared/data/kubernetes-org.bundle is not beside the checkout"))
  func aRealHistoryEndsEqualOnEveryMember() async throws {
    let folder = try TemporaryFolder()
    let clone = folder.path + "/clone"
    let cloned = try execute("git", ["clone", "-q", "-b", "main", Self.bundle, clone])
    #expect(cloned.status == 0, "\(cloned.output)")
    let repository = try GitRepository(clone)
    let tip = try repository.resolve()
    let recent = try repository.firstParents(from: tip).prefix(100)
    let desired = try #require(compile(try repository.tree(of: tip)).keySpace)
    try await ClusterFixture().run { cluster in
      try await withConfigClient(endpoints: cluster.fixture.endpoints, timeout: .patience) {
        client in
        let report = try await Self.untilReady {
          try await SourceReconciler(
            source: GitConfigSource(repository), target: EtcdConfigTarget(client), calendar: .system
          ).run(ReconcileOptions(history: .since(recent[99].text)))
        }
        #expect(report.applied + report.refused == 100 && report.head == tip)
      }
      for index in cluster.fixture.members.indices {
        try await withConfigClient(
          endpoints: cluster.fixture.members[index].listenClientURLs, timeout: .patience
        ) { member in
          let items = try await member.range(.prefix(Array("/".utf8))).items.filter {
            !$0.key.starts(with: Array(ReservedKeys.prefix.utf8))
          }
          #expect(items.count == desired.count)
          for item in items {
            let path = ConfigPath(escaped: String(decoding: item.key, as: UTF8.self))
            #expect(desired.items[path]?.value == item.value, "\(path) on member \(index)")
          }
        }
      }
    }
  }

  @Test func withoutAQuorumWritesSaySoAndStaleReadsServe() async throws {
    try await ClusterFixture().run { cluster in
      try await withConfigClient(
        endpoints: cluster.fixture.members[0].listenClientURLs, timeout: .patience
      ) { client in
        _ = try await Self.untilReady { try await client.put([1], [2]) }
        await cluster.stop(1)
        await cluster.stop(2)
        await #expect {
          _ = try await client.put([1], [3])
        } throws: { error in
          (error as? ClientError)?.kind == .unknownOutcome
            && "\(error)".contains("request timed out")
        }
        let stale = try await client.range(.key([1]), .serializable)
        #expect(stale.items.first?.value == [2])
      }
    }
  }

  @Test func etcdctlWorksUnchanged() async throws {
    let programs = ["etcdctl", Self.etcdctl35].compactMap { $0 }.filter { program in
      (try? execute(program, ["version"], environment: ["ETCDCTL_API": "3"]).status) == 0
    }
    #expect(!programs.isEmpty, "make setup installs etcdctl")
    try await ClusterFixture().run { cluster in
      try await withConfigClient(endpoints: cluster.fixture.endpoints, timeout: .patience) {
        client in
        _ = try await Self.untilReady { try await client.put(Array("/ready".utf8), [1]) }
      }
      let all = cluster.fixture.endpoints.joined(separator: ",")
      // The members of this process need the threads of the pool to answer.
      for program in programs {
        try await onThread { Result { try Self.exercise(program, endpoints: all) } }.get()
      }
    }
  }

  private static let etcdctl35: String? = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let found = try? execute(root.appendingPathComponent("Scripts/etcd35.sh").path, ["etcdctl"])
    return found?.status == 0
      ? found?.output.trimmingCharacters(in: .whitespacesAndNewlines) : nil
  }()

  private static func exercise(_ program: String, endpoints: String) throws {
    func etcdctl(_ arguments: String..., input: String = "") throws -> String {
      let (status, output) = try execute(
        program, ["--endpoints", endpoints] + arguments, input: input,
        environment: ["ETCDCTL_API": "3"])
      #expect(status == 0, "\(arguments): \(output)")
      return output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
    #expect(try etcdctl("put", "k1", "v1") == "OK")
    let fields = try etcdctl("get", "k1", "-w", "json")
    let revision = try #require(
      fields.firstMatch(of: /"mod_revision":(\d+)/).map { String($0.output.1) })
    #expect(try etcdctl("put", "k1", "v2", "--prev-kv") == "OK\nk1\nv1")
    #expect(try etcdctl("put", "k2", "a") == "OK")
    #expect(try etcdctl("get", "k1", "--rev", revision) == "k1\nv1")
    #expect(
      try etcdctl("get", "--prefix", "k", "--sort-by=VALUE", "--order=DESCEND", "--limit=1")
        == "k1\nv2")
    // Release 3.4 has no such flag.
    if try etcdctl("get", "--help").contains("--count-only") {
      #expect(try etcdctl("get", "--prefix", "k", "--count-only", "-w", "fields").contains("2"))
    }
    #expect(
      try etcdctl(
        "txn", "-i", input: "value(\"k1\") = \"v2\"\n\nput k3 x\nget k1\n\nput k4 y\n\n"
      ).contains("SUCCESS"))
    #expect(try etcdctl("del", "k", "--prefix") == "3")
    #expect(try etcdctl("endpoint", "health").components(separatedBy: "is healthy").count == 4)
    #expect(try etcdctl("endpoint", "status").components(separatedBy: "\n").count == 3)
    #expect(try etcdctl("member", "list").components(separatedBy: "started").count == 4)
  }

  /// Repeats what fails only because the cluster is still starting.
  static func untilReady<Value: Sendable>(
    _ body: () async throws -> Value
  ) async throws -> Value {
    var last: (any Error)?
    for _ in 0..<200 {
      do { return try await body() } catch let error as ClientError where error.kind != .refused {
        last = error
      } catch let error as TargetError {
        last = error
      }
      await Task.yield()
    }
    throw last ?? ClientFixtureError()
  }
}

private struct ClientFixtureError: Error {}
