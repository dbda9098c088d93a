import ConfigModel
import Synchronization

/// What the last run of a reconciler has left in the store, so that the next need not read all of it.
final class ReconcilerMemory: Sendable {
  private struct State {
    var actual: ActualState?
    var name: String?
  }

  private let state = Mutex(State())

  /// It is gone then, until it is kept again.
  func take() -> ActualState? {
    state.withLock { state in
      defer { state.actual = nil }
      return state.actual
    }
  }

  func keep(_ actual: ActualState) { state.withLock { $0.actual = actual } }

  /// What is published; nil while that is not known, as during a run.
  var published: KeySpace? { state.withLock { $0.actual?.published } }

  /// The source that the last run was of, which came to its end.
  var name: String? {
    get { state.withLock { $0.name } }
    set { state.withLock { $0.name = newValue } }
  }
}
