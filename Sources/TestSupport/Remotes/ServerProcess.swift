import Foundation
import Synchronization

/// A server that a test has started, ended with it, and with the test's process.
///
/// A script stands between: Foundation takes a process that closes all its descriptors, as servers do, for one that has
/// ended, and then waits for it with all others.
public final class ServerProcess: Sendable {
  private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("server_process.py").path

  private let process: Mutex<Process>
  /// It ends with this process, whatever happens, and the server with it.
  private let life: Pipe
  private let log: String

  /// Starts a program and waits until it accepts connections on a port, or has made a socket.
  ///
  /// - Throws: `CommandError` with what it has said, if it ends before.
  public init(
    _ program: String, _ arguments: [String], environment: [String: String] = [:], port: Int? = nil,
    socket: String? = nil, log: String
  ) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", ServerProcess.script, program] + arguments
    // Programs for administrators are not in everybody's path.
    let path = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
      .merging(["PATH": path]) { $1 }
    try Data().write(to: URL(fileURLWithPath: log))
    process.standardOutput = FileHandle(forWritingAtPath: log)
    process.standardError = process.standardOutput
    life = Pipe()
    // Another child would keep it open.
    _ = fcntl(life.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
    process.standardInput = life
    try process.run()
    self.process = Mutex(process)
    self.log = log
    while !isReady(port, socket) {
      guard process.isRunning else {
        throw CommandError(arguments: [program] + arguments, output: output)
      }
      usleep(10_000)
    }
  }

  deinit {
    try? life.fileHandleForWriting.close()
    process.withLock { $0.waitUntilExit() }
  }

  /// What it has said until now.
  public var output: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

  private func isReady(_ port: Int?, _ socket: String?) -> Bool {
    (port.map(isListening) ?? true) && (socket.map(FileManager.default.fileExists) ?? true)
  }

  private func isListening(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    return withLoopbackAddress(port: port) { connect(descriptor, $0, $1) } == 0
  }
}
