import Synchronization

/// Blocking work on one thread of its own: jobs are taken in order, all that wait at once, so that
/// one sync or one database transaction serves many.
final class SerialWorker<Job: Sendable>: Sendable {
  private struct State {
    var jobs: [Job] = []
    var isScheduled = false
    var isRunning = false
  }

  private let queue: any WorkQueue
  private let state = Mutex(State())
  private let work: @Sendable (_ jobs: [Job], _ areMoreWaiting: () -> Bool) -> Void

  init(
    queue: any WorkQueue,
    work: @escaping @Sendable (_ jobs: [Job], _ areMoreWaiting: () -> Bool) -> Void
  ) {
    self.queue = queue
    self.work = work
  }

  func submit(_ job: Job) {
    let mustSchedule = state.withLock { state in
      state.jobs.append(job)
      defer { state.isScheduled = true }
      return !state.isScheduled
    }
    if mustSchedule { queue.async { self.drain() } }
  }

  /// Whatever was submitted is done: stays so until the next `submit`.
  var isIdle: Bool { state.withLock { !$0.isScheduled && !$0.isRunning } }

  /// Returns once everything submitted before is done.
  func finish() { queue.wait() }

  private func drain() {
    let jobs = state.withLock { state in
      defer {
        state.jobs = []
        state.isScheduled = false
        state.isRunning = true
      }
      return state.jobs
    }
    work(jobs) { state.withLock { !$0.jobs.isEmpty } }
    state.withLock { $0.isRunning = false }
  }
}
