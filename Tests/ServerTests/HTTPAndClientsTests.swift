import Foundation
import TestSupport
import Testing

/// What others have written, run against a member unchanged.
@Suite(.serialized)
struct HTTPAndClientsTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private static func script(_ name: String) -> String {
    root.appendingPathComponent("Tests/ServerTests/Fixtures/\(name).py").path
  }

  /// The Python in whose environment `make setup` has installed a client; nil where it could not.
  fileprivate static func python(with client: String) -> String? {
    let home = root.appendingPathComponent(".build-etcd/clients/\(client)")
    let isReady = FileManager.default.fileExists(atPath: home.appendingPathComponent("ready").path)
    return isReady ? home.appendingPathComponent("bin/python").path : nil
  }

  fileprivate func run(
    _ python: String, _ script: String, first: [String] = [], separatingPort: Bool
  ) async throws {
    try await ClusterFixture(count: 1).run { cluster in
      let address = cluster.fixture.endpoints[0].replacingOccurrences(of: "http://", with: "")
      let arguments =
        separatingPort ? address.split(separator: ":").map(String.init) : [address]
      // The members of this process need the threads of the pool to answer.
      let (status, output) = try await onThread {
        Result { try execute(python, [HTTPAndClientsTests.script(script)] + first + arguments) }
      }.get()
      #expect(status == 0, "\(output)")
    }
  }

  @Test func theGatewayAnswersAsEtcdDoes() async throws {
    try await run("python3", "gateway", separatingPort: false)
  }

  /// With the client of gRPC's own project.
  @Test func whatCanBeCalledIsDiscovered() async throws {
    guard let python = HTTPAndClientsTests.python(with: "grpcio") else {
      print("grpcio is not installed: skipped")
      return
    }
    try await run(python, "discovery", separatingPort: false)
  }

  @Test(arguments: ["etcd3", "aetcd"])
  func clientsOfPythonLogIn(client: String) async throws {
    guard let python = HTTPAndClientsTests.python(with: client) else {
      print("\(client) is not installed: skipped")
      return
    }
    try await run(python, "auth", first: [client], separatingPort: true)
  }

  @Test(arguments: ["etcd3", "etcd3gw", "aetcd"])
  func clientsOfPythonWorkUnchanged(client: String) async throws {
    guard let python = HTTPAndClientsTests.python(with: client) else {
      print("\(client) is not installed: skipped")
      return
    }
    try await run(python, "\(client)_client", separatingPort: true)
  }
}

/// Beside the others, since it takes long.
struct PatroniTests {
  /// Two PostgreSQL servers of which Patroni makes one the primary, and the other when that is killed.
  @Test func patroniFailsOver() async throws {
    guard let python = HTTPAndClientsTests.python(with: "patroni") else {
      print("Patroni is not installed: skipped")
      return
    }
    try await HTTPAndClientsTests().run(python, "patroni_failover", separatingPort: false)
  }
}
