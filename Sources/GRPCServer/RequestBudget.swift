import Synchronization

/// Bytes of requests that the connections of a listener hold together: of those that are not whole yet, and of those
/// that are not answered.
final class RequestBudget: Sendable {
  private let limit: Int
  private let used = Atomic(0)

  init(limit: Int) { self.limit = limit }

  fileprivate func add(_ bytes: Int) { used.add(bytes, ordering: .relaxed) }
  fileprivate var isExceeded: Bool { used.load(ordering: .relaxed) > limit }
  var usedBytes: Int { used.load(ordering: .relaxed) }
}

/// What one connection has of it.
struct RequestShare {
  private let budget: RequestBudget
  private let limit: Int
  private var bytes = 0

  /// - Parameter limit: bytes that the connection may have, whatever is left of the budget.
  init(of budget: RequestBudget, limit: Int) {
    self.budget = budget
    self.limit = limit
  }

  /// Fewer, if it is negative.
  mutating func add(_ count: Int) {
    bytes += count
    budget.add(count)
  }

  /// The connection has ended.
  mutating func giveBack() { add(-bytes) }

  /// Why the request that was added last can't go on; nil if it can.
  var refusal: GRPCStatus? {
    if bytes > limit {
      GRPCStatus(.resourceExhausted, "too many bytes of requests wait on the connection")
    } else if budget.isExceeded {
      // etcd's words.
      GRPCStatus(.resourceExhausted, "etcdserver: too many requests")
    } else {
      nil
    }
  }
}
