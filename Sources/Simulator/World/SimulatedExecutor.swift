import Raft
import Synchronization

/// Runs every task of the world in one thread, in the order in which they became ready.
final class SimulatedExecutor: TaskExecutor {
  private let jobs = Mutex<[UnownedJob]>([])

  func enqueue(_ job: consuming ExecutorJob) {
    let unowned = UnownedJob(job)
    jobs.withLock { $0.append(unowned) }
  }

  /// Returns once no task is ready.
  func drain() {
    while true {
      let ready = jobs.withLock { jobs in
        defer { jobs = [] }
        return jobs
      }
      if ready.isEmpty { return }
      for job in ready { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
  }
}

/// The clock of one incarnation: it drifts, leaps, and stands still while the member is paused.
struct SimulatedClock: Clock {
  struct Instant: InstantProtocol {
    var microseconds: Int64
    func advanced(by duration: Duration) -> Instant {
      Instant(microseconds: microseconds + duration.microseconds)
    }
    func duration(to other: Instant) -> Duration {
      .microseconds(other.microseconds - microseconds)
    }
    static func < (left: Instant, right: Instant) -> Bool {
      left.microseconds < right.microseconds
    }
  }

  // The world outlives every clock in it.
  let world: World
  let owner: Incarnation?
  /// How many thousandths it is fast; negative if slow.
  let driftPermille: Int64

  var now: Instant {
    let leap = owner.flatMap { world.members[MemberID($0.member)]?.leap } ?? 0
    return Instant(microseconds: Int64(world.now) * (1000 + driftPermille) / 1000 + leap)
  }
  var minimumResolution: Duration { .microseconds(1) }

  func sleep(until deadline: Instant, tolerance: Duration?) async throws {
    let local = max(0, deadline.microseconds - now.microseconds)
    let sleeper = Sleeper()
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        guard sleeper.begin(continuation) else { return }
        let pause = VirtualTime(local * 1000 / (1000 + driftPermille))
        world.after(pause, owner: owner, "wake") { sleeper.wake() }
        if let owner { world.members[MemberID(owner.member)]?.keep(sleeper) }
      }
    } onCancel: {
      sleeper.wake()
    }
    try Task.checkCancellation()
    // With its process everything ends that was asleep in it.
    if let owner, !world.isAlive(owner) { throw CancellationError() }
  }
}

extension Duration {
  var microseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
  }
}

/// One sleep: woken once, by time or by cancellation.
final class Sleeper: Sendable {
  private enum State {
    case awake
    case asleep(CheckedContinuation<Void, Never>)
    case woken
  }
  private let state = Mutex(State.awake)

  var isOver: Bool { state.withLock { if case .woken = $0 { true } else { false } } }

  /// False if it was woken before it slept.
  func begin(_ continuation: CheckedContinuation<Void, Never>) -> Bool {
    let isWoken = state.withLock { state in
      if case .woken = state { return true }
      state = .asleep(continuation)
      return false
    }
    if isWoken { continuation.resume() }
    return !isWoken
  }

  func wake() {
    let continuation = state.withLock { state -> CheckedContinuation<Void, Never>? in
      defer { state = .woken }
      if case .asleep(let continuation) = state { return continuation }
      return nil
    }
    continuation?.resume()
  }
}
