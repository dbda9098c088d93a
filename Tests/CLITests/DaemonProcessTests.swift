import ConfigSyncClient
import Foundation
import Synchronization
import TestSupport
import Testing

/// The daemon as a process that dies, and as two that fight, over a real history.
struct DaemonProcessTests {
  private static let bundle = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("shared/data/kubernetes-org.bundle").path

  private static let source = Array("/.configsync/sources/default/".utf8)
  fileprivate static let commits = source + Array("commits/".utf8)
  fileprivate static let refused = source + Array("refused/".utf8)

  /// What the history is reconciled into.
  enum Store: String, CaseIterable, Sendable { case configsync, etcd }

  /// A real etcd 3.5, where setup could install one.
  private static let etcd: String? = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let answer = try? execute(root.appendingPathComponent("Scripts/etcd35.sh").path, ["etcd"])
    guard let answer, answer.status == 0 else { return nil }
    return answer.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }()

  private static var stores: [Store] { etcd == nil ? [.configsync] : Store.allCases }

  /// A clone of the history, with a member to reconcile it into.
  private final class Scene: Sendable {
    let folder: TemporaryFolder
    let cluster: ProcessCluster
    let etcd: ServerProcess?
    let endpoint: String
    let clone: String
    /// The commits that are reconciled, oldest first.
    let commits: [String]

    init(_ count: Int, in store: Store) async throws {
      folder = try TemporaryFolder()
      cluster = try ProcessCluster(["a"])
      clone = folder.path + "/clone"
      let cloned = try execute(
        "git", ["clone", "-q", "--bare", "-b", "main", DaemonProcessTests.bundle, clone])
      try #require(cloned.status == 0, "\(cloned.output)")
      let listed = try execute(
        "git", ["-C", clone, "rev-list", "--first-parent", "--max-count=\(count)", "HEAD"])
      commits = listed.output.split(separator: "\n").map(String.init).reversed()
      try #require(commits.count == count)
      guard store == .etcd, let program = DaemonProcessTests.etcd else {
        (etcd, endpoint) = (nil, cluster.client("a"))
        try cluster.start("a")
        try await cluster.command("member", "list")
        return
      }
      let ports = try freePorts(2)
      let urls = ports.map { "http://127.0.0.1:\($0)" }
      endpoint = urls[0]
      etcd = try ServerProcess(
        program,
        [
          "--data-dir", folder.path + "/etcd", "--listen-client-urls", urls[0],
          "--advertise-client-urls", urls[0], "--listen-peer-urls", urls[1],
          "--max-txn-ops", "100000", "--log-level", "error",
        ], port: ports[0], log: folder.path + "/etcd.log")
    }

    var arguments: [String] {
      [
        "--repo", clone, "--history", "since=\(commits[0])", "--endpoints", endpoint,
      ]
    }

    /// - Parameter lease: seconds; by default all daemons work, and the head alone fences them.
    func daemon(_ name: String, lease: Int = 0) throws -> Process {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: configsyncProgram)
      process.arguments = ["run", "--interval", "0.2", "--lease-ttl", "\(lease)"] + arguments
      let log = folder.path + "/\(name).log"
      try Data().write(to: URL(fileURLWithPath: log))
      process.standardOutput = FileHandle(forWritingAtPath: log)
      process.standardError = process.standardOutput
      try process.run()
      return process
    }

    /// Waits until so many more commits were applied or refused, or all are.
    func advance(_ count: Int) async throws {
      try await withConfigClient(endpoints: [endpoint], timeout: .patience) {
        client in
        let now = try await client.range(.prefix(DaemonProcessTests.source))
        let judged = Mutex(Set(now.items.compactMap(\.key.judgedCommit)))
        let goal = min(judged.withLock(\.count) + count, commits.count)
        guard judged.withLock(\.count) < goal else { return }
        try await client.watch(.prefix(DaemonProcessTests.source), from: now.revision + 1) {
          batch in
          judged.withLock { judged in
            judged.formUnion(batch.events.compactMap(\.key.judgedCommit))
            return judged.count < goal
          }
        }
      }
    }

    /// Waits until a daemon has logged something.
    func waitUntil(_ name: String, says text: String) async throws {
      while try !String(contentsOfFile: folder.path + "/\(name).log", encoding: .utf8)
        .contains(text)
      {
        try await Task.sleep(for: .milliseconds(50))
      }
    }

    /// Brings the rest in, and compares what the store holds with the history.
    func verify() async throws {
      let (status, output) = try execute(
        configsyncProgram, ["apply"] + arguments, environment: ["NO_COLOR": "1"])
      #expect(status != 2, "\(output)")
      try await withConfigClient(endpoints: [endpoint], timeout: .patience) {
        client in
        let applied = try await client.range(.prefix(DaemonProcessTests.commits)).items
          .sorted { $0.modRevision < $1.modRevision }
        let refused = try await client.range(.prefix(DaemonProcessTests.refused)).items
        func name(_ item: ClientItem) -> String {
          String(decoding: item.key.suffix(40), as: UTF8.self)
        }
        #expect(Set(applied.map(\.modRevision)).count == applied.count)
        let skipped = Set(refused.map(name))
        #expect(applied.map(name) == commits.filter { !skipped.contains($0) })
        // Written once: a commit that was applied twice would have a record that was changed.
        #expect(applied.allSatisfy { $0.createRevision == $0.modRevision })
        let held = try await client.range(.prefix(Array("/".utf8))).items
          .filter { !$0.key.starts(with: Array("/.configsync/".utf8)) }
        let json = try execute(
          configsyncProgram,
          ["build", "--repo", clone, "--rev", name(applied[applied.count - 1]), "-o", "json"])
        let decoded = try JSONDecoder().decode(Built.self, from: Data(json.output.utf8))
        #expect(decoded.keys.count == held.count && !held.isEmpty)
        for item in held {
          let key = String(decoding: item.key, as: UTF8.self)
          #expect(decoded.keys[key] == String(decoding: item.value, as: UTF8.self), "\(key)")
        }
      }
    }
  }

  private struct Built: Decodable { var keys: [String: String] }

  private static func end(_ process: Process) {
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  @Test(
    .enabled(if: FileManager.default.fileExists(atPath: bundle), "the real history is not here"),
    .timeLimit(.minutes(10)), arguments: stores)
  func aDaemonThatIsKilledAgainAndAgainAppliesEachCommitOnce(store: Store) async throws {
    let scene = try await Scene(500, in: store)
    var random = SeededRandomNumbers(seed: 500)
    for kill in 0..<25 {
      let daemon = try scene.daemon("daemon-\(kill)")
      defer { Self.end(daemon) }
      try await scene.advance(Int.random(in: 1...14, using: &random))
    }
    try await scene.verify()
  }

  @Test(
    .enabled(if: FileManager.default.fileExists(atPath: bundle), "the real history is not here"),
    .timeLimit(.minutes(10)), arguments: stores)
  func twoDaemonsThatFightApplyEachCommitOnce(store: Store) async throws {
    let scene = try await Scene(200, in: store)
    let daemons = try ["one", "two"].map { try scene.daemon($0) }
    defer { for daemon in daemons { Self.end(daemon) } }
    try await scene.advance(150)
    for daemon in daemons { Self.end(daemon) }
    try await scene.verify()
  }

  @Test(
    .enabled(if: FileManager.default.fileExists(atPath: bundle), "the real history is not here"),
    .timeLimit(.minutes(10)), arguments: stores)
  func oneDaemonRestsUntilTheOtherDies(store: Store) async throws {
    let scene = try await Scene(60, in: store)
    let first = try scene.daemon("first", lease: 10)
    defer { Self.end(first) }
    try await scene.advance(1)
    let second = try scene.daemon("second", lease: 10)
    defer { Self.end(second) }
    try await scene.waitUntil("second", says: "another reconciler works")
    Self.end(first)
    // Also where the first one was done before: who takes over says that it is in step.
    try await scene.waitUntil("second", says: "in step")
    Self.end(second)
    try await scene.verify()
  }
}

extension [UInt8] {
  /// The commit whose record of having been applied or refused this key is.
  fileprivate var judgedCommit: ArraySlice<UInt8>? {
    guard starts(with: DaemonProcessTests.commits) || starts(with: DaemonProcessTests.refused)
    else {
      return nil
    }
    return suffix(40)
  }
}
