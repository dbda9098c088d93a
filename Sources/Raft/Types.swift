/// A term of office: at most one leader is elected in it (thesis §3.3).
public struct Term: Hashable, Comparable, Sendable, CustomStringConvertible {
  public var rawValue: UInt64
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  public static let zero = Term(0)
  public var next: Term { Term(rawValue + 1) }
  public var description: String { String(rawValue) }
  public static func < (left: Term, right: Term) -> Bool { left.rawValue < right.rawValue }
}

/// The position of an entry in the replicated log; the first entry is at 1, and 0 is before it.
public struct LogIndex: Hashable, Comparable, Sendable, CustomStringConvertible {
  public var rawValue: UInt64
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  public static let zero = LogIndex(0)
  public static let max = LogIndex(.max)
  public var next: LogIndex { LogIndex(rawValue + 1) }
  public var previous: LogIndex { LogIndex(rawValue - 1) }
  public var description: String { String(rawValue) }
  public static func < (left: LogIndex, right: LogIndex) -> Bool { left.rawValue < right.rawValue }
}

/// The identity of one member of the cluster; never 0 on the wire.
public struct MemberID: Hashable, Comparable, Sendable, CustomStringConvertible {
  public var rawValue: UInt64
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue, radix: 16) }
  public static func < (left: MemberID, right: MemberID) -> Bool { left.rawValue < right.rawValue }
}

/// One entry of the replicated log.
public struct Entry: Hashable, Sendable {
  /// What the entry is for.
  public enum Kind: UInt8, Sendable {
    /// Bytes for the state machine.
    case command = 0
    /// The empty entry with which a leader begins its term (thesis §6.4); it changes nothing.
    case noOperation = 1
    /// A configuration of the cluster, see `MembershipEntry.swift`.
    case membership = 2
  }

  public var term: Term
  public var index: LogIndex
  public var kind: Kind
  public var payload: [UInt8]

  public init(term: Term, index: LogIndex, kind: Kind, payload: [UInt8]) {
    self.term = term
    self.index = index
    self.kind = kind
    self.payload = payload
  }
}

/// What a member must not forget across a crash, besides its log (thesis figure 3.1).
public struct HardState: Hashable, Sendable {
  public var term: Term
  public var vote: MemberID?
  /// A hint only: everything up to here is committed, so it may be applied again on start.
  public var commit: LogIndex

  public init(term: Term = .zero, vote: MemberID? = nil, commit: LogIndex = .zero) {
    self.term = term
    self.vote = vote
    self.commit = commit
  }
}

/// The place in the log that a snapshot of the state machine stands for.
public struct SnapshotMark: Hashable, Sendable {
  public var index: LogIndex
  public var term: Term
  public static let origin = SnapshotMark(index: .zero, term: .zero)
  public init(index: LogIndex, term: Term) {
    self.index = index
    self.term = term
  }

  /// Thesis §3.6.1: the log that ends here is as new as one that ends at `other`.
  package func isUpToDate(with other: SnapshotMark) -> Bool {
    term > other.term || (term == other.term && index >= other.index)
  }
}

/// Names one linearizable read between the member that asks and the leader.
public struct ReadID: Hashable, Sendable {
  public var rawValue: UInt64
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}
