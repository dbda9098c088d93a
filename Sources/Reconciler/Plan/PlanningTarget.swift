import ConfigModel
import Synchronization

/// A target in which everything happens in memory: what is read comes from the store, with what was written here over it.
final class PlanningTarget: ConfigTarget {
  private struct State {
    /// nil for what was deleted here.
    var written: [[UInt8]: StoredItem?] = [:]
    /// What the store holds of the keys that were read.
    var original: [[UInt8]: StoredItem] = [:]
    /// Beyond those of any store.
    var revision: Int64 = 1 << 62
  }

  private let store: (any ConfigTarget)?
  private let state = Mutex(State())

  /// - Parameter store: nil for one that is empty.
  init(over store: (any ConfigTarget)?) { self.store = store }

  func items(under prefix: [UInt8]) async throws -> [StoredItem] {
    let stored = try await store?.items(under: prefix) ?? []
    return state.withLock { state in
      var items = Dictionary(stored.map { ($0.key, $0) }) { first, _ in first }
      state.original.merge(items) { first, _ in first }
      for (key, item) in state.written where key.starts(with: prefix) { items[key] = item }
      return items.values.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }
  }

  func item(_ key: [UInt8]) async throws -> StoredItem? {
    if let written = state.withLock({ $0.written[key] }) { return written }
    let item = try await store?.item(key)
    if let item { state.withLock { $0.original[key] = item } }
    return item
  }

  func commit(_ transaction: TargetTransaction) async throws -> TargetOutcome {
    for fence in transaction.fences {
      guard try await item(fence.key)?.modRevision ?? 0 == fence.modRevision else { return .fenced }
    }
    return state.withLock { state in
      state.revision += 1
      for key in transaction.deletes { state.written.updateValue(nil, forKey: key) }
      for put in transaction.puts {
        let before = state.written[put.key] ?? state.original[put.key]
        state.written.updateValue(
          StoredItem(
            key: put.key, value: put.value,
            createRevision: before?.createRevision ?? state.revision,
            modRevision: state.revision), forKey: put.key)
      }
      return .applied(revision: state.revision)
    }
  }

  func watch(under prefix: String, _ changed: @escaping @Sendable (Int64, [[UInt8]]) -> Void)
    async throws
  {
    throw TargetError.refused("a plan watches nothing")
  }

  /// Forgets what was there before: what was written until now is as if the store had held it.
  func settle() {
    state.withLock { state in
      for (key, item) in state.written {
        state.original[key] = item
      }
    }
  }

  /// The revisions of the keys that were read from the store, but for the program's own records.
  var revisions: [ConfigPath: Int64] {
    state.withLock { state in
      var revisions: [ConfigPath: Int64] = [:]
      let reserved = Array(ReservedKeys.prefix.utf8)
      for (key, item) in state.original where !key.starts(with: reserved) {
        guard let text = String(validating: key, as: UTF8.self) else { continue }
        revisions[ConfigPath(escaped: text)] = item.modRevision
      }
      return revisions
    }
  }

  /// What would be different, but for the program's own records; sorted by the bytes of the key.
  var changes: [ReconcilePlan.Change] {
    state.withLock { state in
      let reserved = Array(ReservedKeys.prefix.utf8)
      return state.written.compactMap { key, item -> ReconcilePlan.Change? in
        let old = state.original[key]
        guard !key.starts(with: reserved), old?.value != item?.value else { return nil }
        return ReconcilePlan.Change(
          key: String(decoding: key, as: UTF8.self), old: old?.value, new: item?.value)
      }.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }
  }
}
