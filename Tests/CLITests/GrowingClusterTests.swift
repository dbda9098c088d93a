import ConfigSyncClient
import Foundation
import TestSupport
import Testing

/// A cluster of real processes that grows, loses a member for good, and shrinks, while clients write.
struct GrowingClusterTests {
  @Test(.timeLimit(.minutes(10)))
  func nothingAcknowledgedIsLostWhileTheClusterGrowsAndShrinks() async throws {
    let cluster = try ProcessCluster(["a", "b", "c", "d", "e", "f"])
    let load = Load()
    try cluster.start("a")
    let endpoints = cluster.endpoints
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await load.run(endpoints) }
      // However the scenario ends, the writer ends with it.
      defer { load.stop() }
      await load.goesOn()
      try await grow(cluster, load)
      try await replaceTheDead(cluster, load)
      try await shrink(cluster, load)
      load.stop()
      try await group.waitForAll()
    }
    let held = try await withConfigClient(endpoints: [cluster.client("b")], timeout: .patience) {
      client in
      try await client.range(.prefix(Array("/load/".utf8)))
    }
    let values = Dictionary(uniqueKeysWithValues: held.items.map { ($0.key, $0.value) })
    let acknowledged = load.acknowledged
    let lost = acknowledged.filter { values[Load.key($0)] != Load.value($0) }
    #expect(!acknowledged.isEmpty)
    #expect(lost.isEmpty, "acknowledged and lost: \(lost.prefix(10))")
  }

  /// From one member to three, then to five; by this program and by etcd's.
  private func grow(_ cluster: ProcessCluster, _ load: Load) async throws {
    try await cluster.command(
      "member", "add", "b", "--peer-urls", cluster.peer("b"), orUntil: "exist")
    try cluster.start("b", joining: ["a"])
    try await serves("b", cluster, load)
    try await addLearner("c", to: ["a", "b"], cluster, load)
    try await becomes(["a", "b", "c"], cluster)
    await load.goesOn()
    try await cluster.etcdctl(
      "member", "add", "d", "--peer-urls", cluster.peer("d"), orUntil: "exist")
    try cluster.start("d", joining: ["a", "b", "c"])
    try await serves("d", cluster, load)
    try await addLearner("e", to: ["a", "b", "c", "d"], cluster, load)
    try await becomes(["a", "b", "c", "d", "e"], cluster)
    await load.goesOn()
  }

  /// A member dies with its disk; another takes its place.
  private func replaceTheDead(_ cluster: ProcessCluster, _ load: Load) async throws {
    cluster.kill("e")
    await load.goesOn()
    try await cluster.command("member", "remove", "e", orUntil: "not found")
    try await addLearner("f", to: ["a", "b", "c", "d"], cluster, load)
    try await becomes(["a", "b", "c", "d", "f"], cluster)
    await load.goesOn()
  }

  /// To three, then to one; the founder, which may lead, goes too.
  private func shrink(_ cluster: ProcessCluster, _ load: Load) async throws {
    for name in ["f", "d"] { try await remove(name, cluster, load) }
    try await becomes(["a", "b", "c"], cluster)
    try await cluster.command("move-leader", "a")
    for name in ["a", "c"] { try await remove(name, cluster, load) }
    try await becomes(["b"], cluster)
    await load.goesOn()
  }

  private func addLearner(
    _ name: String, to others: [String], _ cluster: ProcessCluster, _ load: Load
  ) async throws {
    try await cluster.command(
      "member", "add", name, "--peer-urls", cluster.peer(name), "--learner", orUntil: "exist")
    try cluster.start(name, joining: others)
    try await cluster.command("member", "promote", name, orUntil: "not a learner")
    try await serves(name, cluster, load)
  }

  private func remove(_ name: String, _ cluster: ProcessCluster, _ load: Load) async throws {
    let others = cluster.running.filter { $0 != name }
    try await cluster.command("member", "remove", name, to: others, orUntil: "not found")
    await load.goesOn()
    // It learns of that, and ends by itself; it can't be started again.
    #expect(try await cluster.awaitEnd(name) == 2)
    #expect(cluster.log(of: name).contains("was removed from its cluster for good"))
  }

  /// The member answers a read that a quorum has confirmed.
  private func serves(_ name: String, _ cluster: ProcessCluster, _ load: Load) async throws {
    let first = try #require(load.acknowledged.first)
    try await cluster.command("get", "/load/\(first)", to: [name])
  }

  /// The cluster has these voters, and each has told its name.
  private func becomes(_ names: [String], _ cluster: ProcessCluster) async throws {
    var found: [String] = []
    for _ in 0..<200 {
      found = try await voters(cluster)
      if found == names { return }
    }
    #expect(found == names)
  }

  private func voters(_ cluster: ProcessCluster) async throws -> [String] {
    let text = try await cluster.command("member", "list", "-o", "json")
    let list = try JSONDecoder().decode([String: [Listed]].self, from: Data(text.utf8))
    return (list["members"] ?? []).filter { !$0.isLearner }.map(\.name).sorted()
  }

  private struct Listed: Decodable {
    var name: String
    var isLearner: Bool
  }
}
