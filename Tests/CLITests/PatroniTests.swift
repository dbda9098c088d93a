import Foundation
import TestSupport
import Testing

/// Real software that lives on etcd, with a member of its own process: Patroni gives up what it has begun where an
/// answer takes five seconds, which a member among other tests may need.
struct PatroniTests {
  /// Two PostgreSQL servers of which Patroni makes one the primary, and the other when that is killed.
  @Test func patroniFailsOver() async throws {
    guard let python = pythonOfClient("patroni") else {
      print("Patroni is not installed: skipped")
      return
    }
    let script = repository.appendingPathComponent("Tests/ServerTests/Fixtures/patroni_failover.py")
    let cluster = try ProcessCluster(["a"])
    try cluster.start("a")
    let address = cluster.client("a").replacingOccurrences(of: "http://", with: "")
    let (status, output) = try await executeOnThread(python, [script.path, address])
    #expect(status == 0, "\(output)")
  }
}
