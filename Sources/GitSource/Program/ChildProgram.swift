import Foundation
import Subprocess
import SystemPackage

/// A program that runs beside this one until its deadline: Git, and what Git itself asks about signatures.
struct ChildProgram: Sendable {
  struct Outcome: Sendable {
    /// The exit code; 128 and the signal for one that was ended by a signal.
    var code: Int32
    var output: [UInt8]
    /// What it said to people.
    var errorText: String
  }

  /// Bytes that are read from either of its outputs; one that says more is ended.
  private static let outputLimit = 1 << 20

  /// What it is run for, as `can't …` goes on.
  var purpose: String
  /// Looked up in `PATH`.
  var name: String
  var arguments: [String]
  /// The whole environment but for `PATH`: nothing of this process's gets in. nil for this process's own, for what a
  /// person has asked for.
  var environment: [String: String]? = [:]
  /// A file that it reads: never a pipe, which a program that ends early would break.
  var input: String?
  var deadline: Duration

  /// Runs it, in a session of its own, and ends it with all that it has started once the deadline is over or the task
  /// is cancelled.
  ///
  /// - Throws: `GitError` if it can't be started, took too long or said too much; `CancellationError`.
  func run() async throws -> Outcome {
    try await withThrowingTaskGroup(of: Outcome?.self) { group in
      group.addTask { try await finish() }
      group.addTask {
        try await Task.sleep(for: deadline)
        return nil
      }
      defer { group.cancelAll() }
      guard let outcome = try await group.next() ?? nil else {
        throw GitError.failed(operation: purpose, reason: "it took longer than \(deadline)")
      }
      return outcome
    }
  }

  private func finish() async throws -> Outcome {
    var options = PlatformOptions()
    options.createSession = true
    options.teardownSequence = [
      .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .milliseconds(500))
    ]
    var variables: [Environment.Key: String] = [
      "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    ]
    for (name, value) in environment ?? ProcessInfo.processInfo.environment {
      guard let key = Environment.Key(rawValue: name) else { continue }
      variables[key] = value
    }
    let input: FileDescriptor
    do {
      input = try FileDescriptor.open(FilePath(self.input ?? "/dev/null"), .readOnly)
    } catch {
      throw GitError.failed(operation: "run \(name)", reason: "its input can't be read: \(error)")
    }
    do {
      let result = try await Subprocess.run(
        .name(name), arguments: Arguments(arguments), environment: .custom(variables),
        platformOptions: options,
        input: .fileDescriptor(input, closeAfterSpawningProcess: true),
        output: .bytes(limit: ChildProgram.outputLimit),
        error: .bytes(limit: ChildProgram.outputLimit))
      let code: Int32 =
        switch result.terminationStatus {
        case .exited(let code): code
        case .signaled(let signal): 128 + signal
        }
      return Outcome(
        code: code, output: result.standardOutput,
        errorText: String(decoding: result.standardError, as: UTF8.self))
    } catch let error as SubprocessError {
      try Task.checkCancellation()
      let reason =
        error.code == .executableNotFound ? "there is no program '\(name)' in PATH" : "\(error)"
      throw GitError.failed(operation: "run \(name)", reason: reason)
    }
  }
}
