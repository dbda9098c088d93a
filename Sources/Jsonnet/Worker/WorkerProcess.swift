import CJsonnet
import Glibc

/// An evaluator in a process of its own: what it does wrong ends it, and nothing else.
final class WorkerProcess {
  private let channel: WorkerChannel
  private let process: pid_t

  /// Starts the program that is running, or `configsync` beside it, as an evaluator.
  ///
  /// - Throws: `JsonnetFailure` if it can't be started.
  init() throws(JsonnetFailure) {
    guard let program = WorkerProcess.program() else {
      throw WorkerProcess.unavailable("the program 'configsync' is not beside this one")
    }
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
      throw WorkerProcess.unavailable("no socket: \(String(cString: strerror(errno)))")
    }
    defer { close(ends[1]) }
    var id: pid_t = 0
    let error = WorkerProcess.spawn(program, ends[1], &id)
    guard error == 0 else {
      close(ends[0])
      throw WorkerProcess.unavailable("\(program): \(String(cString: strerror(error)))")
    }
    channel = WorkerChannel(descriptor: ends[0])
    process = id
  }

  deinit {
    close(channel.descriptor)
    kill(process, SIGKILL)
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
  }

  private static func unavailable(_ reason: String) -> JsonnetFailure {
    JsonnetFailure(
      kind: .unavailable, message: "Jsonnet can't be evaluated: \(reason)", places: [])
  }

  /// Programs of this project that are no evaluators.
  private static let others: Set<String> = ["simulate", "fuzz"]

  /// What is started; nil if it is not there.
  static func program() -> String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    guard count > 0 else { return nil }
    let own = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard let slash = own.lastIndex(of: "/") else { return nil }
    // Whatever it is called, and even if its file is gone by now, unless it is one that can't evaluate.
    let name = own[own.index(after: slash)...]
    guard name.hasSuffix(".xctest") || others.contains(String(name)) else {
      return "/proc/self/exe"
    }
    let sibling = own[...slash] + "configsync"
    return access(String(sibling), X_OK) == 0 ? String(sibling) : nil
  }

  /// With an environment that holds no secret.
  private static func spawn(_ program: String, _ end: Int32, _ id: inout pid_t) -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, end, STDIN_FILENO)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    // Nothing that this process has open is the evaluator's.
    configsync_close_from(&actions, STDERR_FILENO + 1)
    var arguments: [UnsafeMutablePointer<CChar>?] = []
    for text in ["configsync", JsonnetWorker.argument] { arguments.append(strdup(text)) }
    arguments.append(nil)
    var environment: [UnsafeMutablePointer<CChar>?] = []
    if let path = getenv("LD_LIBRARY_PATH") {
      environment.append(strdup("LD_LIBRARY_PATH=" + String(cString: path)))
    }
    environment.append(nil)
    defer { for text in arguments + environment { free(text) } }
    return posix_spawn(&id, program, &actions, nil, &arguments, &environment)
  }

  /// The answer to a program; asks `load` for what is imported.
  ///
  /// - Throws: `WorkerChannel.Failure` if there is none.
  func evaluate(
    _ program: JsonnetProgram, by deadline: ContinuousClock.Instant,
    load: (_ folder: String, _ path: String) -> JsonnetImport
  ) throws -> WorkerMessage {
    let variables = program.variables.flatMap { [Array($0.name.utf8), Array($0.value.utf8)] }
    try channel.send(
      WorkerMessage(
        kind: .evaluate, fields: [Array(program.name.utf8), program.source] + variables),
      by: deadline)
    while true {
      let message = try channel.receive(by: deadline)
      guard message.kind == .imports, message.fields.count == 2 else { return message }
      let (folder, path) = (message.fields[0], message.fields[1])
      switch load(String(decoding: folder, as: UTF8.self), String(decoding: path, as: UTF8.self)) {
      case .found(let path, let bytes):
        // The library takes texts that end at a NUL.
        let answer =
          bytes.contains(0)
          ? WorkerMessage(kind: .missing, fields: [Array("it holds a NUL character".utf8)])
          : WorkerMessage(kind: .found, fields: [Array(path.utf8), bytes])
        try channel.send(answer, by: deadline)
      case .missing(let reason):
        try channel.send(
          WorkerMessage(kind: .missing, fields: [Array(reason.utf8)]), by: deadline)
      }
    }
  }
}
