/// Names a request among all that were ever proposed, so that its proposer finds its outcome.
public struct RequestID: Hashable, Sendable {
  public var member: UInt64
  /// Unique in the member's life; it starts anew at a random place with each start.
  public var number: UInt64
  public init(member: UInt64, number: UInt64) {
    self.member = member
    self.number = number
  }
}

/// How a member presents itself to clients.
public struct MemberAttributes: Hashable, Sendable {
  public var id: UInt64
  public var name: String
  public var clientURLs: [String]
  public init(id: UInt64, name: String, clientURLs: [String]) {
    self.id = id
    self.name = name
    self.clientURLs = clientURLs
  }
}

/// A change of who belongs to the cluster and where they are reached by each other. Which of them
/// vote stands in the log entry beside it.
public enum MemberChange: Hashable, Sendable {
  /// Those with whom the cluster begins: its first entry, so that who joins later knows them too.
  case found([Founder])
  case add(id: UInt64, peerURLs: [String])
  case remove(id: UInt64)
  /// From learner to voter.
  case promote(id: UInt64)
  case relocate(id: UInt64, peerURLs: [String])
}

extension MemberChange {
  /// Those whom it brings, and where they are reached.
  package var added: [Founder] {
    switch self {
    case .found(let founders): founders
    case .add(let id, let urls): [Founder(id: id, peerURLs: urls)]
    case .remove, .promote, .relocate: []
    }
  }
}

/// A member from the beginning.
public struct Founder: Hashable, Sendable {
  public var id: UInt64
  public var peerURLs: [String]

  public init(id: UInt64, peerURLs: [String]) {
    self.id = id
    self.peerURLs = peerURLs
  }
}

/// A change of the store, as it stands in the log.
public struct Command: Hashable, Sendable {
  public enum Action: Hashable, Sendable {
    case put(PutRequest)
    case delete(DeleteRequest)
    case transaction(Transaction)
    case memberAttributes(MemberAttributes)
    case memberChange(MemberChange)
    case lease(LeaseChange)
    /// Makes this the oldest revision that can be read.
    case compact(Revision)
    case alarm(AlarmChange)
    case auth(AuthChange)
    case integrity(IntegrityChange)
  }

  public var request: RequestID
  /// Whose permissions decide, when it is applied.
  public var caller: Caller
  public var action: Action

  public init(request: RequestID, caller: Caller = .cluster, action: Action) {
    self.request = request
    self.caller = caller
    self.action = action
  }
}

/// What came of a command, the same on every member.
public struct Outcome: Hashable, Sendable {
  public var request: RequestID
  public var result: Result<OperationResult, StoreError>
  /// The store's revision once the command was applied.
  public var revision: Revision
}
