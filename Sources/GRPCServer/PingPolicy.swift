import NIOCore

/// Which pings of a client are too many: it would cost the server more than the client (the rules of gRPC's
/// keep-alive enforcement, https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md).
struct PingPolicy {
  /// Early pings that are forgiven.
  private static let strikes = 2

  private let limits: GRPCLimits
  private var last: NIODeadline?
  private var count = 0
  /// The client was sent something since: it may measure how long that takes.
  private var isForgiven = false

  init(limits: GRPCLimits) { self.limits = limits }

  mutating func answered() { isForgiven = true }

  /// Takes a ping in.
  ///
  /// - Returns: whether the client is to be sent away.
  mutating func isTooMany(at now: NIODeadline, hasCalls: Bool) -> Bool {
    defer { last = now }
    if isForgiven {
      isForgiven = false
      count = 0
      return false
    }
    let least = hasCalls ? limits.pingSeconds : limits.idlePingSeconds
    if let last, now - last < .seconds(least) { count += 1 }
    return count > PingPolicy.strikes
  }
}
