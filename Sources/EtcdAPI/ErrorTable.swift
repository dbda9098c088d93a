import Cluster
package import GRPCServer
import Store

// The one place where errors become etcd's status codes and texts; clients match the whole text.
// Source: etcd v3.5 `rpctypes/error.go`, as listed in the API reference.

extension GRPCStatus {
  init(_ error: StoreError) {
    switch error {
    case .emptyKey: self.init(.invalidArgument, "etcdserver: key is not provided")
    case .keyNotFound: self.init(.invalidArgument, "etcdserver: key not found")
    case .leaseExists: self.init(.failedPrecondition, "etcdserver: lease already exists")
    case .leaseTooLong: self.init(.outOfRange, "etcdserver: too large lease TTL")
    case .readsTooMuch: self.init(.invalidArgument, "etcdserver: request is too large")
    case .noSpace:
      self.init(.resourceExhausted, "etcdserver: mvcc: database space exceeded")
    case .corrupt: self.init(.dataLoss, "etcdserver: corrupt cluster")
    case .notLeading: self.init(.unavailable, "etcdserver: leader changed")
    case .leaseNotFound: self.init(.notFound, "etcdserver: requested lease not found")
    case .compacted:
      self.init(.outOfRange, "etcdserver: mvcc: required revision has been compacted")
    case .futureRevision:
      self.init(.outOfRange, "etcdserver: mvcc: required revision is a future revision")
    case .tooManyOperations, .transactionTooDeep:
      self.init(.invalidArgument, "etcdserver: too many operations in txn request")
    case .duplicateKey:
      self.init(.invalidArgument, "etcdserver: duplicate key given in txn request")
    case .auth(let error): self.init(error)
    }
  }

  init(_ error: AuthError) {
    switch error {
    case .callerUnknown, .userNameEmpty:
      self.init(.invalidArgument, "etcdserver: user name is empty")
    case .tokenInvalid: self.init(.unauthenticated, "etcdserver: invalid auth token")
    case .permissionDenied: self.init(.permissionDenied, "etcdserver: permission denied")
    case .authDisabled:
      self.init(.failedPrecondition, "etcdserver: authentication is not enabled")
    case .authenticationFailed:
      self.init(
        .invalidArgument, "etcdserver: authentication failed, invalid user ID or password")
    case .rootMissing: self.init(.failedPrecondition, "etcdserver: root user does not exist")
    case .rootWithoutRole:
      self.init(.failedPrecondition, "etcdserver: root user does not have root role")
    case .rootNeeded: self.init(.invalidArgument, "etcdserver: invalid auth management")
    case .userExists: self.init(.failedPrecondition, "etcdserver: user name already exists")
    case .userNotFound: self.init(.failedPrecondition, "etcdserver: user name not found")
    case .roleNameEmpty: self.init(.invalidArgument, "etcdserver: role name is empty")
    case .roleExists: self.init(.failedPrecondition, "etcdserver: role name already exists")
    case .roleNotFound: self.init(.failedPrecondition, "etcdserver: role name not found")
    case .roleNotGiven:
      self.init(.failedPrecondition, "etcdserver: role is not granted to the user")
    case .permissionNotGranted:
      self.init(.failedPrecondition, "etcdserver: permission is not granted to the role")
    }
  }

  init(_ error: ClusterError) {
    switch error {
    case .timedOut: self.init(.unavailable, "etcdserver: request timed out")
    case .overloaded: self.init(.resourceExhausted, "etcdserver: too many requests")
    case .dropped: self.init(.unavailable, "etcdserver: leader changed")
    case .notLeader: self.init(.failedPrecondition, "etcdserver: not leader")
    case .membership(let failure): self.init(failure)
    case .tooLarge: self.init(.invalidArgument, "etcdserver: request is too large")
    case .stopped: self = .serverStopped
    }
  }

  init(_ failure: MembershipFailure) {
    switch failure {
    case .pending, .tooManyMembers:
      // etcd drops such a change and lets the call time out; here it is told at once.
      self.init(.unavailable, "etcdserver: unhealthy cluster")
    case .unknownMember: self.init(.notFound, "etcdserver: member not found")
    case .memberExists: self.init(.failedPrecondition, "etcdserver: member ID already exist")
    case .urlsInUse: self.init(.failedPrecondition, "etcdserver: Peer URLs already exists")
    case .invalidURLs:
      self.init(.invalidArgument, "etcdserver: given member URLs are invalid")
    case .notLearner:
      self.init(.failedPrecondition, "etcdserver: can only promote a learner member")
    case .learnerBehind:
      self.init(
        .failedPrecondition,
        "etcdserver: can only promote a learner member which is in sync with leader")
    case .wouldLoseQuorum:
      self.init(
        .failedPrecondition,
        "etcdserver: re-configuration failed due to not enough started members")
    case .tooManyLearners:
      self.init(.failedPrecondition, "etcdserver: too many learner members in cluster")
    case .badTransferee:
      self.init(.failedPrecondition, "etcdserver: bad leader transferee")
    }
  }

  static let notSupportedForLearner = GRPCStatus(
    .unavailable, "etcdserver: rpc not supported for learner")

  /// Not etcd's, which stops the whole cluster. Unavailable, so that clients try another member.
  static let fenced = GRPCStatus(
    .unavailable, "etcdserver: this member's data differs from the others', ask another member")

  /// What is thrown below the API: its own errors by the tables above, anything else as internal.
  package init(_ error: any Error) {
    switch error {
    case let status as GRPCStatus: self = status
    case let error as StoreError: self.init(error)
    case let error as ClusterError: self.init(error)
    case is CancellationError: self.init(.cancelled, "context canceled")
    default: self.init(.internalError, "etcdserver: the store can't be read")
    }
  }

  static let serverStopped = GRPCStatus(.unavailable, "etcdserver: server stopped")
  static let noLeader = GRPCStatus(.unavailable, "etcdserver: no leader")
  static let keyNotProvided = GRPCStatus(.invalidArgument, "etcdserver: key is not provided")
  static let valueProvided = GRPCStatus(.invalidArgument, "etcdserver: value is provided")
  static let leaseProvided = GRPCStatus(.invalidArgument, "etcdserver: lease is provided")
  static let invalidSort = GRPCStatus(.invalidArgument, "etcdserver: invalid sort option")
  static let operationMissing = GRPCStatus(.invalidArgument, "etcdserver: key not found")
}
