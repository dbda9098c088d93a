import Synchronization

/// How often a method was called, and how the calls ended.
package struct GRPCCounts: Sendable {
  package var started = 0
  /// By the number of the code.
  package var handled = [Int](repeating: 0, count: GRPCStatus.Code.allCases.count)
}

/// A method that counts its calls.
final class CountedMethod: Sendable {
  let isStreaming: Bool
  private let body: GRPCMethod
  private let state = Mutex(GRPCCounts())

  init(_ body: GRPCMethod) {
    self.body = body
    if case .streaming = body { isStreaming = true } else { isStreaming = false }
  }

  var counts: GRPCCounts { state.withLock { $0 } }

  /// What is to be called.
  var method: GRPCMethod {
    switch body {
    case .unary(let body, let place):
      .unary(
        { [self] call, request in
          state.withLock { $0.started += 1 }
          let result = await body(call, request)
          if case .failure(let status) = result { ended(status) } else { ended(.ok) }
          return result
        }, runs: place)
    case .streaming(let body):
      .streaming { [self] call, requests, writer in
        state.withLock { $0.started += 1 }
        let status = await body(call, requests, writer)
        ended(status)
        return status
      }
    }
  }

  /// Whoever called may have gone, or waited no longer, before the body was done.
  private func ended(_ status: GRPCStatus) {
    let code = Task.isCancelled ? GRPCStatus.Code.cancelled : status.code
    state.withLock { $0.handled[code.rawValue] += 1 }
  }
}
