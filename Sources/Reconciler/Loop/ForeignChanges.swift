import Synchronization

/// Revisions at which keys have changed, and that are not known to be the reconciler's own.
final class ForeignChanges: Sendable {
  private struct State {
    var seen: Set<Int64> = []
    var own: [Int64] = []
    var unknown: Int64 = 0
  }

  private let state = Mutex(State())
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  /// - Parameter revision: 0 where nobody knows what has changed.
  func add(_ revision: Int64) {
    state.withLock { state in
      // Each of those is one of its own: what comes during a look is not what was looked at.
      if revision == 0 { state.unknown -= 1 }
      let mark = revision == 0 ? state.unknown : revision
      // Beyond the limit, which they were does not matter: there are some.
      if !state.own.contains(mark), state.seen.count < limit { state.seen.insert(mark) }
    }
  }

  /// What a run has made itself is nobody else's.
  func forget(own: [Int64]) {
    state.withLock { state in
      state.own = (state.own + own).suffix(limit)
      state.seen.subtract(state.own)
    }
  }

  /// What was looked at.
  func forget(_ revisions: Set<Int64>) { state.withLock { $0.seen.subtract(revisions) } }

  var seen: Set<Int64> { state.withLock { $0.seen } }
}
