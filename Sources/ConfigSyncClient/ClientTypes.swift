/// A key as the cluster holds it.
public struct ClientItem: Hashable, Sendable {
  public var key: [UInt8]
  public var value: [UInt8]
  public var createRevision: Int64
  public var modRevision: Int64
  public var version: Int64
  /// 0 without one.
  public var lease: Int64
}

/// Which keys a request means.
public enum ClientRange: Hashable, Sendable {
  case key([UInt8])
  case prefix([UInt8])

  var wire: (key: [UInt8], end: [UInt8]) {
    switch self {
    case .key(let key): return (key, [])
    case .prefix(let prefix):
      guard !prefix.isEmpty else { return ([0], [0]) }
      var end = prefix
      while let last = end.popLast() {
        if last < 0xff { return (prefix, end + [last + 1]) }
      }
      return (prefix, [0])
    }
  }
}

/// Whether a read must see everything that was written before it.
public enum ClientConsistency: Hashable, Sendable { case linearizable, serializable }

public struct ClientRangeResult: Hashable, Sendable {
  public var items: [ClientItem]
  public var count: Int64
  /// The store's revision when it was read.
  public var revision: Int64
}

/// One change that a watch saw.
public struct ClientEvent: Hashable, Sendable {
  public enum Kind: Hashable, Sendable { case put, delete }
  public var kind: Kind
  public var key: [UInt8]
  /// Empty for a deletion.
  public var value: [UInt8]
  public var modRevision: Int64
  public var previous: [UInt8]?
}

/// All that one revision changed among the watched keys.
public struct ClientBatch: Hashable, Sendable {
  public var revision: Int64
  public var events: [ClientEvent]
}

/// A transaction with one fence, as the reconciler needs it.
public struct ClientTransaction: Hashable, Sendable {
  /// Keys, each with the revision of its last change that must still hold: 0 if it must not exist.
  public var fences: [(key: [UInt8], revision: Int64)]
  public var puts: [(key: [UInt8], value: [UInt8])]
  public var deletes: [[UInt8]]

  public init(
    fences: [(key: [UInt8], revision: Int64)], puts: [(key: [UInt8], value: [UInt8])],
    deletes: [[UInt8]]
  ) {
    self.fences = fences
    self.puts = puts
    self.deletes = deletes
  }

  public static func == (left: ClientTransaction, right: ClientTransaction) -> Bool {
    left.fences.elementsEqual(right.fences) { $0.key == $1.key && $0.revision == $1.revision }
      && left.deletes == right.deletes
      && left.puts.elementsEqual(right.puts) { $0.key == $1.key && $0.value == $1.value }
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(fences.map(\.key))
    hasher.combine(deletes)
  }
}

public struct ClientMember: Hashable, Sendable {
  public var id: UInt64
  public var name: String
  public var peerURLs: [String]
  public var clientURLs: [String]
  /// It receives the log and has no vote.
  public var isLearner: Bool
}

/// How a member begins.
public enum ClientMemberRole: Hashable, Sendable { case voter, learner }

public struct ClientStatus: Hashable, Sendable {
  public var member: UInt64
  public var leader: UInt64
  public var revision: Int64
  public var term: UInt64
  public var appliedIndex: UInt64
  public var version: String
  public var databaseBytes: Int64
  public var errors: [String]
}

/// What one endpoint says of itself, or why it says nothing.
public struct EndpointStatus: Sendable {
  public var endpoint: String
  public var status: Result<ClientStatus, ClientError>
}
