/// What to read, and how to order it (etcd's `RangeRequest`).
public struct RangeQuery: Hashable, Sendable {
  public enum Content: UInt8, Sendable { case full, keysOnly, countOnly }
  public enum SortTarget: UInt8, Sendable { case key, version, create, mod, value }
  public enum SortOrder: UInt8, Sendable { case ascending, descending }
  public struct Sort: Hashable, Sendable {
    public var target: SortTarget
    public var order: SortOrder
    public init(_ target: SortTarget, _ order: SortOrder) {
      self.target = target
      self.order = order
    }
  }
  /// Inclusive bounds; nil does not limit.
  public struct Bounds: Hashable, Sendable {
    public var minimum: Revision?
    public var maximum: Revision?
    public init(minimum: Revision? = nil, maximum: Revision? = nil) {
      self.minimum = minimum
      self.maximum = maximum
    }
    public var isUnlimited: Bool { minimum == nil && maximum == nil }
    public func contains(_ revision: Revision) -> Bool {
      revision >= (minimum ?? revision) && revision <= (maximum ?? revision)
    }
  }

  public var range: KeyRange
  /// nil reads the newest state.
  public var revision: Revision?
  /// nil returns all.
  public var limit: Int?
  public var sort: Sort?
  public var content: Content
  public var modBounds = Bounds()
  public var createBounds = Bounds()

  public init(
    _ range: KeyRange, at revision: Revision? = nil, limit: Int? = nil, sort: Sort? = nil,
    content: Content = .full
  ) {
    self.range = range
    self.revision = revision
    self.limit = limit
    self.sort = sort
    self.content = content
  }
}

extension RangeQuery {
  /// Nothing but the newest version is asked for, if there is one.
  var isOfNewest: Bool {
    revision == nil && modBounds.isUnlimited && createBounds.isUnlimited && limit ?? 1 > 0
  }
}

public struct RangeResult: Hashable, Sendable {
  public var items: [KeyValue]
  /// How many keys the range holds, whatever limit and bounds.
  public var count: Int
  /// The limit left some out.
  public var hasMore: Bool
}

public struct PutRequest: Hashable, Sendable {
  public enum Value: Hashable, Sendable {
    case set([UInt8])
    case keep
  }
  public enum Lease: Hashable, Sendable {
    case set(Int64)
    case keep
  }
  public var key: Key
  public var value: Value
  public var lease: Lease
  public var returnsPrevious: Bool

  public init(_ key: Key, _ value: Value, lease: Lease = .set(0), returnsPrevious: Bool = false) {
    self.key = key
    self.value = value
    self.lease = lease
    self.returnsPrevious = returnsPrevious
  }
}

public struct DeleteRequest: Hashable, Sendable {
  public var range: KeyRange
  public var returnsPrevious: Bool

  public init(_ range: KeyRange, returnsPrevious: Bool = false) {
    self.range = range
    self.returnsPrevious = returnsPrevious
  }
}

/// A condition on the keys of a range (etcd's `Compare`).
public struct Compare: Hashable, Sendable {
  public enum Target: Hashable, Sendable {
    case version(Int64)
    case create(Revision)
    case mod(Revision)
    case value([UInt8])
    case lease(Int64)
  }
  public enum Relation: UInt8, Sendable { case equal, greater, less, notEqual }
  public var range: KeyRange
  public var target: Target
  public var relation: Relation

  public init(_ range: KeyRange, _ target: Target, is relation: Relation = .equal) {
    self.range = range
    self.target = target
    self.relation = relation
  }
}

public indirect enum Operation: Hashable, Sendable {
  case range(RangeQuery)
  case put(PutRequest)
  case delete(DeleteRequest)
  case transaction(Transaction)
}

/// Compares, and the operations for either outcome: applied whole, at one revision, or not at all.
public struct Transaction: Hashable, Sendable {
  public var compares: [Compare]
  public var success: [Operation]
  public var failure: [Operation]

  public init(compares: [Compare] = [], success: [Operation], failure: [Operation] = []) {
    self.compares = compares
    self.success = success
    self.failure = failure
  }
}

public enum OperationResult: Hashable, Sendable {
  case range(RangeResult)
  case put(previous: KeyValue?)
  case delete(count: Int, previous: [KeyValue])
  case transaction(TransactionResult)
  /// Of a command that answers nothing more.
  case done
  /// Of one that found everything as it wants it.
  case unchanged
}

public struct TransactionResult: Hashable, Sendable {
  public var hasSucceeded: Bool
  public var results: [OperationResult]
}

/// Why a request can't be carried out; it has changed nothing.
public enum StoreError: Error, Hashable, Sendable {
  case emptyKey
  /// `ignore_value` or `ignore_lease` on a key that does not exist.
  case keyNotFound
  case leaseNotFound
  case leaseExists
  case leaseTooLong
  /// A leader's own command, which was written down in a term that is not its.
  case notLeading
  /// A transaction reads more than one may.
  case readsTooMuch(limit: Int)
  /// Some member's database has passed its quota.
  case noSpace
  /// Some member differs from the others.
  case corrupt
  case compacted(oldest: Revision)
  case futureRevision(current: Revision)
  case tooManyOperations(limit: Int)
  case duplicateKey
  case transactionTooDeep(limit: Int)
  case auth(AuthError)
}

/// Why a request about permissions, or under them, is refused.
public enum AuthError: UInt8, Hashable, Sendable {
  /// Permissions are on, and the caller has shown no token.
  case callerUnknown = 20
  /// Who the caller was once is nobody now, or has another password.
  case tokenInvalid
  case permissionDenied
  case authDisabled
  case authenticationFailed
  case rootMissing
  case rootWithoutRole
  /// Permissions are on, and without root nobody could change them.
  case rootNeeded
  case userNameEmpty
  case userExists
  case userNotFound
  case roleNameEmpty
  case roleExists
  case roleNotFound
  case roleNotGiven
  case permissionNotGranted
}

extension StoreError {
  /// What the digest covers of an error.
  var code: UInt8 {
    switch self {
    case .emptyKey: 1
    case .keyNotFound: 2
    case .leaseNotFound: 3
    case .compacted: 4
    case .futureRevision: 5
    case .tooManyOperations: 6
    case .duplicateKey: 7
    case .transactionTooDeep: 8
    case .leaseExists: 9
    case .leaseTooLong: 10
    case .notLeading: 11
    case .noSpace: 12
    case .corrupt: 13
    case .readsTooMuch: 14
    case .auth(let error): error.rawValue
    }
  }
}
