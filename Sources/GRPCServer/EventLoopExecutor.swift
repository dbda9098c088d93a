import NIOCore
import Synchronization

/// Runs tasks on the thread of an event loop: a call that never blocks is decoded, answered and written
/// there without a hop, and many answers that come at once leave together.
final class EventLoopExecutor: TaskExecutor {
  private let loop: any EventLoop
  /// The loop ends before the process does; what is resumed later runs elsewhere.
  private let isOpen = Mutex(true)

  init(_ loop: any EventLoop) { self.loop = loop }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let executor = asUnownedTaskExecutor()
    let isTaken = isOpen.withLock { isOpen in
      // The loop takes what it is given under a lock: what is given before `close` is run.
      if isOpen { loop.execute { job.runSynchronously(on: executor) } }
      return isOpen
    }
    if !isTaken { globalConcurrentExecutor.enqueue(job) }
  }

  /// Nothing is given to the loop any more.
  func close() { isOpen.withLock { $0 = false } }
}

/// The executors of a group, one for each of its loops.
final class EventLoopExecutors: Sendable {
  private let executors: [ObjectIdentifier: EventLoopExecutor]

  init(_ group: some EventLoopGroup) {
    executors = Dictionary(
      uniqueKeysWithValues: group.makeIterator().map {
        (ObjectIdentifier($0), EventLoopExecutor($0))
      })
  }

  subscript(_ loop: any EventLoop) -> EventLoopExecutor? { executors[ObjectIdentifier(loop)] }

  func close() { for executor in executors.values { executor.close() } }
}
