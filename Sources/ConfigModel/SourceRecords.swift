/// Who has stopped a source, or let it go on again, and why.
public struct SuspensionRecord: Hashable, Sendable, Codable {
  public var isSuspended: Bool
  public var by: String
  public var reason: String
  /// RFC 3339.
  public var time: String

  public init(isSuspended: Bool, by: String, reason: String, time: String) {
    self.isSuspended = isSuspended
    self.by = by
    self.reason = reason
    self.time = time
  }

  private enum CodingKeys: String, CodingKey {
    case isSuspended = "suspended"
    case by, reason, time
  }
}

/// Who has said that a commit is to be skipped, and why.
public struct RejectionRecord: Hashable, Sendable, Codable {
  public var by: String
  public var reason: String
  /// RFC 3339.
  public var time: String

  public init(by: String, reason: String, time: String) {
    self.by = by
    self.reason = reason
    self.time = time
  }
}

/// What the reconciler was last stopped by, or that it goes on; written when that changes.
public struct StateRecord: Hashable, Sendable, Codable {
  public enum Kind: String, Hashable, Sendable, Codable {
    case running, suspended, frozen
    /// The source can't be read: what was read last is served.
    case stale
    /// Trying again is no use until someone has decided.
    case stopped
    case drifted
  }

  public var kind: Kind
  /// For people: why.
  public var message: String
  /// RFC 3339: when it became so.
  public var since: String

  public init(_ kind: Kind, _ message: String, since: String) {
    self.kind = kind
    self.message = message
    self.since = since
  }
}

/// Keys that somebody else had changed, put back to what the store's commit wants.
public struct CorrectionRecord: Hashable, Sendable, Codable {
  public struct Key: Hashable, Sendable, Codable {
    public var key: String
    /// Where the foreign change was made; nil where the key is gone.
    public var revision: Int64?

    public init(key: String, revision: Int64?) {
      self.key = key
      self.revision = revision
    }
  }

  /// Keys of one record, all of which it names: more are put back in several steps.
  public static let limit = 1000

  public var commit: CommitID
  /// RFC 3339.
  public var time: String
  public var keys: [Key]

  public init(commit: CommitID, time: String, keys: [Key]) {
    precondition(keys.count <= CorrectionRecord.limit, "a record names all keys")
    self.commit = commit
    self.time = time
    self.keys = keys
  }
}

extension ReservedKeys {
  public static func suspension(of name: String) -> String { source(name) + "suspension" }
  public static func state(of name: String) -> String { source(name) + "state" }
  public static func rejections(of name: String) -> String { source(name) + "rejected/" }
  public static func corrections(of name: String) -> String { source(name) + "corrections/" }
}
