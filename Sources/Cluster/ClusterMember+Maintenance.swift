package import Store
import Synchronization

extension ClusterMember {
  /// Makes `revision` the oldest that can be read.
  ///
  /// - Parameter waitsForRemoval: returns only once this member has removed what nobody may ask for
  ///   any more.
  /// - Returns: the store's revision.
  /// - Throws: `ClusterError`; `StoreError.compacted` or `.futureRevision`.
  package func compact(
    at revision: Revision, waitsForRemoval: Bool, for caller: Caller = .cluster
  ) async throws -> Revision {
    let outcome = try await propose(.compact(revision), for: caller)
    _ = try outcome.result.get()
    guard waitsForRemoval else { return outcome.revision }
    for _ in 0..<configuration.requestTicks where store.isCompacting {
      try await environment.clock.sleep(for: configuration.heartbeatInterval)
    }
    return outcome.revision
  }

  /// Raises or clears an alarm; false if it was so already.
  package func changeAlarm(
    _ change: AlarmChange, for caller: Caller = .cluster
  ) async throws -> Bool {
    let outcome = try await propose(.alarm(change), for: caller)
    return try outcome.result.get() == .done
  }

  /// Reads the whole database on a thread of its own, so that nobody else waits for that; a few at a
  /// time.
  ///
  /// - Throws: `ClusterError.overloaded` if too many are under way; what `body` throws.
  package func readingWhole<Value: Sendable>(
    _ body: @escaping @Sendable (KeyValueStore) throws -> Value
  ) async throws -> Value {
    try beginWholeRead()
    defer { wholeReads.withLock { $0 -= 1 } }
    let queue = environment.makeQueue("configsync.whole")
    return try await withCheckedThrowingContinuation { continuation in
      queue.async { [store] in
        continuation.resume(with: Result { try body(store) })
      }
    }
  }

  /// Keeps a snapshot file while `body` sends it.
  ///
  /// - Throws: `ClusterError.overloaded` if too many are under way.
  package func withSnapshotFile(
    _ body: (_ path: String, StorePosition) async throws -> Void
  ) async throws {
    let path = store.outgoingPath(to: id)
    try beginWholeRead()
    defer {
      store.removeSnapshot(at: path)
      wholeReads.withLock { $0 -= 1 }
    }
    let position = try await readingWhole { try $0.writeSnapshot(to: path) }
    try await body(path, position)
  }

  private func beginWholeRead() throws(ClusterError) {
    let mayBegin = wholeReads.withLock { count in
      guard count < configuration.limits.wholeReads else { return false }
      count += 1
      return true
    }
    if !mayBegin { throw .overloaded }
  }

  /// Gives free pages of this member's database back; nothing is applied meanwhile.
  ///
  /// - Throws: SQLite's error; `ClusterError.stopped`.
  package func defragment() async throws {
    guard let submit = applyJobs.withLock({ $0 }) else { throw ClusterError.stopped }
    try await withCheckedThrowingContinuation { continuation in
      submit(.defragment { continuation.resume(with: $0) })
    }
  }
}
