import Foundation

/// Runs work that takes long on a thread of its own, so that it holds none of the few that all
/// asynchronous tests share: those of other suites wait for answers meanwhile.
public func onThread<Result: Sendable>(
  _ work: @escaping @Sendable () -> Result
) async -> Result {
  await withCheckedContinuation { continuation in
    let thread = Thread { continuation.resume(returning: work()) }
    thread.stackSize = 8 << 20
    thread.start()
  }
}

/// Runs a program on a thread of its own: what this process serves it needs the threads of the others.
public func executeOnThread(
  _ program: String, _ arguments: [String], input: String = ""
) async throws -> (status: Int32, output: String) {
  try await onThread { Result { try execute(program, arguments, input: input) } }.get()
}

extension Duration {
  /// How long a test waits for an answer that has to come. The tests of a process share two threads: where one waits,
  /// its answer may stand behind all the others when it is there.
  public static let patience = Duration.seconds(300)
}
