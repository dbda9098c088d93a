import ConfigSyncClient
import Foundation
import TestSupport
import Testing

struct ConfigClientTests {
  @Test(arguments: ["", "host", "http://host", "ftp://h:1", "h:0", "h:99999"])
  func anEndpointThatCantBeOneIsNamed(endpoint: String) async {
    await #expect(throws: ClientError.self) {
      try await withConfigClient(endpoints: [endpoint]) { _ in }
    }
  }

  @Test func aClusterThatIsAwayIsReportedAsUnreachable() async throws {
    // Port 1 of loopback: nobody listens there.
    await #expect {
      // However busy the machine is: what is found out is that nobody is there, not that it is late.
      try await withConfigClient(endpoints: ["127.0.0.1:1"], timeout: .seconds(3600)) { client in
        _ = try await client.range(.key([1]))
      }
    } throws: { error in
      (error as? ClientError)?.kind == .unreachable
    }
  }

  /// One that takes connections and says nothing: neither a login nor a request waits for it without end.
  @Test(arguments: [nil, ClientCredentials(user: "u", password: "p")])
  func anEndpointThatNeverAnswersIsGivenUp(credentials: ClientCredentials?) async throws {
    let port = try freePorts(1)[0]
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    let isBound = withLoopbackAddress(port: port) { bind(descriptor, $0, $1) } == 0
    try #require(isBound && listen(descriptor, 5) == 0)
    await #expect(throws: ClientError.self) {
      try await withConfigClient(
        endpoints: ["127.0.0.1:\(port)"], credentials: credentials, timeout: .milliseconds(300)
      ) { client in
        _ = try await client.range(.key([1]))
      }
    }
  }
}
