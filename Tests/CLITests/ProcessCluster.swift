import ConfigSyncClient
import Foundation
import Synchronization
import TestSupport

/// The program as a user runs it: beside the test bundle.
let configsyncProgram: String = {
  let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
  return bundle.appendingPathComponent("configsync").path
}()

/// Members in processes of their own, each ended by its id.
final class ProcessCluster: Sendable {
  struct Address {
    var peer: String
    var client: String
  }

  /// How long a command is tried again that the cluster may refuse for a moment: however busy the
  /// machine is, far longer than that.
  private static let patience = Duration.seconds(120)

  private let folder: TemporaryFolder
  private let addresses: [String: Address]
  private let processes = Mutex<[String: Process]>([:])

  init(_ names: [String]) throws {
    folder = try TemporaryFolder()
    let ports = try freePorts(names.count * 2)
    var addresses: [String: Address] = [:]
    for (place, name) in names.enumerated() {
      addresses[name] = Address(
        peer: "http://127.0.0.1:\(ports[2 * place])",
        client: "http://127.0.0.1:\(ports[2 * place + 1])")
    }
    self.addresses = addresses
  }

  deinit {
    let running = processes.withLock { Array($0.values) }
    for process in running { ProcessCluster.end(process) }
  }

  /// Where clients reach the members that were named, whether they run or not.
  var endpoints: [String] { addresses.keys.sorted().map { client($0) } }
  var running: [String] { processes.withLock { $0.keys.sorted() } }

  func peer(_ name: String) -> String { addresses[name]?.peer ?? "" }
  func client(_ name: String) -> String { addresses[name]?.client ?? "" }

  /// Starts a member; `others` are those of a cluster that it joins.
  func start(
    _ name: String, joining others: [String] = [], _ more: [String] = []
  ) throws {
    let roster = (others + [name]).map { "\($0)=\(peer($0))" }.joined(separator: ",")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: configsyncProgram)
    process.arguments =
      [
        "server", "--name", name, "--data-dir", folder.path + "/" + name,
        "--listen-client-urls", client(name), "--listen-peer-urls", peer(name),
        "--initial-cluster", roster, "--initial-cluster-state", others.isEmpty ? "new" : "existing",
        "--snapshot-count", "200", "--heartbeat-interval", "50", "--election-timeout", "500",
      ] + more
    let log = folder.path + "/" + name + ".log"
    try Data().write(to: URL(fileURLWithPath: log))
    process.standardOutput = FileHandle(forWritingAtPath: log)
    process.standardError = process.standardOutput
    try process.run()
    processes.withLock { $0[name] = process }
  }

  /// Ends a member's process without a word to it.
  func kill(_ name: String) {
    guard let process = processes.withLock({ $0.removeValue(forKey: name) }) else { return }
    ProcessCluster.end(process)
  }

  /// Waits until a member has ended its own process; nil if it never does.
  func awaitEnd(_ name: String) async throws -> Int32? {
    guard let process = processes.withLock({ $0[name] }) else { return nil }
    let deadline = ContinuousClock.now + ProcessCluster.patience
    while process.isRunning {
      guard ContinuousClock.now < deadline else { return nil }
      // Something that takes a moment, and belongs to the test: the others still serve.
      try await command("member", "list", to: running.filter { $0 != name })
    }
    processes.withLock { $0[name] = nil }
    return process.terminationStatus
  }

  private static func end(_ process: Process) {
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// Runs the program until it succeeds: what a member is still catching up with, or a cluster is
  /// still electing, is refused for a while.
  ///
  /// - Parameter done: what a repetition says if the attempt before has taken effect all the same.
  @discardableResult
  func command(
    _ arguments: String..., to names: [String]? = nil, orUntil done: String? = nil
  ) async throws -> String {
    let urls = (names ?? running).map { client($0) }.joined(separator: ",")
    return try await repeating(configsyncProgram, arguments + ["--endpoints", urls], orUntil: done)
  }

  @discardableResult
  func etcdctl(_ arguments: String..., orUntil done: String? = nil) async throws -> String {
    let urls = running.map { client($0) }.joined(separator: ",")
    return try await repeating("etcdctl", ["--endpoints", urls] + arguments, orUntil: done)
  }

  private func repeating(
    _ program: String, _ arguments: [String], orUntil done: String?
  ) async throws -> String {
    try await onThread {
      Swift.Result {
        var answers: [String] = []
        let deadline = ContinuousClock.now + ProcessCluster.patience
        while ContinuousClock.now < deadline {
          let (status, output) = try execute(
            program, arguments, environment: ["NO_COLOR": "1", "ETCDCTL_API": "3"])
          if status == 0 { return output }
          if let done, !answers.isEmpty, output.contains(done) { return output }
          if answers.last != output { answers.append(output) }
        }
        throw CommandError(arguments: arguments, output: answers.joined())
      }
    }.get()
  }

  /// What a member has written to its log, for a failure's report.
  func log(of name: String) -> String {
    (try? String(contentsOfFile: folder.path + "/" + name + ".log", encoding: .utf8)) ?? ""
  }
}

/// Writes one key after the other, and remembers which writes were acknowledged.
final class Load: Sendable {
  private struct State {
    var acknowledged: [Int] = []
    var isOver = false
    var waiting: [(count: Int, waiter: CheckedContinuation<Void, Never>)] = []
  }

  private let state = Mutex(State())

  static func key(_ number: Int) -> [UInt8] { Array("/load/\(number)".utf8) }
  static func value(_ number: Int) -> [UInt8] { Array("value \(number)".utf8) }

  var acknowledged: [Int] { state.withLock { $0.acknowledged } }

  /// Ends once `stop` was called; whoever waits for more goes on then.
  func run(_ endpoints: [String]) async throws {
    defer { end() }
    try await withConfigClient(endpoints: endpoints) { client in
      var number = 0
      while !state.withLock({ $0.isOver }) {
        number += 1
        do {
          _ = try await client.put(Load.key(number), Load.value(number))
        } catch is ClientError {
          // Refused, or an outcome that nobody knows: it was not acknowledged.
          continue
        }
        note(number)
      }
    }
  }

  private func end() {
    let waiting = state.withLock { state in
      state.isOver = true
      defer { state.waiting = [] }
      return state.waiting
    }
    for (_, waiter) in waiting { waiter.resume() }
  }

  private func note(_ number: Int) {
    let due = state.withLock { state in
      state.acknowledged.append(number)
      let count = state.acknowledged.count
      defer { state.waiting.removeAll { $0.count <= count } }
      return state.waiting.filter { $0.count <= count }
    }
    for (_, waiter) in due { waiter.resume() }
  }

  func stop() { state.withLock { $0.isOver = true } }

  /// Waits for that many acknowledged writes more.
  func goesOn(_ more: Int = 25) async {
    await withCheckedContinuation { waiter in
      let isOver = state.withLock { state in
        if !state.isOver { state.waiting.append((state.acknowledged.count + more, waiter)) }
        return state.isOver
      }
      if isOver { waiter.resume() }
    }
  }
}
