import Dispatch
import Synchronization
import TestSupport
import Testing

@testable import Cluster

/// Who does the blocking work, and in which order.
struct SerialWorkerTests {
  /// What was done, in order, and whether it ever was done by two at once.
  private final class Log: Sendable {
    let jobs = Mutex<[Int]>([])
    let isBusy = Atomic(false)
    let hasClashed = Atomic(false)

    func take(_ new: [Int]) {
      if isBusy.exchange(true, ordering: .acquiringAndReleasing) {
        hasClashed.store(true, ordering: .relaxed)
      }
      jobs.withLock { $0 += new }
      isBusy.store(false, ordering: .releasing)
    }
    var done: [Int] { jobs.withLock { $0 } }
  }

  @Test func anErrandIsDoneByItsCaller() throws {
    let (log, own) = (Log(), KeptWork())
    let worker = SerialWorker<Int>(queue: own) { jobs, worker in
      log.take(jobs)
      #expect(!worker.areMoreWaiting)
    }
    let errand = try #require(worker.submitAsErrand(1))
    #expect(!worker.isIdle && log.done == [])
    errand.run()
    #expect(log.done == [1] && worker.isIdle && own.count == 0, "no other thread is asked")
    #expect(worker.submitAsErrand(2) != nil)
  }

  /// A defragmentation for instance: whoever does an errand has other work.
  @Test func whatCameBehindAnErrandIsLeftToTheOwnThread() throws {
    let (log, own) = (Log(), KeptWork())
    let worker = SerialWorker<Int>(queue: own) { jobs, _ in log.take(jobs) }
    let errand = try #require(worker.submitAsErrand(1))
    worker.submit(2)
    #expect(worker.submitAsErrand(3) == nil, "somebody is about to work")
    #expect(log.done == [] && own.count == 0)
    errand.run()
    #expect(log.done == [1] && own.count == 1 && !worker.isIdle)
    worker.submit(4)
    #expect(own.count == 1)
    own.run()
    #expect(log.done == [1, 2, 3, 4] && worker.isIdle)
  }

  @Test func anErrandCanBeHandedOver() throws {
    let (log, own) = (Log(), KeptWork())
    let worker = SerialWorker<Int>(queue: own) { jobs, _ in log.take(jobs) }
    let errand = try #require(worker.submitAsErrand(1))
    errand.handOver()
    worker.submit(2)
    #expect(log.done == [] && own.count == 1)
    own.run()
    #expect(log.done == [1, 2] && worker.isIdle)
  }

  @Test func whereOthersAreAtWorkThereIsNoErrand() throws {
    let (log, own) = (Log(), KeptWork())
    let worker = SerialWorker<Int>(queue: own) { jobs, worker in
      log.take(jobs)
      guard jobs == [1, 2] else { return }
      // While it works.
      #expect(!worker.areMoreWaiting)
      #expect(worker.submitAsErrand(3) == nil)
      #expect(worker.areMoreWaiting)
    }
    worker.submit(1)
    #expect(worker.submitAsErrand(2) == nil, "somebody is about to work")
    own.run()
    #expect(log.done == [1, 2] && own.count == 1)
    own.run()
    #expect(log.done == [1, 2, 3] && worker.isIdle)
  }

  @Test func theEndComesAfterAllThatWasSubmitted() throws {
    let log = Log()
    let worker = SerialWorker<Int>(queue: ThreadQueue(label: "worker")) { jobs, _ in
      log.take(jobs)
    }
    worker.submit(1)
    worker.finish()
    #expect(log.done == [1])
    worker.submit(2)
    let other = SerialWorker<Int>(queue: ThreadQueue(label: "other")) { jobs, _ in log.take(jobs) }
    let errand = try #require(other.submitAsErrand(3))
    #expect(other.submitAsErrand(4) == nil)
    other.submit(5)
    other.finish()
    #expect(log.done == [1, 3, 4, 5], "whoever was to do it may never come")
    errand.run()
    errand.handOver()
    other.submit(6)
    for one in [worker, other] { one.finish() }
    #expect(log.done == [1, 3, 4, 5], "its directory may be another process' by now")
  }

  /// Errands and jobs of many threads: one after the other, each thread's in its order, none lost.
  @Test func errandsAndTheOwnThreadTakeTurns() async {
    let log = Log()
    let worker = SerialWorker<Int>(queue: ThreadQueue(label: "worker")) { jobs, _ in
      log.take(jobs)
    }
    await onThread {
      DispatchQueue.concurrentPerform(iterations: 4) { thread in
        for number in 0..<2_000 {
          let job = thread << 32 | number
          switch number % 3 {
          case 0: worker.submit(job)
          case 1: worker.submitAsErrand(job)?.run()
          default: worker.submitAsErrand(job)?.handOver()
          }
        }
      }
      worker.finish()
    }
    let done = log.done
    #expect(done.count == 8_000 && !log.hasClashed.load(ordering: .relaxed))
    for thread in 0..<4 {
      let own = done.filter { $0 >> 32 == thread }
      #expect(own == own.sorted() && Set(own).count == 2_000)
    }
  }
}

/// Keeps closures until it is told to run them.
final class KeptWork: Sendable, WorkQueue {
  private let kept = Mutex<[@Sendable () -> Void]>([])

  var count: Int { kept.withLock { $0.count } }
  func async(_ work: @escaping @Sendable () -> Void) { kept.withLock { $0.append(work) } }
  func run(_ work: () -> Void) { work() }
  func end(_ work: () -> Void) { work() }
  func run() {
    let works = kept.withLock { kept in
      defer { kept = [] }
      return kept
    }
    for work in works { work() }
  }
}
