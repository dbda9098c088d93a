import EtcdProtos
import Foundation
import GRPCCore
import SwiftProtobuf
import TestSupport
import Testing

/// The same random requests to this server and to a real etcd: every answer has to be the same.
///
/// `DIFFERENTIAL_REQUESTS` and `DIFFERENTIAL_SEED` choose how many and which.
@Suite(.serialized)
struct EtcdDifferentialTests {
  private static func setting(_ name: String) -> Int? {
    ProcessInfo.processInfo.environment[name].flatMap(Int.init)
  }

  @Test(.enabled(if: EtcdProcess.program != nil, "etcd 3.5 is not installed: run make setup"))
  func everyAnswerIsEtcds() async throws {
    let etcd = try EtcdProcess(
      program: try #require(EtcdProcess.program), operations: RandomRequests.operations)
    defer { if let panic = etcd.stop() { Issue.record("etcd has ended: \(panic)") } }
    let reference = etcd.endpoint
    let count = EtcdDifferentialTests.setting("DIFFERENTIAL_REQUESTS") ?? 5000
    let seed = EtcdDifferentialTests.setting("DIFFERENTIAL_SEED") ?? 1
    try await ClusterFixture(count: 1).run { cluster in
      var requests = RandomRequests(seed: UInt64(seed))
      var sent = 0
      while sent < count, !Task.isCancelled {
        let last = min(count, sent + EtcdDifferentialTests.requestsOfAConnection)
        let own = try ServerUnderTest(cluster.fixture.endpoints[0])
        let other = try ServerUnderTest(reference)
        let isEqual = try await withThrowingTaskGroup(of: Void.self) { group in
          for server in [own, other] {
            group.addTask { try await server.client.runConnections() }
          }
          if sent == 0 {
            await other.untilItLeads()
            await own.untilItLeads()
          }
          let isEqual = await EtcdDifferentialTests.compare(
            own, with: other, sent + 1...last, &requests)
          for server in [own, other] { server.client.beginGracefulShutdown() }
          try await group.waitForAll()
          return isEqual
        }
        guard isEqual else { return }
        sent = last
      }
    }
  }

  /// etcd resets the stream of each call that fails, and after 200 of those the client takes it for
  /// an attack and closes the connection.
  private static let requestsOfAConnection = 150

  private static func compare(
    _ own: ServerUnderTest, with reference: ServerUnderTest, _ numbers: ClosedRange<Int>,
    _ requests: inout RandomRequests
  ) async -> Bool {
    for number in numbers {
      let request = requests.next()
      async let ours = own.answer(request)
      async let theirs = reference.answer(request)
      let (found, expected) = await (ours, theirs)
      guard found.text == expected.text else {
        Issue.record(
          """
          request \(number): \(request)
          --- this server
          \(found.text)
          --- etcd
          \(expected.text)
          """)
        return false
      }
      if let revision = expected.revision, revision > 0 { requests.revision = revision }
    }
    return true
  }
}

extension ServerUnderTest {
  /// Returns once a linearizable read is answered.
  func untilItLeads() async {
    for _ in 0..<200 {
      let found = await answer(.range(.with { $0.key = Data([1]) }))
      if found.revision != nil { return }
    }
  }
}
