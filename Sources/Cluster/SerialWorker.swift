import Synchronization

/// A job that was taken and not begun: one of the two is to be called, soon, since jobs that come later wait for it.
struct Errand: Sendable {
  /// Does this job, and no other, on the calling thread.
  var run: @Sendable () -> Void
  /// Leaves it to the worker's thread.
  var handOver: @Sendable () -> Void
}

/// Blocking work, of which one thing is done at a time: jobs are taken in order, all that wait at once, so that
/// one sync or one database transaction serves many. It has a thread of its own; a caller that may wait can
/// do a job itself, which saves the way to that thread and back.
final class SerialWorker<Job: Sendable>: Sendable {
  private struct State {
    var jobs: [Job] = []
    var isScheduled = false
    var isRunning = false
    var hasFinished = false
  }

  private let queue: any WorkQueue
  private let state = Mutex(State())
  private let work: @Sendable (_ jobs: [Job], _ worker: SerialWorker) -> Void

  init(
    queue: any WorkQueue,
    work: @escaping @Sendable (_ jobs: [Job], _ worker: SerialWorker) -> Void
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

  /// Takes a job for the caller to do or to hand over; nil if others are at work, who do this one, too.
  func submitAsErrand(_ job: Job) -> Errand? {
    let (isFree, mustSchedule) = state.withLock { state in
      state.jobs.append(job)
      defer { state.isScheduled = true }
      return (!state.isScheduled && !state.isRunning, !state.isScheduled)
    }
    if isFree {
      return Errand(
        run: { self.queue.run { self.drain(atMost: 1) } },
        handOver: { self.queue.async { self.drain() } })
    }
    if mustSchedule { queue.async { self.drain() } }
    return nil
  }

  /// Whatever was submitted is done: stays so until the next `submit`.
  var isIdle: Bool { state.withLock { !$0.isScheduled && !$0.isRunning } }

  /// For a job that is under way: others wait.
  var areMoreWaiting: Bool { state.withLock { !$0.jobs.isEmpty } }

  /// Returns once everything submitted before is done, errands that were not begun included; what is submitted
  /// later is not done any more.
  func finish() {
    queue.end {
      // Behind an errand that nobody has begun.
      drain()
      state.withLock { $0.hasFinished = true }
    }
  }

  /// Whoever does an errand has other work than what has come since: that is left to the worker's thread.
  private func drain(atMost limit: Int = .max) {
    let (jobs, areMoreLeft) = state.withLock { state -> ([Job], Bool) in
      guard !state.hasFinished else { return ([], false) }
      let taken = Array(state.jobs.prefix(limit))
      state.jobs.removeFirst(taken.count)
      state.isScheduled = !state.jobs.isEmpty
      state.isRunning = !taken.isEmpty
      return (taken, state.isScheduled)
    }
    // The queue is this thread's until it returns.
    if areMoreLeft { queue.async { self.drain() } }
    guard !jobs.isEmpty else { return }
    work(jobs, self)
    state.withLock { $0.isRunning = false }
  }
}
