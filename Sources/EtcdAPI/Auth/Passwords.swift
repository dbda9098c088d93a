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
  /// Whoever is known already does not wait for strangers who try to log in.
  private let logins = Lane(queue: DispatchQueue(label: "configsync.logins"))
  private let changes = Lane(queue: DispatchQueue(label: "configsync.passwords"))

  private final class Lane: Sendable {
    let queue: DispatchQueue
    let waiting = Mutex(0)
    init(queue: DispatchQueue) { self.queue = queue }
  }

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
    let hash = try await onThread(of: changes) {
      Passwords.crypt(password, salt: Passwords.salt(cost: cost))
    }
    guard let hash else { throw GRPCStatus(.internalError, "etcdserver: bcrypt has failed") }
    return hash
  }

  /// Whether it is the password of the hash. That takes as long without a hash, so that nobody finds out by
  /// the time which users there are.
  ///
  /// - Parameter decoy: a hash that is checked in vain if there is none.
  /// - Throws: `ClusterError.overloaded`.
  func matches(_ password: String, _ hash: String?, decoy: String?) async throws -> Bool {
    let cost = cost
    return try await onThread(of: logins) {
      guard let salt = hash ?? decoy ?? Passwords.salt(cost: cost),
        let found = Passwords.crypt(password, salt: salt), let hash
      else { return false }
      guard password.utf8.count <= Passwords.longest, !password.utf8.contains(0) else {
        return false
      }
      return Passwords.isEqual(found, hash)
    }
  }

  private func onThread<Value: Sendable>(
    of lane: Lane, _ body: @escaping @Sendable () -> Value
  ) async throws -> Value {
    let mayWait = lane.waiting.withLock { waiting in
      guard waiting < Passwords.waiting else { return false }
      waiting += 1
      return true
    }
    guard mayWait else { throw ClusterError.overloaded }
    defer { lane.waiting.withLock { $0 -= 1 } }
    return await withCheckedContinuation { continuation in
      lane.queue.async { continuation.resume(returning: body()) }
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
