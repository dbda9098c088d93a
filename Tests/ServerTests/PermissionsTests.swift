import ConfigSyncClient
import Crypto
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Server

/// Users, roles and permissions, over the wire and on every member.
@Suite(.serialized)
struct PermissionsTests {
  private static let root = ClientCredentials(user: "root", password: "secret")
  private static let ann = ClientCredentials(user: "ann", password: "pw")

  /// Root, and `ann` who may read and write what begins with `/ann/`.
  private static func secure(_ cluster: RunningCluster) async throws {
    try await withConfigClient(endpoints: cluster.fixture.endpoints, timeout: .patience) { client in
      try await client.addUser("root", password: root.password)
      try await client.giveRole("root", to: "root")
      try await client.addRole("ann")
      try await client.grant(ClientPermission(.readWrite, .prefix(Array("/ann/".utf8))), to: "ann")
      try await client.addUser("ann", password: ann.password)
      try await client.giveRole("ann", to: "ann")
      try await client.setAuth(enabled: true)
    }
  }

  private static func refusal<Value>(
    _ body: () async throws -> Value
  ) async throws -> String {
    do {
      _ = try await body()
      return "nothing was refused"
    } catch let error as ClientError where error.kind == .refused {
      return error.description
    }
  }

  /// A token is issued by one member and counts on all.
  private static func checkEveryMember(_ cluster: RunningCluster) async throws {
    let (own, other) = (Array("/ann/k".utf8), Array("/other".utf8))
    for index in cluster.fixture.members.indices {
      let endpoints = cluster.fixture.members[index].listenClientURLs
      try await withConfigClient(endpoints: endpoints, credentials: ann, timeout: .patience) {
        client in
        _ = try await client.put(own, [1])
        let found = try await client.range(.key(own))
        #expect(found.items.count == 1)
        let write = try await refusal { try await client.put(other, [1]) }
        #expect(write.hasSuffix("permission denied"))
        let read = try await refusal { try await client.range(.prefix(Array("/".utf8))) }
        #expect(read.hasSuffix("permission denied"))
      }
      try await withConfigClient(endpoints: endpoints, timeout: .patience) { client in
        let refused = try await refusal { try await client.range(.key(own)) }
        #expect(refused.hasSuffix("user name is empty"))
      }
      let wrong = ClientCredentials(user: "ann", password: "wrong")
      try await withConfigClient(endpoints: endpoints, credentials: wrong, timeout: .patience) {
        client in
        let refused = try await refusal { try await client.range(.key(own)) }
        #expect(refused.hasSuffix("authentication failed, invalid user ID or password"))
      }
    }
    // One login, and then calls at every member in turn.
    try await withConfigClient(
      endpoints: cluster.fixture.endpoints, credentials: root, timeout: .patience
    ) { client in
      let statuses = await client.statuses()
      #expect(statuses.count == cluster.fixture.members.count)
      let users = try await client.users()
      #expect(users == ["ann", "root"])
    }
  }

  @Test func permissionsHoldOnEveryMember() async throws {
    try await ClusterFixture().run { cluster in
      try await PermissionsTests.secure(cluster)
      try await PermissionsTests.checkEveryMember(cluster)
    }
  }

  /// A member that starts anew knows no token: the client proves again who it is, and nobody notices.
  @Test func aClientLogsInAgainByItself() async throws {
    try await ClusterFixture(count: 1).run { cluster in
      try await PermissionsTests.secure(cluster)
      try await withConfigClient(
        endpoints: cluster.fixture.endpoints, credentials: PermissionsTests.ann, timeout: .patience
      ) { client in
        _ = try await client.put(Array("/ann/k".utf8), [1])
        await cluster.stop(0)
        try await cluster.start(0)
        var isWritten = false
        while !isWritten {
          do {
            _ = try await client.put(Array("/ann/k".utf8), [2])
            isWritten = true
          } catch let error as ClientError where error.kind != .refused {
            continue
          }
        }
      }
    }
  }

  @Test func aWatchEndsWithTheRightToSee() async throws {
    try await ClusterFixture(count: 1).run { cluster in
      try await PermissionsTests.secure(cluster)
      let endpoints = cluster.fixture.endpoints
      try await withConfigClient(
        endpoints: endpoints, credentials: PermissionsTests.root, timeout: .patience
      ) { root in
        try await withConfigClient(
          endpoints: endpoints, credentials: PermissionsTests.ann, timeout: .patience
        ) { ann in
          let denied = try await PermissionsTests.refusal {
            try await ann.watch(.prefix([])) { _ in false }
          }
          #expect(denied.contains("permission denied"))
          let seen = Mutex<[Int64]>([])
          let (created, signal) = AsyncStream.makeStream(of: Void.self)
          async let end = PermissionsTests.refusal {
            try await ann.watch(
              .prefix(Array("/ann/".utf8)), created: { signal.finish() }
            ) { batch in
              seen.withLock { $0.append(batch.revision) }
              return true
            }
          }
          for await _ in created {}
          let first = try await root.put(Array("/ann/k".utf8), [1])
          try await root.takeRole("ann", from: "ann")
          _ = try await root.put(Array("/ann/k".utf8), [2])
          let reason = try await end
          #expect(reason.hasSuffix("etcdserver: permission denied"), "\(reason)")
          #expect(seen.withLock { $0 } == [first])
        }
      }
    }
  }

  @Test(arguments: ["ES256", "EdDSA", "HS256"])
  func tokensMaySayThemselvesWhoHoldsThem(method: String) async throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/key.pem"
    let key: String =
      switch method {
      case "ES256": P256.Signing.PrivateKey().pemRepresentation
      case "EdDSA": PermissionsTests.pem(Curve25519.Signing.PrivateKey())
      default: "a secret of many bytes that nobody can guess"
      }
    try key.write(toFile: path, atomically: true, encoding: .utf8)
    var fixture = try ClusterFixture()
    for index in fixture.members.indices {
      fixture.members[index].authToken = "jwt,sign-method=\(method),priv-key=\(path),ttl=1m"
    }
    try await fixture.run { cluster in
      try await PermissionsTests.secure(cluster)
      try await PermissionsTests.checkEveryMember(cluster)
    }
  }

  /// RFC 8410, section 7.
  private static func pem(_ key: Curve25519.Signing.PrivateKey) -> String {
    let prefix: [UInt8] = [
      0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
      0x20,
    ]
    let text = (Data(prefix) + key.rawRepresentation).base64EncodedString()
    return "-----BEGIN PRIVATE KEY-----\n\(text)\n-----END PRIVATE KEY-----\n"
  }

  @Test func settingsThatCanNotWorkAreRefused() async throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/key.pem"
    try "no key".write(toFile: path, atomically: true, encoding: .utf8)
    let settings = [
      ("nop", "neither 'simple' nor 'jwt'"), ("simple,ttl=5m", "no options"),
      ("jwt,priv-key=\(path)", "needs sign-method"), ("jwt,sign-method=ES256", "needs priv-key"),
      ("jwt,sign-method=ES256,priv-key=/nowhere", "can't be read"),
      ("jwt,sign-method=ES256,priv-key=\(path)", "the key is none for ES256"),
      ("jwt,sign-method=XS256,priv-key=\(path)", "is none of RS256"),
      ("jwt,sign-method=HS256,priv-key=\(path),ttl=5", "is no time"),
      ("jwt,sign-method=HS256,sign-method=HS256", "given twice"), ("jwt,color=red", "unknown"),
    ]
    for (setting, reason) in settings {
      var fixture = try ClusterFixture(count: 1)
      fixture.members[0].authToken = setting
      let options = fixture.members[0]
      await #expect("\(setting)") {
        try await ConfigSyncServer(options, logger: .quiet, failStop: { _ in }).run()
      } throws: { error in
        "\(error)".contains(reason)
      }
    }
  }
}
