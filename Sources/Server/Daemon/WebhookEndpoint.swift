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
  /// Deliveries that are remembered: beyond that they are forgotten, and would count again.
  fileprivate static let rememberedDeliveries = 10_000
  /// How long: a forge that is asked to deliver something again later is heard.
  fileprivate static let memorySeconds: Int64 = 600
  /// Deliveries to one source within a second, and how many may come at once.
  fileprivate static let ratePerSecond = 50.0
  fileprivate static let burst = 100.0

  fileprivate struct State {
    /// When each delivery came.
    var seen: [[UInt8]: Int64] = [:]
    var buckets: [String: (tokens: Double, filled: Int64)] = [:]
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
    guard path.utf8.starts(with: "/hooks/".utf8), let hooks = hooks[String(path.dropFirst(7))]
    else { return .unknownSource }
    guard method == "POST" else { return .wrongMethod }
    let known = hooks.first { $0.verifier.accepts(body, now: now, header: header) }
    // Nobody who does not know the secret gets further, nor uses up what others may send.
    guard let known else { return .unauthorized }
    let stamp = Array((header("x-configsync-timestamp") ?? "").utf8)
    let digest = WebhookVerifier.digest(of: Array(path.utf8) + [0] + stamp + [0] + body)
    let answer = state.withLock { state -> WebhookAnswer in
      guard state.take(at: now, from: known.source) else { return .tooMany }
      return state.remember(digest, at: now) ? .accepted : .repeated
    }
    guard answer == .accepted else { return answer }
    known.doorbell.ring(.source)
    return .accepted
  }
}

extension WebhookEndpoint.State {
  /// One of the deliveries that a source may get in a second.
  fileprivate mutating func take(at now: Int64, from source: String) -> Bool {
    var bucket = buckets[source] ?? (WebhookEndpoint.burst, now)
    // A clock may be set back.
    let passed = max(0, now - bucket.filled)
    bucket.tokens = min(
      WebhookEndpoint.burst, bucket.tokens + Double(passed) * WebhookEndpoint.ratePerSecond)
    bucket.filled = now
    defer { buckets[source] = bucket }
    guard bucket.tokens >= 1 else { return false }
    bucket.tokens -= 1
    return true
  }

  /// - Returns: whether it is new, or came too long ago to be somebody's repetition.
  fileprivate mutating func remember(_ digest: [UInt8], at now: Int64) -> Bool {
    if let time = seen[digest], abs(now - time) <= WebhookEndpoint.memorySeconds { return false }
    if seen.count >= WebhookEndpoint.rememberedDeliveries {
      seen = seen.filter { abs(now - $0.value) <= WebhookEndpoint.memorySeconds }
      if seen.count >= WebhookEndpoint.rememberedDeliveries { seen = [:] }
    }
    seen[digest] = now
    return true
  }
}
