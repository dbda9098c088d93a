import Cluster
import GRPCServer
import Store

/// Which watches of a stream the caller may still see: permissions are asked again whenever they have
/// changed, so that whoever loses them sees nothing that happens afterwards.
struct WatchPermits {
  private let session: Session
  /// Which watch was allowed last, and under which permissions; no more than the stream has watches.
  private var allowed: [WatchID: (number: UInt64, version: AuthVersion)] = [:]
  private var reasons: [WatchID: String] = [:]

  init(session: Session) { self.session = session }

  /// Whether it may be sent; a watch that may see nothing any more is ended.
  mutating func allow(_ delivery: WatchDelivery, of stream: WatchStream) async -> Bool {
    switch delivery {
    case .created, .refused, .progress, .upToDate, .cancelled: return true
    case .compacted(let id, _):
      allowed[id] = nil
      return true
    case .events(let id, _, let origin):
      let version = session.member.store.auth.version
      if !version.isEnabled { return true }
      if let last = allowed[id], last == (origin.number, version) { return true }
      do {
        // What it was asked to see, not what another of its id is asked by now.
        try await session.rights().checkRead(origin.request.range)
        allowed[id] = (origin.number, version)
        return true
      } catch {
        allowed[id] = nil
        reasons[id] = GRPCStatus(error).goText
        stream.cancel(id, number: origin.number)
        return false
      }
    }
  }

  /// Why a watch was ended, told once.
  mutating func takeReason(of id: WatchID) -> String? {
    allowed[id] = nil
    return reasons.removeValue(forKey: id)
  }
}

extension GRPCStatus {
  /// As a Go program prints it, which is how etcd has it in a watch's `cancel_reason`.
  var goText: String { "rpc error: code = \(code.goName) desc = \(message)" }
}

extension GRPCStatus.Code {
  fileprivate var goName: String {
    switch self {
    case .ok: "OK"
    case .cancelled: "Canceled"
    case .unknown: "Unknown"
    case .invalidArgument: "InvalidArgument"
    case .deadlineExceeded: "DeadlineExceeded"
    case .notFound: "NotFound"
    case .alreadyExists: "AlreadyExists"
    case .permissionDenied: "PermissionDenied"
    case .resourceExhausted: "ResourceExhausted"
    case .failedPrecondition: "FailedPrecondition"
    case .aborted: "Aborted"
    case .outOfRange: "OutOfRange"
    case .unimplemented: "Unimplemented"
    case .internalError: "Internal"
    case .unavailable: "Unavailable"
    case .dataLoss: "DataLoss"
    case .unauthenticated: "Unauthenticated"
    }
  }
}
