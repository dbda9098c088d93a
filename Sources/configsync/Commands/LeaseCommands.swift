import ArgumentParser
import ConfigSyncClient
import Foundation

struct LeaseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lease", abstract: "Grant, show and end leases.",
    discussion: """
      Keys that hang on a lease live as long as somebody renews it.
      """,
    subcommands: [Grant.self, Revoke.self, List.self, Show.self, KeepAlive.self])

  struct Grant: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Grant a lease.",
      discussion: """
        Example:
          configsync lease grant 60
        """)
    @Argument(help: "Seconds that it lives without a renewal.") var seconds: Int64
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let wanted = seconds
      let (id, seconds) = try await cluster.withClient { try await $0.grantLease(seconds: wanted) }
      print("lease \(hex(id)) of \(seconds) s")
    }
  }

  struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "End a lease, and delete its keys.",
      discussion: """
        Example:
          configsync lease revoke 3f2a9c5e
        """)
    @Argument(help: "The lease's id, in hexadecimal.") var id: String
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let id = try leaseID(id)
      try await cluster.withClient { try await $0.revokeLease(id) }
      print("revoked \(hex(id))")
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the leases.",
      discussion: """
        Example:
          configsync lease list
        """)
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      for id in try await cluster.withClient({ try await $0.leases() }) { print(hex(id)) }
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print what is left of a lease, and its keys.",
      discussion: """
        Exit code 1: there is no such lease.

        Example:
          configsync lease show 3f2a9c5e
        """)
    @Argument(help: "The lease's id, in hexadecimal.") var id: String
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let id = try leaseID(id)
      guard let lease = try await cluster.withClient({ try await $0.lease(id) }) else {
        throw CommandFailure(.no, "there is no lease \(hex(id))")
      }
      print("\(lease.left) s left of \(lease.granted) s")
      for key in lease.keys { print(printableLine(key)) }
    }
  }

  struct KeepAlive: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "keep-alive", abstract: "Renew a lease for as long as this runs.",
      discussion: """
        Exit code 1: the lease has ended.

        Example:
          configsync lease keep-alive 3f2a9c5e
        """)
    @Argument(help: "The lease's id, in hexadecimal.") var id: String
    @OptionGroup var cluster: ClusterOptions

    func run() async throws {
      let id = try leaseID(id)
      try await cluster.withClient { client in
        while true {
          guard let seconds = try await client.renewLease(id) else {
            throw CommandFailure(.no, "lease \(hex(id)) has ended")
          }
          print("renewed for \(seconds) s")
          try await Task.sleep(for: .seconds(max(1, seconds / 3)))
        }
      }
    }
  }
}

struct LockCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lock", abstract: "Run a program while holding a lock.",
    discussion: """
      Waits until nobody else holds it. The lock is given up when the program ends, and lost if this
      can't renew its lease: then the program is ended too. Exits as the program does.

      Example:
        configsync lock nightly -- ./backup.sh
      """)
  @Argument(help: "The lock's name.") var name: String
  @Argument(parsing: .postTerminator, help: "The program and its arguments.")
  var program: [String]
  @Option(help: "Seconds after which the lock is free if this dies.") var ttl: Int64 = 10
  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    guard !program.isEmpty else { throw ValidationError("give a program after --") }
    let (name, program, ttl) = (name, program, ttl)
    let status = try await cluster.withClient { client in
      let lease = try await client.grantLease(seconds: ttl)
      return try await holding(lease, client) {
        _ = try await client.lock(name, lease: lease.id)
        return try await runProgram(program)
      }
    }
    if status != 0 { Foundation.exit(status) }
  }

  /// Renews the lease while `body` runs, cancels that if it is lost, and ends the lease afterwards.
  private func holding(
    _ lease: (id: Int64, seconds: Int64), _ client: ConfigClient,
    _ body: @escaping @Sendable () async throws -> Int32
  ) async throws -> Int32 {
    let result = await Task { () async throws -> Int32 in
      try await withThrowingTaskGroup(of: Int32.self) { group in
        group.addTask { try await body() }
        group.addTask { () async throws -> Int32 in
          while true {
            try await Task.sleep(for: .seconds(max(1, lease.seconds / 3)))
            guard try await client.renewLease(lease.id) != nil else {
              throw CommandFailure(.no, "the lock is lost: its lease has ended")
            }
          }
        }
        defer { group.cancelAll() }
        guard let status = try await group.next() else { return 0 }
        return status
      }
    }.result
    // What can't be revoked ends by itself.
    try? await client.revokeLease(lease.id)
    return try result.get()
  }
}

/// Runs a program of the path with this one's terminal; ends it if the task is cancelled.
private func runProgram(_ program: [String]) async throws -> Int32 {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = program
  let (ends, end) = AsyncStream.makeStream(of: Int32.self)
  process.terminationHandler = { process in
    let status = process.terminationStatus
    end.yield(process.terminationReason == .exit ? status : 128 + status)
    end.finish()
  }
  try process.run()
  let id = process.processIdentifier
  return await withTaskCancellationHandler {
    var status: Int32 = 0
    for await code in ends { status = code }
    return status
  } onCancel: {
    kill(id, SIGTERM)
  }
}

private func hex(_ id: Int64) -> String { String(UInt64(bitPattern: id), radix: 16) }

private func leaseID(_ text: String) throws -> Int64 {
  guard let id = UInt64(text, radix: 16) else {
    throw ValidationError("'\(text)' is no hexadecimal id of a lease")
  }
  return Int64(bitPattern: id)
}
