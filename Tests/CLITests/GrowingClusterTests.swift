import ConfigSyncClient
import TestSupport
import Testing

/// A cluster of real processes that grows, loses a member for good, and shrinks, while clients write.
struct GrowingClusterTests {
  @Test func nothingAcknowledgedIsLostWhileTheClusterGrowsAndShrinks() async throws {
    let cluster = try ProcessCluster(["a", "b", "c", "d", "e", "f"])
    let load = Load()
    try cluster.start("a")
    let endpoints = cluster.endpoints
    let writer = Task { try await load.run(endpoints) }
    await load.goesOn()
    try await grow(cluster, load)
    try await replaceTheDead(cluster, load)
    try await shrink(cluster, load)
    load.stop()
    try await writer.value
    let acknowledged = load.acknowledged
    let held = try await withConfigClient(endpoints: [cluster.client("b")]) { client in
      try await client.range(.prefix(Array("/load/".utf8)))
    }
    let values = Dictionary(uniqueKeysWithValues: held.items.map { ($0.key, $0.value) })
    let lost = acknowledged.filter { values[Load.key($0)] != Load.value($0) }
    #expect(acknowledged.count >= 250)
    #expect(lost.isEmpty, "acknowledged and lost: \(lost.prefix(10))")
  }

  /// From one member to three, then to five; by this program and by etcd's.
  private func grow(_ cluster: ProcessCluster, _ load: Load) async throws {
    try await cluster.command("member", "add", "b", "--peer-urls", cluster.peer("b"))
    try cluster.start("b", joining: ["a"])
    try await serves("b", cluster, load)
    try await addLearner("c", to: ["a", "b"], cluster, load)
    #expect(try await voters(cluster) == ["a", "b", "c"])
    await load.goesOn()
    try await cluster.etcdctl("member", "add", "d", "--peer-urls", cluster.peer("d"))
    try cluster.start("d", joining: ["a", "b", "c"])
    try await serves("d", cluster, load)
    try await addLearner("e", to: ["a", "b", "c", "d"], cluster, load)
    #expect(try await voters(cluster) == ["a", "b", "c", "d", "e"])
    await load.goesOn()
  }

  /// A member dies with its disk; another takes its place.
  private func replaceTheDead(_ cluster: ProcessCluster, _ load: Load) async throws {
    cluster.kill("e")
    await load.goesOn()
    try await cluster.command("member", "remove", "e")
    try await addLearner("f", to: ["a", "b", "c", "d"], cluster, load)
    #expect(try await voters(cluster) == ["a", "b", "c", "d", "f"])
    await load.goesOn()
  }

  /// To three, then to one; the founder, which may lead, goes too.
  private func shrink(_ cluster: ProcessCluster, _ load: Load) async throws {
    for name in ["f", "d"] { try await remove(name, cluster, load) }
    #expect(try await voters(cluster) == ["a", "b", "c"])
    try await cluster.command("move-leader", "a")
    for name in ["a", "c"] { try await remove(name, cluster, load) }
    #expect(try await voters(cluster) == ["b"])
    await load.goesOn()
  }

  private func addLearner(
    _ name: String, to others: [String], _ cluster: ProcessCluster, _ load: Load
  ) async throws {
    try await cluster.command("member", "add", name, "--peer-urls", cluster.peer(name), "--learner")
    try cluster.start(name, joining: others)
    try await cluster.command("member", "promote", name)
    try await serves(name, cluster, load)
  }

  private func remove(_ name: String, _ cluster: ProcessCluster, _ load: Load) async throws {
    try await cluster.command("member", "remove", name, to: cluster.running.filter { $0 != name })
    await load.goesOn()
    // It learns of that, and ends by itself; it can't be started again.
    #expect(await cluster.awaitEnd(name) == 2)
    #expect(cluster.log(of: name).contains("was removed from its cluster for good"))
  }

  /// The member answers a read that a quorum has confirmed.
  private func serves(_ name: String, _ cluster: ProcessCluster, _ load: Load) async throws {
    let first = try #require(load.acknowledged.first)
    try await cluster.command("get", "/load/\(first)", to: [name])
  }

  private func voters(_ cluster: ProcessCluster) async throws -> [String] {
    let table = try await cluster.command("member", "list")
    let rows = table.split(separator: "\n").map { $0.split(separator: " ") }
    return rows.filter { $0.count > 2 && $0[2] == "voter" }.map { String($0[1]) }.sorted()
  }
}
