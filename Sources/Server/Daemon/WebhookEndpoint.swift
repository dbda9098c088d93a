public import GitSource
public import Reconciler
import Synchronization

/// What a webhook is answered with.
public enum WebhookAnswer: Int, Hashable, Sendable {
  /// It counts: the source is looked at.
  case accepted = 202
  /// It came before.
  case repeated = 200
  case unauthorized = 401
  case unknownSource = 404
  case wrongMethod = 405
  case tooMany = 429
}

/// Takes webhooks at `/hooks/NAME`: nothing but a hint to look at a source, and never read.
public final class WebhookEndpoint: Sendable {
  public struct Hook: Sendable {
    public var source: String
    public var verifier: WebhookVerifier
    public var doorbell: Doorbell

    public init(source: String, verifier: WebhookVerifier, doorbell: Doorbell) {
      self.source = source
      self.verifier = verifier
      self.doorbell = doorbell
    }
  }

  /// Bytes of a body.
  public static let bodyLimit = 1 << 20
  /// Deliveries that are remembered: beyond that the oldest are forgotten, and would count again.
  fileprivate static let rememberedDeliveries = 10_000
  /// Requests within a second that are looked at, and how many may come at once.
  fileprivate static let ratePerSecond = 50.0
  fileprivate static let burst = 100.0

  fileprivate struct State {
    var seen: Set<[UInt8]> = []
    var order: [[UInt8]] = []
    var next = 0
    var tokens = WebhookEndpoint.burst
    var filled: Int64 = 0
  }

  private let hooks: [String: [Hook]]
  private let state = Mutex(State())
  private let now: @Sendable () -> Int64

  /// - Parameters:
  ///   - hooks: several of one source are tried in turn.
  ///   - now: seconds since 1970.
  public init(_ hooks: [Hook], now: @escaping @Sendable () -> Int64) {
    self.hooks = Dictionary(grouping: hooks, by: \.source)
    self.now = now
  }

  /// - Complexity: O(bytes).
  public func answer(
    method: String, path: String, body: [UInt8], header: (_ name: String) -> String?
  ) -> WebhookAnswer {
    let now = now()
    guard state.withLock({ $0.take(at: now) }) else { return .tooMany }
    guard path.utf8.starts(with: "/hooks/".utf8), let hooks = hooks[String(path.dropFirst(7))]
    else { return .unknownSource }
    guard method == "POST" else { return .wrongMethod }
    let known = hooks.first { $0.verifier.accepts(body, now: now, header: header) }
    guard let known else { return .unauthorized }
    let digest = WebhookVerifier.digest(of: Array(path.utf8) + body)
    guard state.withLock({ $0.remember(digest) }) else { return .repeated }
    known.doorbell.ring(.source)
    return .accepted
  }
}

extension WebhookEndpoint.State {
  /// One of the requests that a second may have.
  fileprivate mutating func take(at now: Int64) -> Bool {
    if now > filled {
      tokens = min(
        WebhookEndpoint.burst, tokens + Double(now - filled) * WebhookEndpoint.ratePerSecond)
    }
    filled = max(filled, now)
    guard tokens >= 1 else { return false }
    tokens -= 1
    return true
  }

  /// - Returns: whether it is new.
  fileprivate mutating func remember(_ digest: [UInt8]) -> Bool {
    guard seen.insert(digest).inserted else { return false }
    if order.count < WebhookEndpoint.rememberedDeliveries {
      order.append(digest)
    } else {
      seen.remove(order[next])
      order[next] = digest
      next = (next + 1) % order.count
    }
    return true
  }
}
