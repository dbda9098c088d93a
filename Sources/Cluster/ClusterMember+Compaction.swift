package import Store

extension ClusterMember {
  /// Makes `revision` the oldest that can be read.
  ///
  /// - Parameter waitsForRemoval: returns only once this member has removed what nobody may ask for
  ///   any more.
  /// - Returns: the store's revision.
  /// - Throws: `ClusterError`; `StoreError.compacted` or `.futureRevision`.
  package func compact(at revision: Revision, waitsForRemoval: Bool) async throws -> Revision {
    let outcome = try await propose(.compact(revision))
    _ = try outcome.result.get()
    guard waitsForRemoval else { return outcome.revision }
    while store.isCompacting {
      try await environment.clock.sleep(for: configuration.heartbeatInterval)
    }
    return outcome.revision
  }
}
