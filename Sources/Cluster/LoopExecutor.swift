import Dispatch

/// A thread for the member's clock, which runs the loop at each tick, so that nothing that blocks the shared
/// pool, such as a long read of the store, can hold up heartbeats.
final class LoopExecutor: TaskExecutor {
  private let queue = DispatchQueue(label: "configsync.loop")

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let executor = asUnownedTaskExecutor()
    queue.async { job.runSynchronously(on: executor) }
  }
}
