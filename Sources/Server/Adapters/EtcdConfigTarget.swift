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
      fenceKey: transaction.fence.key, fenceRevision: transaction.fence.modRevision,
      puts: transaction.puts, deletes: transaction.deletes)
    return try await EtcdConfigTarget.translating {
      guard let revision = try await client.commit(request) else { return .fenced }
      return .applied(revision: revision)
    }
  }

  private static func translating<Value>(_ body: () async throws -> Value) async throws -> Value {
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
