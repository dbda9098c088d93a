import Foundation
import TestSupport
import Testing

/// What others have written, run against a member unchanged.
@Suite(.serialized)
struct HTTPAndClientsTests {
  private static func script(_ name: String) -> String {
    repository.appendingPathComponent("Tests/ServerTests/Fixtures/\(name).py").path
  }

  private func run(
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
    guard let python = pythonOfClient("grpcio") else {
      print("grpcio is not installed: skipped")
      return
    }
    try await run(python, "discovery", separatingPort: false)
  }

  @Test(arguments: ["etcd3", "aetcd"])
  func clientsOfPythonLogIn(client: String) async throws {
    guard let python = pythonOfClient(client) else {
      print("\(client) is not installed: skipped")
      return
    }
    try await run(python, "auth", first: [client], separatingPort: true)
  }

  @Test(arguments: ["etcd3", "etcd3gw", "aetcd"])
  func clientsOfPythonWorkUnchanged(client: String) async throws {
    guard let python = pythonOfClient(client) else {
      print("\(client) is not installed: skipped")
      return
    }
    try await run(python, "\(client)_client", separatingPort: true)
  }
}
