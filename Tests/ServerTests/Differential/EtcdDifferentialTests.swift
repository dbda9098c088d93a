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
          var isEqual = await EtcdDifferentialTests.compare(
            own, with: other, sent + 1...last, &requests)
          if isEqual {
            isEqual = await EtcdDifferentialTests.compareWatches(own, other, &requests)
          }
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
  private static let requestsOfAConnection = 100

  private static func compare(
    _ own: ServerUnderTest, with reference: ServerUnderTest, _ numbers: ClosedRange<Int>,
    _ requests: inout RandomRequests
  ) async -> Bool {
    for number in numbers {
      let isEqual = await compareAnswers(own, reference, requests.next(), &requests)
      guard isEqual else {
        Issue.record("that was request \(number)")
        return false
      }
    }
    return true
  }
}

extension EtcdDifferentialTests {
  /// Watches on both, some changes, and what each watch was told of them.
  private static func compareWatches(
    _ own: ServerUnderTest, _ other: ServerUnderTest, _ requests: inout RandomRequests
  ) async -> Bool {
    // The oldest revision that can be read, as the compaction of the one after it has it.
    let compacted = requests.revision
    _ = await own.answer(.compact(.with { $0.revision = compacted }))
    _ = await other.answer(.compact(.with { $0.revision = compacted }))
    for _ in 0..<15 {
      let isEqual = await compareAnswers(own, other, requests.nextChange(), &requests)
      guard isEqual else { return false }
    }
    let (ours, theirs) = (WatchedStream(), WatchedStream())
    return await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await ours.run(on: own) }
      group.addTask { try await theirs.run(on: other) }
      defer { group.cancelAll() }
      for number in 1...6 {
        let request = requests.watch(compacted: compacted, isLast: number == 6)
        guard await isSame("\(request)", ours.ask(request), theirs.ask(request)) else {
          return false
        }
      }
      let changes = (0..<25).map { _ in requests.nextChange() } + RandomRequests.everyKey
      for change in changes {
        let isEqual = await compareAnswers(own, other, change, &requests)
        guard isEqual else { return false }
      }
      await ours.settle()
      await theirs.settle(like: ours.told)
      for id in Set(ours.told.keys).union(theirs.told.keys).sorted() {
        let (found, expected) = (ours.told[id] ?? [], theirs.told[id] ?? [])
        guard
          isSame(
            "watch \(id)", found.joined(separator: "\n"), expected.joined(separator: "\n"))
        else { return false }
      }
      return true
    }
  }

  private static func isSame(_ what: String, _ found: String, _ expected: String) -> Bool {
    guard found != expected else { return true }
    Issue.record(
      """
      \(what)
      --- this server
      \(found)
      --- etcd
      \(expected)
      """)
    return false
  }

  private static func compareAnswers(
    _ own: ServerUnderTest, _ reference: ServerUnderTest, _ request: AnyRequest,
    _ requests: inout RandomRequests
  ) async -> Bool {
    async let ours = own.answer(request)
    async let theirs = reference.answer(request)
    let (found, expected) = await (ours, theirs)
    if let revision = expected.revision, revision > 0 { requests.revision = revision }
    return isSame("\(request)", found.text, expected.text)
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
