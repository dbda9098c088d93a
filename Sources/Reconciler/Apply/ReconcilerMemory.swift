import ConfigModel
import Synchronization

/// What the last run of a reconciler has left in the store, so that the next need not read all of it.
final class ReconcilerMemory: Sendable {
  private let state = Mutex<ActualState?>(nil)
  private let last = Mutex<KeySpace?>(nil)

  /// It is gone then, until it is kept again.
  func take() -> ActualState? {
    state.withLock { state in
      defer { state = nil }
      return state
    }
  }

  func keep(_ actual: ActualState) {
    state.withLock { $0 = actual }
    if let published = actual.published { last.withLock { $0 = published } }
  }

  /// What was published last, as far as that is known.
  var published: KeySpace? { last.withLock { $0 } }
}
