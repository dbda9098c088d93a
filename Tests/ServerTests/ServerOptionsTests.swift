import Cluster
import Testing

@testable import Server

struct ServerOptionsTests {
  private func options(_ name: String) -> ServerOptions {
    var options = ServerOptions()
    options.name = name
    options.dataDirectory = "unused"
    options.listenPeerURLs = ["http://127.0.0.1:\(name == "a" ? 1 : 2)"]
    options.initialCluster = "a=http://127.0.0.1:1,b=http://127.0.0.1:2"
    return options
  }

  @Test func everyMemberComputesTheSameCluster() throws {
    let a = try options("a").foundedConfiguration()
    let b = try options("b").foundedConfiguration()
    #expect(a.clusterID == b.clusterID)
    #expect(a.founders == b.founders)
    #expect(a.id != b.id)
    var other = options("a")
    other.initialClusterToken = "another"
    #expect(try other.foundedConfiguration().clusterID != a.clusterID)
  }

  @Test func settingsThatCantWorkAreRefused() {
    let changes: [(inout ServerOptions) -> Void] = [
      { $0.name = "c" }, { $0.initialCluster = "a" }, { $0.initialCluster = "a=ftp://x:1" },
      { $0.listenPeerURLs = ["http://127.0.0.1:7"] }, { $0.dataDirectory = "" },
      { $0.electionMilliseconds = 100 }, { $0.electionMilliseconds = 50_001 },
      {
        $0.electionMilliseconds = .max
        $0.heartbeatMilliseconds = .max
      },
      { $0.heartbeatMilliseconds = .max }, { $0.authTokenTTL = .max }, { $0.authTokenTTL = 0 },
      { $0.autoCompactionRetention = "9223372036854775807" },
      { $0.autoCompactionRetention = "100000h" }, { $0.autoCompactionMode = "foo" },
      { $0.initialCluster = "a=http://127.0.0.1:1,b=http://127.0.0.1:1" },
    ]
    for change in changes {
      var options = options("a")
      change(&options)
      #expect(throws: OptionsError.self) { _ = try options.foundedConfiguration() }
    }
  }
}
