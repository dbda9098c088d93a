import GitSource
import Logging
import Reconciler
import Synchronization

/// What waits to be sent to one destination: in order, each until it has arrived, and never more than a limit.
final class AnnouncementQueue: Sendable {
  /// Sends one request.
  typealias Sender =
    @Sendable (OutgoingRequest, StatusAddress?) async throws(CancellationError)
    -> RequestSender.Outcome

  private struct State {
    var waiting: [Announcement] = []
    /// Given up, or refused.
    var lost = 0
    var isFull = false
  }

  /// Announcements that wait; beyond that the oldest is given up.
  static let limit = 1000
  /// How often one is tried: for about an hour.
  static let attempts = 64
  private static let firstPause = Duration.seconds(1)
  private static let longestPause = Duration.seconds(60)

  let destination: FeedbackDestination
  private let sender: Sender
  private let now: @Sendable () -> Int64
  private let logger: Logger
  private let state = Mutex(State())
  private let arrivals: AsyncStream<Void>
  private let arrived: AsyncStream<Void>.Continuation

  /// - Parameter now: seconds since 1970.
  init(
    _ destination: FeedbackDestination, logger: Logger, now: @escaping @Sendable () -> Int64,
    sender: @escaping Sender
  ) {
    self.destination = destination
    self.sender = sender
    self.now = now
    var logger = logger
    logger[metadataKey: "destination"] = "\(destination.name)"
    self.logger = logger
    (arrivals, arrived) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// How many wait.
  var count: Int { state.withLock { $0.waiting.count } }
  /// How many were never told.
  var lost: Int { state.withLock { $0.lost } }

  /// Returns at once.
  func add(_ announcement: Announcement) {
    let isFirstDropped = state.withLock { state in
      state.waiting.removeAll { announcement.replaces($0) }
      state.waiting.append(announcement)
      guard state.waiting.count > AnnouncementQueue.limit else { return false }
      state.waiting.removeFirst()
      state.lost += 1
      defer { state.isFull = true }
      return !state.isFull
    }
    if isFirstDropped {
      logger.warning("more is to be told than is taken: the oldest is given up")
    }
    arrived.yield()
  }

  /// Sends until the task is cancelled; only one caller at a time.
  func run(on clock: some Clock<Duration>) async {
    while !Task.isCancelled {
      while let next = state.withLock({ $0.waiting.first }) {
        do {
          try await deliver(next, on: clock)
        } catch {
          return
        }
      }
      var iterator = arrivals.makeAsyncIterator()
      guard await iterator.next() != nil else { return }
    }
  }

  /// Tries one until it has arrived, is refused, or was replaced or given up meanwhile.
  private func deliver(
    _ announcement: Announcement, on clock: some Clock<Duration>
  ) async throws {
    for attempt in 0..<AnnouncementQueue.attempts {
      guard state.withLock({ $0.waiting.first == announcement }) else { return }
      let backoff = min(
        AnnouncementQueue.firstPause * (1 << min(attempt, 6)), AnnouncementQueue.longestPause)
      switch try await send(announcement) {
      case .delivered:
        if attempt > 0 { logger.notice("what was to be told has arrived") }
        return remove(announcement, isLost: false)
      case .refused(let reason):
        logger.error("what was to be told is refused", metadata: ["reason": "\(reason)"])
        return remove(announcement, isLost: true)
      case .failed(let reason, let retryAfter):
        if attempt == 0 {
          logger.warning(
            "nobody takes what is to be told: it is tried again", metadata: ["reason": "\(reason)"])
        }
        try await clock.sleep(for: max(retryAfter ?? .zero, backoff * Double.random(in: 0.9...1.1)))
      }
    }
    logger.error("what was to be told is given up")
    remove(announcement, isLost: true)
  }

  private func send(_ announcement: Announcement) async throws -> RequestSender.Outcome {
    let secret: String
    do {
      secret = try SecretFile.read(destination.secretFile)
    } catch {
      return .failed("\(error)", retryAfter: nil)
    }
    switch (announcement.content, destination.address) {
    case (.status(let status, let commit), .status(let address, _)):
      return try await sender(address.request(status, of: commit, token: secret), address)
    case (.webhook(let event, let delivery, let body), .webhook(let webhook)):
      let request = webhook.request(
        body, event: event, delivery: delivery, secret: secret, now: now())
      guard let request else {
        return .failed("'\(destination.secretFile)' has less than eight bytes", retryAfter: nil)
      }
      return try await sender(request, nil)
    default: return .refused("it is for another destination")
    }
  }

  /// Another one may have taken its place.
  private func remove(_ announcement: Announcement, isLost: Bool) {
    state.withLock { state in
      if isLost { state.lost += 1 }
      if state.waiting.first == announcement { state.waiting.removeFirst() }
      if state.waiting.isEmpty { state.isFull = false }
    }
  }
}
