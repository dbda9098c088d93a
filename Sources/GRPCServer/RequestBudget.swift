import Synchronization

/// Bytes of requests that the connections of a listener hold together: of those that are not whole yet, and of those
/// that are not answered.
final class RequestBudget: Sendable {
  private let limit: Int
  private let used = Atomic(0)

  init(limit: Int) { self.limit = limit }

  fileprivate func add(_ bytes: Int) { used.add(bytes, ordering: .relaxed) }
  /// A small request is let in for twice as long: a few large ones that are never whole shall not keep all others out.
  fileprivate func isExceeded(forSmall isSmall: Bool) -> Bool {
    used.load(ordering: .relaxed) > (isSmall ? 2 * limit : limit)
  }
  var usedBytes: Int { used.load(ordering: .relaxed) }
}

/// What one connection has of it.
struct RequestShare {
  private let budget: RequestBudget
  private let limit: Int
  private let smallBytes: Int
  private var bytes = 0

  init(of budget: RequestBudget, limits: GRPCLimits) {
    self.budget = budget
    limit = limits.connectionRequestBytes
    smallBytes = limits.lightRequestBytes
  }

  /// Fewer, if it is negative.
  mutating func add(_ count: Int) {
    bytes += count
    budget.add(count)
  }

  /// The connection has ended.
  mutating func giveBack() { add(-bytes) }

  /// Why the request that was added last can't go on; nil if it can.
  ///
  /// - Parameter requestBytes: what that one has.
  func refusal(ofBytes requestBytes: Int) -> GRPCStatus? {
    if bytes > limit {
      GRPCStatus(.resourceExhausted, "too many bytes of requests wait on the connection")
    } else if budget.isExceeded(forSmall: requestBytes <= smallBytes) {
      // etcd's words.
      GRPCStatus(.resourceExhausted, "etcdserver: too many requests")
    } else {
      nil
    }
  }
}
