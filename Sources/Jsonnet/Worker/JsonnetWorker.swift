import CJsonnet
import Glibc

/// The evaluator's side: a process that does nothing but evaluate, within limits that the kernel keeps.
public final class JsonnetWorker {
  /// The argument by which the program becomes an evaluator.
  public static let argument = "jsonnet-worker"

  private let channel = WorkerChannel(descriptor: STDIN_FILENO)
  private var machine: OpaquePointer?
  /// The other end is gone, or speaks another language.
  private var isBroken = false

  /// Evaluates what comes on the standard input, a socket, until it ends.
  public static func run() {
    // A program that runs on when nobody waits for it would run for minutes.
    guard configsync_die_with_parent() == 0, getppid() != 1 else { return }
    limit(RLIMIT_AS, UInt(JsonnetLimits.memoryBytes))
    limit(RLIMIT_CPU, UInt(JsonnetLimits.totalSeconds))
    limit(RLIMIT_CORE, 0)
    limit(RLIMIT_FSIZE, 0)
    limit(RLIMIT_NOFILE, 3)
    JsonnetWorker().serve()
  }

  private static func limit(_ resource: __rlimit_resource, _ value: UInt) {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0 else { exit(3) }
    // A limit that is lower already stays: none but root may raise it.
    limit.rlim_max = min(limit.rlim_max, rlim_t(value))
    limit.rlim_cur = limit.rlim_max
    guard setrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0 else { exit(3) }
  }

  private func serve() {
    do {
      while !isBroken {
        let message = try channel.receive(by: nil)
        guard message.kind == .evaluate, message.fields.count >= 2 else { return }
        try channel.send(evaluate(message.fields), by: nil)
      }
    } catch {
      // The other end is done, or gone: there is nobody to tell.
    }
  }

  private func evaluate(_ fields: [[UInt8]]) -> WorkerMessage {
    guard let machine = jsonnet_make() else {
      return WorkerMessage(kind: .failure, fields: [Array("no memory".utf8)])
    }
    self.machine = machine
    defer { jsonnet_destroy(machine) }
    jsonnet_max_stack(machine, UInt32(JsonnetLimits.stack))
    for place in stride(from: 2, to: fields.count - 1, by: 2) {
      JsonnetWorker.withText(fields[place]) { name in
        JsonnetWorker.withText(fields[place + 1]) { jsonnet_ext_var(machine, name, $0) }
      }
    }
    jsonnet_import_callback(
      machine,
      { owner, folder, path, found, succeeded in
        guard let owner, let folder, let path else { return nil }
        let worker = Unmanaged<JsonnetWorker>.fromOpaque(owner).takeUnretainedValue()
        let (text, isFound) = worker.load(
          JsonnetWorker.bytes(folder), JsonnetWorker.bytes(path), found)
        succeeded?.pointee = isFound ? 1 : 0
        return text
      }, Unmanaged.passUnretained(self).toOpaque())
    var failed: Int32 = 0
    let output = JsonnetWorker.withText(fields[0]) { name in
      JsonnetWorker.withText(fields[1]) { jsonnet_evaluate_snippet(machine, name, $0, &failed) }
    }
    guard let output else { return WorkerMessage(kind: .failure, fields: [[]]) }
    defer { jsonnet_realloc(machine, output, 0) }
    let bytes = UnsafeRawBufferPointer(start: output, count: strlen(output))
    return WorkerMessage(kind: failed == 0 ? .value : .failure, fields: [Array(bytes)])
  }

  /// - Precondition: there is no NUL in the bytes.
  private static func withText<Result>(
    _ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> Result
  ) -> Result {
    (bytes + [0]).withUnsafeBytes { buffer in
      body(buffer.assumingMemoryBound(to: CChar.self).baseAddress!)
    }
  }

  // MARK: - Imports

  /// The answer to an import: what is found, and by which path it is known.
  private func load(
    _ folder: [UInt8], _ path: [UInt8], _ found: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
  ) -> (text: UnsafeMutablePointer<CChar>?, isFound: Bool) {
    var answer = WorkerMessage(kind: .missing, fields: [Array("the compiler is gone".utf8)])
    do {
      try channel.send(WorkerMessage(kind: .imports, fields: [folder, path]), by: nil)
      answer = try channel.receive(by: nil)
    } catch {
      isBroken = true
    }
    guard answer.kind == .found, answer.fields.count == 2 else {
      return (copy(answer.fields.first ?? []), false)
    }
    found?.pointee = copy(answer.fields[0])
    return (copy(answer.fields[1]), true)
  }

  private static func bytes(_ text: UnsafePointer<CChar>) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: text, count: strlen(text)))
  }

  /// The bytes where the library frees them.
  private func copy(_ bytes: [UInt8]) -> UnsafeMutablePointer<CChar>? {
    let copy = jsonnet_realloc(machine, nil, bytes.count + 1)
    guard let copy else { return nil }
    UnsafeMutableRawPointer(copy).copyMemory(from: bytes + [0], byteCount: bytes.count + 1)
    return copy
  }
}
