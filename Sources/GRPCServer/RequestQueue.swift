import Synchronization

/// The messages of a streaming call that its service has not taken yet: bounded by count and by bytes.
final class RequestQueue: Sendable {
  private struct State {
    var messages: [[UInt8]] = []
    var bytes = 0
    var isFinished = false
    var waiter: CheckedContinuation<[UInt8]?, Never>?
  }

  private let limits: GRPCLimits
  private let state = Mutex(State())

  init(limits: GRPCLimits) { self.limits = limits }

  /// What the service reads.
  var stream: AsyncStream<[UInt8]> {
    AsyncStream(unfolding: { await self.next() }, onCancel: { self.finish() })
  }

  /// Adds a message; false if too many wait, or too large ones. One alone may be as large as any.
  func offer(_ message: [UInt8]) -> Bool {
    let (isTaken, waiter) = state.withLock { state in
      if let waiter = state.waiter {
        state.waiter = nil
        return (true, waiter as CheckedContinuation<[UInt8]?, Never>?)
      }
      guard !state.isFinished else { return (true, nil) }
      guard state.messages.count < limits.waitingRequests,
        state.messages.isEmpty || state.bytes + message.count <= limits.waitingRequestBytes
      else { return (false, nil) }
      state.messages.append(message)
      state.bytes += message.count
      return (true, nil)
    }
    waiter?.resume(returning: message)
    return isTaken
  }

  /// No more messages come; those that wait are still read.
  func finish() {
    state.withLock { state in
      state.isFinished = true
      defer { state.waiter = nil }
      return state.waiter
    }?.resume(returning: nil)
  }

  private func next() async -> [UInt8]? {
    await withCheckedContinuation { continuation in
      let ready: [UInt8]?? = state.withLock { state in
        if !state.messages.isEmpty {
          let message = state.messages.removeFirst()
          state.bytes -= message.count
          return .some(message)
        }
        if state.isFinished { return .some(nil) }
        state.waiter = continuation
        return nil
      }
      if let ready { continuation.resume(returning: ready) }
    }
  }
}
