import CCrypt
import Cluster
import Dispatch
import Foundation
import GRPCServer
import Synchronization

/// Hashes and checks passwords by bcrypt, which takes long on purpose: on threads of its own, and for a few
/// callers at a time.
final class Passwords: Sendable {
  /// Those who wait for a thread; more are refused.
  private static let waiting = 100
  /// bcrypt looks at no more bytes than this.
  static let longest = 72

  private let cost: Int
  private let queues = [
    DispatchQueue(label: "configsync.passwords.0"), DispatchQueue(label: "configsync.passwords.1"),
  ]
  private let asked = Mutex((total: 0, waiting: 0))

  /// - Parameter cost: the binary logarithm of the rounds, 4 to 31 (`--bcrypt-cost`).
  init(cost: Int) { self.cost = cost }

  /// - Throws: `GRPCStatus` for a password that bcrypt can't tell apart from others;
  ///   `ClusterError.overloaded`.
  func hash(_ password: String) async throws -> String {
    guard password.utf8.count <= Passwords.longest, !password.utf8.contains(0) else {
      throw GRPCStatus(
        .invalidArgument,
        "etcdserver: a password is at most \(Passwords.longest) bytes and holds no zero byte")
    }
    let cost = cost
    let hash = try await onThread { Passwords.crypt(password, salt: Passwords.salt(cost: cost)) }
    guard let hash else { throw GRPCStatus(.internalError, "etcdserver: bcrypt has failed") }
    return hash
  }

  /// Whether it is the password of the hash. That takes as long without a hash, so that nobody finds out by
  /// the time which users there are.
  ///
  /// - Throws: `ClusterError.overloaded`.
  func matches(_ password: String, _ hash: String?) async throws -> Bool {
    let cost = cost
    return try await onThread {
      guard let salt = hash ?? Passwords.salt(cost: cost),
        let found = Passwords.crypt(password, salt: salt), let hash
      else { return false }
      guard password.utf8.count <= Passwords.longest, !password.utf8.contains(0) else {
        return false
      }
      return Passwords.isEqual(found, hash)
    }
  }

  private func onThread<Value: Sendable>(
    _ body: @escaping @Sendable () -> Value
  ) async throws -> Value {
    let queue = asked.withLock { asked -> DispatchQueue? in
      guard asked.waiting < Passwords.waiting else { return nil }
      asked.total += 1
      asked.waiting += 1
      return queues[asked.total % queues.count]
    }
    guard let queue else { throw ClusterError.overloaded }
    defer { asked.withLock { $0.waiting -= 1 } }
    return await withCheckedContinuation { continuation in
      queue.async { continuation.resume(returning: body()) }
    }
  }

  private static func salt(cost: Int) -> String? {
    let size = Int(CRYPT_GENSALT_OUTPUT_SIZE)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: size) { output in
      // Without random bytes of ours it takes the system's.
      crypt_gensalt_rn("$2b$", UInt(cost), nil, 0, output.baseAddress, Int32(size))
        .map { String(cString: $0) }
    }
  }

  /// nil if the salt is none.
  private static func crypt(_ password: String, salt: String?) -> String? {
    guard let salt else { return nil }
    return withUnsafeTemporaryAllocation(of: crypt_data.self, capacity: 1) { data -> String? in
      guard let data = data.baseAddress else { return nil }
      memset(data, 0, MemoryLayout<crypt_data>.size)
      guard
        let found = crypt_rn(password, salt, data, Int32(MemoryLayout<crypt_data>.size))
      else { return nil }
      return String(cString: found)
    }
  }

  /// In a time that depends on the lengths alone.
  private static func isEqual(_ left: String, _ right: String) -> Bool {
    guard left.utf8.count == right.utf8.count else { return false }
    return zip(left.utf8, right.utf8).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
  }
}
