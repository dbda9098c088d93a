import ConfigSyncClient
import Foundation
import TestSupport
import Testing

/// The daemon tells a forge and another service what becomes of commits.
struct FeedbackProcessTests {
  @Test(.timeLimit(.minutes(5))) func aMemberReconcilesWhileItLeads() async throws {
    let repository = try GitFixture()
    let commit = try repository.commit(["a.yaml": "x: 1\n"], "one")
    let cluster = try ProcessCluster(["a"])
    try cluster.start("a", ["--source", repository.path])
    try await wait(for: commit, of: "default", in: cluster)
  }

  @Test(.timeLimit(.minutes(5))) func aSourceThatIsMissingHoldsNoOtherUp() async throws {
    let folder = try TemporaryFolder()
    let repository = try GitFixture()
    let commit = try repository.commit(["a.yaml": "x: 1\n"], "one")
    let cluster = try ProcessCluster(["a"])
    try cluster.start("a")
    let file = """
      apiVersion: configsync/v1
      sources:
        - {name: missing, url: \(folder.path)/none}
        - {name: here, url: \(repository.path)}

      """
    try Data(file.utf8).write(to: URL(fileURLWithPath: folder.path + "/run.yaml"))
    let daemon = Process()
    daemon.executableURL = URL(fileURLWithPath: configsyncProgram)
    daemon.arguments = [
      "run", "--config", folder.path + "/run.yaml", "--endpoints", cluster.client("a"),
    ]
    daemon.standardError = FileHandle.nullDevice
    try daemon.run()
    defer {
      Foundation.kill(daemon.processIdentifier, SIGKILL)
      daemon.waitUntilExit()
    }
    try await wait(for: commit, of: "here", in: cluster)
  }

  /// Waits until the store has a commit.
  private func wait(
    for commit: String, of source: String, in cluster: ProcessCluster
  ) async throws {
    let key = Array("/.configsync/sources/\(source)/commits/\(commit)".utf8)
    try await withConfigClient(endpoints: cluster.endpoints, timeout: .patience) { client in
      while true {
        if let found = try? await client.range(.key(key)), found.count == 1 { return }
        try await Task.sleep(for: .milliseconds(50))
      }
    }
  }

  @Test(.timeLimit(.minutes(5))) func aForgeSeesWhatBecomesOfCommits() async throws {
    let folder = try TemporaryFolder()
    let repository = try GitFixture()
    let cluster = try ProcessCluster(["a"])
    try cluster.start("a")
    try await cluster.command("member", "list")
    let forge = try FakeForge(scratch: folder.path)
    for name in ["token", "secret"] {
      try Data("a-long-\(name)\n".utf8).write(to: URL(fileURLWithPath: folder.path + "/" + name))
    }
    let good = try repository.commit(
      ["configsync.yaml": "apiVersion: configsync/v1\n", "a.yaml": "x: 1\n"], "good")
    let bad = try repository.commit(["a.yaml": "x: [\n"], "bad")
    let daemon = Process()
    daemon.executableURL = URL(fileURLWithPath: configsyncProgram)
    daemon.arguments = [
      "run", "--repo", repository.path, "--endpoints", cluster.client("a"), "--interval", "0.2",
      "--history", "full", "--status-forge", "gitea", "--status-api", forge.url + "/api/v1",
      "--status-repository", "acme/config", "--status-token-file", folder.path + "/token",
      "--notify-url", forge.url + "/busy", "--notify-secret-file", folder.path + "/secret",
    ]
    daemon.standardError = FileHandle.nullDevice
    try daemon.run()
    defer {
      Foundation.kill(daemon.processIdentifier, SIGKILL)
      daemon.waitUntilExit()
    }
    let path = "/api/v1/repos/acme/config/statuses/"
    // Two statuses, and three events with the one that is sent again.
    let requests = try await forge.requests(6)
    let statuses = requests.filter { $0.path.hasPrefix(path) }
    #expect(statuses.map(\.path) == [path + good, path + bad])
    #expect(statuses.allSatisfy { $0.headers["authorization"] == "token a-long-token" })
    #expect(statuses.map { $0.body.contains("success") } == [true, false])
    #expect(statuses[1].body.contains("a.yaml:") && statuses[1].body.contains("failure"))
    let events = requests.filter { $0.path == "/busy" }.map { request in
      (request.headers["x-configsync-event"] ?? "", request.headers["x-configsync-delivery"] ?? "")
    }
    // The first one is not taken; it may come after those that came meanwhile.
    #expect(events.map(\.0).sorted() == ["applied", "applied", "refused", "running"])
    #expect(Set(events.filter { $0.0 == "applied" }.map(\.1)).count == 1)
    #expect(Set(events.map(\.1)).count == 3)
    // The store remembers it, too.
    let status = try execute(
      configsyncProgram, ["status", "--endpoints", cluster.client("a"), "--events", "2"])
    let shown = status.output.split(separator: "\n").filter { $0.contains("default  ") }
    #expect(status.status == 1 && shown.count == 3, "\(status.output)")
    #expect(shown[1].hasPrefix("refused") && shown[1].contains("a.yaml:"))
    #expect(shown[2].hasPrefix("applied") && shown[2].hasSuffix("good"))
  }
}
