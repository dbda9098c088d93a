import GRPCCore

/// Why a request to the cluster failed.
public struct ClientError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Kind: Hashable, Sendable {
    /// No endpoint could be reached; the request was not sent.
    case unreachable
    /// The request may or may not have taken effect.
    case unknownOutcome
    /// The cluster answered, and the answer is no.
    case refused
  }

  public var kind: Kind
  public var description: String
  /// The oldest revision that can still be read, if what was asked for is older.
  public var compactRevision: Int64?

  init(_ kind: Kind, _ description: String, compactRevision: Int64? = nil) {
    self.kind = kind
    self.description = description
    self.compactRevision = compactRevision
  }

  init(_ error: RPCError, endpoint: String) {
    let isOurs = error.message.hasPrefix("etcdserver:")
    switch error.code {
    case .unavailable where !isOurs:
      // The transport says so for connections that could not be made, and for streams that broke.
      self.init(.unreachable, "\(endpoint) can't be reached")
    case .unavailable where error.message.contains("data differs from the others'"):
      // A fenced member says so before it does anything.
      self.init(.unreachable, "\(endpoint): \(error.message)")
    case .unavailable where error.message.contains("not supported for learner"):
      self.init(.refused, "\(endpoint): \(error.message)")
    case .unavailable, .deadlineExceeded, .cancelled:
      self.init(
        .unknownOutcome,
        "\(endpoint): \(isOurs ? error.message : "no answer in time"): the cluster may have no "
          + "quorum, and what was asked may still take effect")
    default: self.init(.refused, "\(endpoint): \(error.message)")
    }
  }
}
