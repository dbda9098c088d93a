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
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let isBound = withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
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
