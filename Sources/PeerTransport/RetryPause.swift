import NIOCore

/// How long a link rests before it is tried again.
struct RetryPause: Sendable {
  /// How a try has ended.
  enum End: Sendable {
    case notOpened
    /// It was open for so long.
    case closed(after: TimeAmount)
    /// The other side does not take this member: what that needs is a person, and the other side, once it is
    /// put right, comes by itself.
    case refused
  }

  private static let first = TimeAmount.milliseconds(100)
  private static let longest = TimeAmount.seconds(2)
  private static let refused = TimeAmount.seconds(30)

  private let rest: TimeAmount
  private var failures = 0

  /// - Parameter rest: the pause after a refusal.
  init(afterRefusal rest: TimeAmount = RetryPause.refused) { self.rest = rest }

  /// The longest pause that may be made now; it doubles until a connection has lasted for as long as it gets.
  mutating func next(after end: End) -> TimeAmount {
    switch end {
    case .notOpened: break
    case .closed(let time): if time >= RetryPause.longest { failures = 0 }
    case .refused: return rest
    }
    defer { failures = min(failures + 1, 10) }
    return min(.nanoseconds(RetryPause.first.nanoseconds << failures), RetryPause.longest)
  }
}
