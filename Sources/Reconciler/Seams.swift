public import ConfigModel

/// Where configuration comes from.
public protocol ConfigSource: Sendable {
  /// The name of the branch that is followed; nil where that is not known, as for one commit.
  var branch: String? { get }
  /// Looks for what is new where the configuration comes from; what was there before stays if that fails.
  func refresh() async throws
  /// The newest commit of the tracked branch, as of the last look.
  func tip() async throws -> CommitID
  func facts(of commit: CommitID) async throws -> CommitFacts
  func tree(of commit: CommitID) async throws -> SourceTree
  /// First parents from `tip`, newest first, up to and without `end`, and at most `limit`; all if `end` is not met.
  func firstParents(from tip: CommitID, until end: CommitID?, limit: Int) async throws -> [CommitID]
  /// Whether a commit is here already: nothing is fetched to tell.
  func hasFetched(_ commit: CommitID) async throws -> Bool
  /// Whether the source has a commit, on whatever branch.
  ///
  /// - Throws: if that can't be told just now.
  func holds(_ commit: CommitID) async throws -> Bool
  func isAncestor(_ ancestor: CommitID, of commit: CommitID) async throws -> Bool
  /// The commits that `tip` holds and `end` does not, those that merges bring among them, oldest first.
  func commits(reachableFrom tip: CommitID, butNotFrom end: CommitID?) async throws -> [CommitID]
  /// What is known of a commit's signature now.
  func signature(of commit: CommitID) async throws -> SignatureVerdict
  /// The commit that a revision names.
  func resolve(_ revision: String) async throws -> CommitID
}

/// A key as the target holds it.
public struct StoredItem: Hashable, Sendable {
  public var key: [UInt8]
  public var value: [UInt8]
  public var createRevision: Int64
  public var modRevision: Int64

  public init(key: [UInt8], value: [UInt8], createRevision: Int64, modRevision: Int64) {
    self.key = key
    self.value = value
    self.createRevision = createRevision
    self.modRevision = modRevision
  }
}

/// A change that is applied whole, or not at all.
public struct TargetTransaction: Hashable, Sendable {
  /// What must still hold: the key's newest revision, or 0 for a key that must not exist.
  public struct Fence: Hashable, Sendable {
    public var key: [UInt8]
    public var modRevision: Int64
  }

  public var fences: [Fence]
  public var puts: [(key: [UInt8], value: [UInt8])]
  public var deletes: [[UInt8]]

  public static func == (left: TargetTransaction, right: TargetTransaction) -> Bool {
    left.fences == right.fences && left.deletes == right.deletes
      && left.puts.elementsEqual(right.puts) { $0.key == $1.key && $0.value == $1.value }
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(fences)
    hasher.combine(deletes)
  }
}

public enum TargetOutcome: Hashable, Sendable {
  case applied(revision: Int64)
  /// A fence no longer holds: someone else was first.
  case fenced
}

/// Why a target did not answer.
public enum TargetError: Error, Hashable, Sendable, CustomStringConvertible {
  /// It may or may not have taken effect: read before trying again.
  case unknownOutcome(String)
  /// It has not taken effect.
  case unavailable(String)
  /// It never will: too large, or not allowed.
  case refused(String)

  public var description: String {
    switch self {
    case .unknownOutcome(let reason), .unavailable(let reason), .refused(let reason): reason
    }
  }
}

/// Where configuration goes: any store that speaks the etcd API.
public protocol ConfigTarget: Sendable {
  /// Every key under a prefix, from one revision.
  func items(under prefix: [UInt8]) async throws -> [StoredItem]
  func item(_ key: [UInt8]) async throws -> StoredItem?
  func commit(_ transaction: TargetTransaction) async throws -> TargetOutcome
  /// Tells the revision of each change of keys under a prefix from now on, and which; 0 and none where some may have
  /// been missed. Goes on until it fails or is cancelled.
  func watch(
    under prefix: String,
    _ changed: @escaping @Sendable (_ revision: Int64, _ keys: [[UInt8]]) -> Void
  ) async throws
}

extension ConfigSource {
  public func hasFetched(_ commit: CommitID) async throws -> Bool { try await holds(commit) }

  func firstParents(from tip: CommitID, until end: CommitID?) async throws -> [CommitID] {
    try await firstParents(from: tip, until: end, limit: .max)
  }
}
