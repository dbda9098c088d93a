import Synchronization

/// Blocking work on one thread of its own: jobs are taken in order, all that wait at once, so that
/// one sync or one database transaction serves many.
final class SerialWorker<Job: Sendable>: Sendable {
  private struct State {
    var jobs: [Job] = []
    var isScheduled = false
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

  /// Returns once everything submitted before is done.
  func finish() { queue.wait() }

  private func drain() {
    let jobs = state.withLock { state in
      defer {
        state.jobs = []
        state.isScheduled = false
      }
      return state.jobs
    }
    work(jobs) { state.withLock { !$0.jobs.isEmpty } }
  }
}
