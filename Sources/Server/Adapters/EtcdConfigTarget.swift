import ConfigModel
public import ConfigSyncClient
public import Reconciler

/// Any store that speaks the etcd API as a target of configuration.
public struct EtcdConfigTarget: ConfigTarget {

  private let client: ConfigClient

  public init(_ client: ConfigClient) { self.client = client }

  public func items(under prefix: [UInt8]) async throws -> [StoredItem] {
    try await EtcdConfigTarget.translating {
      let result = try await client.range(.prefix(prefix))
      return result.items.map(StoredItem.init)
    }
  }

  public func item(_ key: [UInt8]) async throws -> StoredItem? {
    try await EtcdConfigTarget.translating {
      try await client.range(.key(key)).items.first.map(StoredItem.init)
    }
  }

  public func commit(_ transaction: TargetTransaction) async throws -> TargetOutcome {
    let request = ClientTransaction(
      fences: transaction.fences.map { ($0.key, $0.modRevision) }, puts: transaction.puts,
      deletes: transaction.deletes)
    do {
      return try await EtcdConfigTarget.translating {
        guard let revision = try await client.commit(request) else { return .fenced }
        return .applied(revision: revision)
      }
    } catch TargetError.refused(let reason) {
      throw TargetError.refused(EtcdConfigTarget.explain(reason, transaction))
    }
  }

  /// What the store's limits mean for a commit, with the numbers and the flag that raises them: it is never split.
  static func explain(_ reason: String, _ transaction: TargetTransaction) -> String {
    if reason.contains("too many operations in txn request") {
      let count = transaction.puts.count + transaction.deletes.count
      return
        "the commit changes \(count) keys with its records, and the store takes fewer in one transaction: raise "
        + "--max-txn-ops of its members (\(reason))"
    }
    if reason.contains("request is too large") || reason.contains("larger than max") {
      let bytes = transaction.puts.reduce(0) { $0 + $1.key.count + $1.value.count }
      return
        "the commit's keys and values have \(bytes) bytes, and the store takes fewer in one request: raise "
        + "--max-request-bytes of its members (\(reason))"
    }
    return reason
  }

  public func watch(
    under prefix: String,
    _ changed: @escaping @Sendable (_ revision: Int64, _ keys: [[UInt8]]) -> Void
  ) async throws {
    try await EtcdConfigTarget.translating {
      // What changed before the watch began is not told: that may be something.
      try await client.watch(.prefix(Array(prefix.utf8)), created: { changed(0, []) }) { batch in
        // A source at the root sees its own records, too: what is said there is no key of its.
        let reserved = Array(ReservedKeys.prefix.utf8)
        let isMeant = prefix.hasPrefix(ReservedKeys.prefix)
        let keys = batch.events.map(\.key).filter { isMeant || !$0.starts(with: reserved) }
        if !keys.isEmpty { changed(batch.revision, keys) }
        return true
      }
    }
  }

  static func translating<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
      return try await body()
    } catch let error as ClientError {
      switch error.kind {
      case .unreachable: throw TargetError.unavailable(error.description)
      case .unknownOutcome: throw TargetError.unknownOutcome(error.description)
      case .refused: throw TargetError.refused(error.description)
      }
    }
  }
}

extension StoredItem {
  fileprivate init(_ item: ClientItem) {
    self.init(
      key: item.key, value: item.value, createRevision: item.createRevision,
      modRevision: item.modRevision)
  }
}
