import Synchronization

/// A count that several tasks share.
final class Counter: Sendable {
  private let value: Mutex<Int>
  init(_ value: Int) { self.value = Mutex(value) }

  /// - Returns: the count afterwards.
  func decrement() -> Int {
    value.withLock { value in
      value -= 1
      return value
    }
  }
}
