import Synchronization

/// Blocking work that was taken and not begun: one of the two is to be called, soon, since work that is given
/// later waits for it.
struct Errand: Sendable {
  /// Does it on the calling thread.
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

  /// Takes a job for the caller to do or to hand over; nil if others are at work, who do this one, too.
  func submitAsErrand(_ job: Job) -> Errand? {
    let (isFree, mustSchedule) = state.withLock { state in
      state.jobs.append(job)
      defer { state.isScheduled = true }
      return (!state.isScheduled && !state.isRunning, !state.isScheduled)
    }
    if isFree {
      return Errand(
        run: { self.queue.run { self.drain() } }, handOver: { self.queue.async { self.drain() } })
    }
    if mustSchedule { queue.async { self.drain() } }
    return nil
  }

  /// Whatever was submitted is done: stays so until the next `submit`.
  var isIdle: Bool { state.withLock { !$0.isScheduled && !$0.isRunning } }

  /// Returns once everything submitted before is done; an errand that was not begun does nothing any more.
  func finish() {
    queue.run { self.state.withLock { $0.hasFinished = true } }
  }

  private func drain() {
    let jobs = state.withLock { state -> [Job] in
      defer { state.jobs = [] }
      state.isScheduled = false
      guard !state.hasFinished else { return [] }
      state.isRunning = !state.jobs.isEmpty
      return state.jobs
    }
    guard !jobs.isEmpty else { return }
    work(jobs) { state.withLock { !$0.jobs.isEmpty } }
    state.withLock { $0.isRunning = false }
  }
}
