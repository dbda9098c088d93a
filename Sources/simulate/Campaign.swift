import Foundation
import Simulator
import Synchronization

/// What a worker said of one seed.
struct SeedReport: Sendable {
  var seed: UInt64
  var trace: String
  var events: Int
  var simulatedSeconds: Int
  var answered: Int
  var coverage: [String: Int]
  var failure: String?

  /// From a line `end SEED TRACE EVENTS SECONDS ANSWERED COVERAGE WORDS…`.
  init?(line: Substring) {
    let words = line.split(separator: " ", maxSplits: 7)
    guard words.count == 8, words[0] == "end", let seed = UInt64(words[1]),
      let events = Int(words[3]), let seconds = Int(words[4]), let answered = Int(words[5])
    else { return nil }
    self.seed = seed
    trace = String(words[2])
    self.events = events
    simulatedSeconds = seconds
    self.answered = answered
    coverage = [:]
    for part in words[6].split(separator: ",") {
      let pair = part.split(separator: "=")
      if pair.count == 2, let number = Int(pair[1]) { coverage[String(pair[0])] = number }
    }
    failure = words[7] == "ok" ? nil : String(words[7])
  }
}

/// One run of this program as a worker.
struct WorkerProcess {
  var first: UInt64
  var count: UInt64
  var stride: UInt64
  var without: Set<Fault>
  var events: Int

  /// Runs the worker, and gives each line to `report`; a process that dies in a seed is a failure of
  /// that seed.
  ///
  /// - Parameter started: is given the process, so that it can be ended.
  /// - Returns: the seed in which it died, and how.
  func run(
    started: (Process) -> Void = { _ in }, _ report: (SeedReport) -> Bool
  ) -> (seed: UInt64, reason: String)? {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    process.arguments = [
      "worker", "--first", "\(first)", "--seeds", "\(count)", "--stride", "\(stride)",
      "--without", without.map(\.rawValue).sorted().joined(separator: ","),
      "--events", "\(events)",
    ]
    // A trap must not spend a minute on a stack trace.
    var environment = ProcessInfo.processInfo.environment
    environment["SWIFT_BACKTRACE"] = "enable=no"
    process.environment = environment
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    do { try process.run() } catch { return (first, "the worker can't start: \(error)") }
    started(process)
    var current: UInt64?
    var rest = Data()
    var isStopped = false
    while true {
      let chunk = output.fileHandleForReading.availableData
      if chunk.isEmpty { break }
      rest += chunk
      while let end = rest.firstIndex(of: 10) {
        let line = String(decoding: rest[..<end], as: UTF8.self)
        rest = rest[(end + 1)...]
        if line.hasPrefix("begin ") { current = UInt64(line.dropFirst(6)) }
        guard let found = SeedReport(line: line[...]) else { continue }
        current = nil
        if !isStopped, !report(found) {
          isStopped = true
          process.kill()
        }
      }
    }
    process.waitUntilExit()
    if isStopped || process.terminationStatus == 0 && current == nil { return nil }
    let text = String(decoding: errors.fileHandleForReading.availableData, as: UTF8.self)
    let last = text.split(separator: "\n").first { $0.contains("rror:") } ?? "no word"
    return (current ?? first, "the process ends (\(process.terminationStatus)): \(last)")
  }
}

extension Process {
  /// A worker inherits the signals that the thread blocks: only this one surely ends it.
  fileprivate func kill() {
    if isRunning { Foundation.kill(processIdentifier, SIGKILL) }
  }
}

/// Many seeds, in several processes.
struct Campaign {
  struct Failure {
    var seed: UInt64
    var reason: String
  }

  struct Outcome {
    var reports: [SeedReport] = []
    var failures: [Failure] = []
    var repeated = 0
    var seconds = 0.0
    fileprivate var workers: [Process] = []

    var summary: String {
      let simulated = reports.reduce(0) { $0 + $1.simulatedSeconds }
      let events = reports.reduce(0) { $0 + $1.events }
      let answered = reports.reduce(0) { $0 + $1.answered }
      var coverage: [String: Int] = [:]
      for report in reports { coverage.merge(report.coverage, uniquingKeysWith: +) }
      let counts = coverage.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
      return """
        \(reports.count) seeds, \(failures.count) failed; \(repeated) ran twice with one trace
        \(simulated / 3600) h \(simulated / 60 % 60) min simulated in \(Int(seconds)) s; \
        \(events) events, \(answered) requests answered
        \(counts.joined(separator: ", "))
        """
    }
  }

  var first: UInt64
  var count: UInt64
  var jobs: Int
  var twice: UInt64
  var without: Set<Fault>
  var events: Int
  var maximumFailures: Int
  var isVerbose: Bool

  func run() -> Outcome {
    let start = ContinuousClock.now
    let outcome = Mutex(Outcome())
    let group = DispatchGroup()
    for job in 0..<jobs {
      DispatchQueue.global().async(group: group) {
        work(first: first + UInt64(job), stride: UInt64(jobs), outcome: outcome)
      }
    }
    group.wait()
    return outcome.withLock { outcome in
      outcome.seconds = (ContinuousClock.now - start) / .seconds(1)
      outcome.failures.sort { $0.seed < $1.seed }
      return outcome
    }
  }

  private func work(first: UInt64, stride: UInt64, outcome: borrowing Mutex<Outcome>) {
    var next = first
    let end = self.first + count
    while next < end {
      let worker = WorkerProcess(
        first: next, count: (end - next + stride - 1) / stride, stride: stride, without: without,
        events: events)
      let death = supervise(worker, outcome) { report in
        next = report.seed + stride
        return take(report, outcome)
      }
      guard let death else { return }
      next = death.seed + stride
      let goesOn = outcome.withLock { outcome in
        guard outcome.failures.count < maximumFailures else { return false }
        return note(Failure(seed: death.seed, reason: death.reason), in: &outcome)
      }
      if !goesOn { return }
    }
  }

  /// Runs a worker that is ended with the campaign.
  private func supervise(
    _ worker: WorkerProcess, _ outcome: borrowing Mutex<Outcome>, _ report: (SeedReport) -> Bool
  ) -> (seed: UInt64, reason: String)? {
    defer { outcome.withLock { $0.workers.removeAll { !$0.isRunning } } }
    return worker.run(
      started: { process in
        outcome.withLock { outcome in
          outcome.workers.append(process)
          // It came too late to be ended with the others.
          if outcome.failures.count >= maximumFailures { process.kill() }
        }
      }, report)
  }

  /// False once enough has failed: then nobody waits for a seed that may never end.
  private func note(_ failure: Failure, in outcome: inout Outcome) -> Bool {
    outcome.failures.append(failure)
    guard outcome.failures.count >= maximumFailures else { return true }
    for worker in outcome.workers { worker.kill() }
    return false
  }

  /// False once enough has failed.
  private func take(_ report: SeedReport, _ outcome: borrowing Mutex<Outcome>) -> Bool {
    if isVerbose {
      print("seed \(report.seed): \(report.events) events, \(report.failure ?? "ok")")
    }
    var other: String?
    let repeats = twice > 0 && report.seed % twice == 0 && report.failure == nil
    if repeats {
      let again = WorkerProcess(
        first: report.seed, count: 1, stride: 1, without: without, events: events)
      var trace: String?
      let death = supervise(again, outcome) { found in
        trace = found.trace
        return true
      }
      if trace != report.trace { other = trace ?? death?.reason ?? "nothing at all" }
    }
    return outcome.withLock { outcome in
      outcome.reports.append(report)
      if repeats { outcome.repeated += 1 }
      guard outcome.failures.count < maximumFailures else { return false }
      if let failure = report.failure {
        return note(Failure(seed: report.seed, reason: failure), in: &outcome)
      }
      guard let other else { return true }
      let reason = "two runs differ: \(report.trace) and \(other)"
      return note(Failure(seed: report.seed, reason: reason), in: &outcome)
    }
  }
}

/// Makes a failing seed smaller: fewer classes of faults, then fewer events.
struct Shrinking {
  var seed: UInt64
  var without: Set<Fault>
  var events: Int

  func run() -> (reason: String, command: String) {
    var without = without
    var reason = failure(without, events) ?? (text: "it does not fail again", events: 0)
    if let walk = reason.text.firstMatch(of: /: walk ([0-9]+),/)?.output.1 {
      // A walk is one of the core alone: no fault of the cluster makes it smaller.
      return (reason.text, "simulate walk --first \(seed) --number \(walk)")
    }
    for fault in Fault.allCases where !without.contains(fault) {
      guard SimulationOptions(seed: seed, without: without).faults.contains(fault) else { continue }
      if let found = failure(without.union([fault]), events) {
        without.insert(fault)
        reason = found
      }
    }
    // Where it fails while faults go on, it does so at a certain event; stop there.
    let limit = reason.events
    if limit > 0, let found = failure(without, limit) {
      return (found.text, command(without, limit))
    }
    return (reason.text, command(without, events))
  }

  private func failure(_ without: Set<Fault>, _ events: Int) -> (text: String, events: Int)? {
    var found: (text: String, events: Int)?
    let worker = WorkerProcess(
      first: seed, count: 1, stride: 1, without: without, events: events)
    let death = worker.run { report in
      if let failure = report.failure { found = (failure, report.events) }
      return true
    }
    return found ?? death.map { ($0.reason, 0) }
  }

  private func command(_ without: Set<Fault>, _ events: Int) -> String {
    var command = "simulate --first \(seed) --seeds 1 --twice 0"
    let names = without.map(\.rawValue).sorted().joined(separator: ",")
    if !names.isEmpty { command += " --without \(names)" }
    if events != .max { command += " --events \(events)" }
    return command
  }
}
