import ConfigModel
import ConfigSyncClient
import Foundation
import Reconciler
import Synchronization
import TestSupport
import Testing

@testable import Server

/// Which of several reconcilers works.
struct SourceLeaseTests {
  @Test func oneHoldsALeaseUntilItEnds() async throws {
    try await ClusterFixture().run { cluster in
      try await withConfigClient(endpoints: cluster.fixture.endpoints, timeout: .patience) {
        client in
        _ = try await ClusterEndToEndTests.untilReady { try await client.range(.prefix([])) }
        let time = Mutex(Duration.zero)
        func lease(_ name: String) -> EtcdSourceLease {
          EtcdSourceLease(client, name: name, seconds: 3600) { time.withLock { $0 } }
        }
        let (one, two) = (lease("one"), lease("two"))
        #expect(try await one.holder(of: "acme") == nil)
        #expect(try await two.holder(of: "acme") == "one")
        #expect(try await two.holder(of: "other") == nil)
        #expect(try await one.holder(of: "other") == "two")
        // By a clock that has gone on, nobody knows any more; the store does.
        time.withLock { $0 = .seconds(3601) }
        #expect(try await one.holder(of: "acme") == nil, "it still has it")
        // Nobody's is a key without a lease.
        let copied = Array(ReservedKeys.lease(of: "copied").utf8)
        _ = try await client.put(copied, Array("ghost".utf8))
        #expect(try await one.holder(of: "copied") == nil)
        #expect(try await two.holder(of: "copied") == "one")
        // Who can't work gives back one of several.
        await one.release("copied")
        #expect(try await two.holder(of: "copied") == nil)
        #expect(try await two.holder(of: "acme") == "one")
        #expect(try await one.otherHolder(of: "copied") == "two")
        #expect(try await one.otherHolder(of: "acme") == nil, "it is its own")
        #expect(try await one.otherHolder(of: "none") == nil)
        // Whoever ends gives back what it holds.
        let third = lease("three")
        #expect(try await third.holder(of: "third") == nil)
        let keeping = Task { await third.keep(on: ContinuousClock()) }
        keeping.cancel()
        await keeping.value
        #expect(try await two.holder(of: "third") == nil)
        let key = Array(ReservedKeys.lease(of: "third").utf8)
        let item = try #require(try await client.range(.key(key)).items.first)
        #expect(item.value == Array("two".utf8) && item.lease != 0)
      }
    }
  }

  /// The records of the program are no keys of a source; a ring is one of those.
  @Test func ringsAreHeardThroughTheStore() async throws {
    try await ClusterFixture().run { cluster in
      try await withConfigClient(endpoints: cluster.fixture.endpoints, timeout: .patience) {
        client in
        _ = try await ClusterEndToEndTests.untilReady { try await client.range(.prefix([])) }
        let target = EtcdConfigTarget(client)
        let key = ReservedKeys.ring(of: "acme")
        let (heard, hear) = AsyncStream.makeStream(of: [[UInt8]].self)
        await withTaskGroup(of: Void.self) { group in
          group.addTask { try? await target.watch(under: key) { _, keys in hear.yield(keys) } }
          var iterator = heard.makeAsyncIterator()
          #expect(await iterator.next() == [], "it has begun")
          _ = try? await client.put(Array(key.utf8), [1])
          #expect(await iterator.next() == [Array(key.utf8)])
          group.cancelAll()
        }
      }
    }
  }

  @Test(.timeLimit(.minutes(5))) func whoIsBesideTheLeaderWorks() async throws {
    try await ClusterFixture().run { cluster in
      // Until there is a leader, and it has stayed the same while all were asked.
      while true {
        var holders: [String?] = []
        for member in cluster.fixture.members {
          let holder = try await withConfigClient(
            endpoints: member.listenClientURLs, timeout: .patience
          ) { client in
            while true {
              do {
                return try await LeadershipLease(client).holder(of: "acme")
              } catch is TargetError {
                try await Task.sleep(for: .milliseconds(20))
              }
            }
          }
          holders.append(holder)
        }
        let others = holders.compactMap(\.self)
        if others.count == holders.count - 1, Set(others).count == 1 { return }
      }
    }
  }
}
