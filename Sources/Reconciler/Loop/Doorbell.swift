import Synchronization

/// Wakes the loop before its interval is over: any number of rings until it looks is one.
public final class Doorbell: Sendable {
  /// Why it was rung.
  public enum Reason: Hashable, Sendable {
    /// Something may be new where the source comes from.
    case source
    /// The same, as another reconciler has heard that rests.
    case passedOn
    /// Somebody may have changed keys of the source.
    case keys
  }

  private struct State {
    var rung: Set<Reason> = []
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  public init() {}

  public func ring(_ reason: Reason) {
    let waiter = state.withLock { state in
      state.rung.insert(reason)
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }

  /// Waits until it is rung, or the time is over, or the task is cancelled.
  ///
  /// - Returns: why it was rung since the last wait; nothing if the time is over.
  func wait(atMost duration: Duration, on clock: some Clock<Duration>) async -> Set<Reason> {
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        // Cancelled: then there is nothing to wait for any more.
        try? await clock.sleep(for: duration)
      }
      group.addTask { await self.rung() }
      _ = await group.next()
      group.cancelAll()
    }
    return state.withLock { state in
      defer { state.rung = [] }
      return state.rung
    }
  }

  private func rung() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if !state.rung.isEmpty || Task.isCancelled { return true }
          state.waiter = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      let waiter = state.withLock { state in
        defer { state.waiter = nil }
        return state.waiter
      }
      waiter?.resume()
    }
  }
}
