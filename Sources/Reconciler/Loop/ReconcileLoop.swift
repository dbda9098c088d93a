public import ConfigModel

/// Reconciles again and again: after each interval, with jitter, and after failures with back-off.
public struct ReconcileLoop: Sendable {
  /// What a run came to.
  public enum Outcome: Sendable {
    case finished(ReconcileReport)
    /// It is tried again after the pause; nothing is lost by that.
    case failed(any Error, retryAfter: Duration)
    /// Trying again is no use until someone has decided.
    case stalled(any Error)
  }

  private static let firstRetry = Duration.seconds(1)
  private static let longestRetry = Duration.seconds(60)

  private let reconciler: SourceReconciler
  private let options: ReconcileOptions
  private let interval: Duration

  public init(_ reconciler: SourceReconciler, options: ReconcileOptions, interval: Duration) {
    self.reconciler = reconciler
    self.options = options
    self.interval = interval
  }

  /// Runs until the task is cancelled.
  public func run(
    on clock: some Clock<Duration>, finished: (CommitFacts, CommitResult) -> Void,
    ended: (Outcome) -> Void
  ) async {
    var failures = 0
    while !Task.isCancelled {
      var pause = jittered(interval)
      do {
        ended(.finished(try await reconciler.run(options, finished: finished)))
        failures = 0
      } catch is CancellationError {
        return
      } catch let error as ReconcileError where error.needsDecision {
        ended(.stalled(error))
      } catch {
        failures += 1
        let backoff = ReconcileLoop.firstRetry * (1 << min(failures - 1, 6))
        pause = jittered(min(backoff, ReconcileLoop.longestRetry))
        ended(.failed(error, retryAfter: pause))
      }
      do { try await clock.sleep(for: pause) } catch { return }
    }
  }

  /// Between 90 % and 110 %, so that many reconcilers do not ask at once.
  private func jittered(_ duration: Duration) -> Duration {
    duration * Double.random(in: 0.9...1.1)
  }
}

extension ReconcileError {
  var needsDecision: Bool {
    switch self {
    case .rewritten, .overlaps, .unknownCommit, .noSigners, .target(.refused): true
    case .fenced, .target, .uncompiled: false
    }
  }
}
