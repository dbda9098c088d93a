import Dispatch
import Glibc
package import Raft
package import RaftLog
package import Store

/// What a member takes from its surroundings: the machine, or a simulation that drives the very same
/// code in one thread, under a clock, disk and chance of its own.
package struct ClusterEnvironment: Sendable {
  package var disk: any Disk
  package var clock: any Clock<Duration>
  /// The thread of the member's clock.
  package var executor: any TaskExecutor
  /// Runs a turn of the member loop on the calling thread: at once, or after what that has to do first, so
  /// that one turn serves all that comes together.
  package var runSoon: @Sendable (@escaping @Sendable () -> Void) -> Void = { $0() }
  /// Whether a thread that may wait for a disk does so, or leaves that to another one.
  package var runsErrands: @Sendable () -> Bool = { true }
  /// A thread for blocking work; the text names it.
  package var makeQueue: @Sendable (String) -> any WorkQueue
  /// Where names that must differ between starts, and election timeouts, begin.
  package var seed: UInt64
  /// What a log that is made now has for a salt. Names are drawn from the seed and told to clients, so
  /// that this must not follow from it.
  package var logSalt: UInt64
  /// Seconds since 1970. Nothing that members have to agree on follows from it.
  package var wallClock: @Sendable () -> Int64 = { Int64(time(nil)) }
  /// Is shown the core after each turn of the loop.
  package var observe: (@Sendable (RaftNode) -> Void)?
  /// Is shown entries and what they did, once they are applied.
  package var observeApplied: (@Sendable ([Entry], [AppliedCommand]) -> Void)?
  /// Is told when a snapshot has replaced the state.
  package var observeInstalled: (@Sendable (SnapshotMark) -> Void)?

  package init(
    disk: any Disk, clock: any Clock<Duration>, executor: any TaskExecutor,
    makeQueue: @escaping @Sendable (String) -> any WorkQueue, seed: UInt64,
    logSalt: UInt64,
    observe: (@Sendable (RaftNode) -> Void)? = nil,
    observeApplied: (@Sendable ([Entry], [AppliedCommand]) -> Void)? = nil
  ) {
    self.disk = disk
    self.clock = clock
    self.executor = executor
    self.makeQueue = makeQueue
    self.seed = seed
    self.logSalt = logSalt
    self.observe = observe
    self.observeApplied = observeApplied
  }

  /// This machine.
  package static func machine() -> ClusterEnvironment {
    ClusterEnvironment(
      disk: FileDisk(), clock: ContinuousClock(), executor: LoopExecutor(),
      makeQueue: { ThreadQueue(label: $0) }, seed: .random(in: 0...(.max)),
      logSalt: .random(in: 1...(.max)))
  }
}

/// Tells how much time of `clock` has passed since the call.
func stopwatch(_ clock: some Clock<Duration>) -> @Sendable () -> Duration {
  let start = clock.now
  return { start.duration(to: clock.now) }
}

/// Runs closures one after the other, in order.
package protocol WorkQueue: Sendable {
  func async(_ work: @escaping @Sendable () -> Void)
  /// Runs a closure on the calling thread, once everything given before is done. Not for closures of this
  /// queue.
  func run(_ work: () -> Void)
  /// The same, for the last closure of all.
  func end(_ work: () -> Void)
}

/// A thread of its own.
struct ThreadQueue: WorkQueue {
  private let queue: DispatchQueue

  init(label: String) { queue = DispatchQueue(label: label) }

  func async(_ work: @escaping @Sendable () -> Void) { queue.async(execute: work) }
  func run(_ work: () -> Void) { queue.sync(execute: work) }
  func end(_ work: () -> Void) { queue.sync(execute: work) }
}
