import GitSource
import Logging
import Reconciler
import Synchronization

/// What waits to be sent to one destination: each until it has arrived, and never more than a limit.
///
/// What comes first is sent first; one that fails goes to the end, so that it holds no other up.
final class AnnouncementQueue: Sendable {
  /// Sends one request.
  typealias Sender =
    @Sendable (OutgoingRequest, StatusAddress?) async throws(CancellationError)
    -> RequestSender.Outcome

  fileprivate struct Waiting {
    var announcement: Announcement
    var attempts = 0
    /// Since it was sent first.
    var age = Duration.zero
  }

  fileprivate struct State {
    var waiting: [Waiting] = []
    var bytes = 0
    /// Given up, or refused.
    var lost = 0
    var isFull = false
  }

  /// Announcements that wait, and their bytes; beyond that the oldest are given up.
  static let limit = 1000
  static let byteLimit = 16 << 20
  /// How often and how long one is tried.
  static let attempts = 64
  static let longestTime = Duration.seconds(3600)
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
    let isFirstLost = state.withLock { state in
      state.remove { announcement.replaces($0) }
      state.append(Waiting(announcement: announcement))
      var isNew = false
      while state.waiting.count > AnnouncementQueue.limit
        || (state.bytes > AnnouncementQueue.byteLimit && state.waiting.count > 1)
      {
        let oldest = state.waiting[0].announcement
        state.remove { $0 == oldest }
        state.lost += 1
        isNew = !state.isFull
        state.isFull = true
      }
      return isNew
    }
    if isFirstLost {
      logger.warning("more is to be told than is taken: the oldest is given up")
    }
    arrived.yield()
  }

  /// Sends until the task is cancelled; only one caller at a time.
  func run(on clock: some Clock<Duration>) async {
    /// In a row.
    var failures = 0
    while !Task.isCancelled {
      while let next = state.withLock({ $0.waiting.first }) {
        let start = clock.now
        do {
          let pause = try await deliver(next, &failures)
          if let pause { try await clock.sleep(for: pause) }
        } catch {
          return
        }
        age(by: start.duration(to: clock.now))
      }
      var iterator = arrivals.makeAsyncIterator()
      guard await iterator.next() != nil else { return }
    }
  }

  /// Sends one, and takes it out of the queue or puts it at its end.
  ///
  /// - Returns: what to wait before the next one; nil if nothing.
  private func deliver(_ next: Waiting, _ failures: inout Int) async throws -> Duration? {
    switch try await send(next.announcement) {
    case .delivered:
      if failures > 0 { logger.notice("what was to be told arrives again") }
      failures = 0
      remove(next.announcement, isLost: false)
      return nil
    case .refused(let reason):
      logger.error("what was to be told is refused", metadata: ["reason": "\(reason)"])
      remove(next.announcement, isLost: true)
      return nil
    case .failed(let reason, let retryAfter):
      if failures == 0 {
        logger.warning(
          "nobody takes what is to be told: it is tried again", metadata: ["reason": "\(reason)"])
      }
      failures += 1
      if next.attempts + 1 >= AnnouncementQueue.attempts
        || next.age >= AnnouncementQueue.longestTime
      {
        logger.error("what was to be told is given up", metadata: ["reason": "\(reason)"])
        remove(next.announcement, isLost: true)
      } else {
        putBack(next.announcement)
      }
      let backoff = min(
        AnnouncementQueue.firstPause * (1 << min(failures - 1, 6)), AnnouncementQueue.longestPause)
      return max(
        min(retryAfter ?? .zero, AnnouncementQueue.longestTime),
        backoff * Double.random(in: 0.9...1.1))
    }
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
      // Anything else is no part of a header.
      guard secret.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
        return .failed("'\(destination.secretFile)' holds no token", retryAfter: nil)
      }
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

  /// It may have been replaced, or given up, meanwhile.
  private func remove(_ announcement: Announcement, isLost: Bool) {
    state.withLock { state in
      let wasThere = state.remove { $0 == announcement }
      if isLost, wasThere { state.lost += 1 }
      if state.waiting.isEmpty { state.isFull = false }
    }
  }

  private func putBack(_ announcement: Announcement) {
    state.withLock { state in
      guard let index = state.waiting.firstIndex(where: { $0.announcement == announcement }) else {
        return
      }
      var waiting = state.waiting.remove(at: index)
      waiting.attempts += 1
      state.waiting.append(waiting)
    }
  }

  /// Time has passed for those that were sent before, too.
  private func age(by time: Duration) {
    state.withLock { state in
      for index in state.waiting.indices where state.waiting[index].attempts > 0 {
        state.waiting[index].age += time
      }
    }
  }
}

extension AnnouncementQueue.State {
  fileprivate mutating func append(_ waiting: AnnouncementQueue.Waiting) {
    self.waiting.append(waiting)
    bytes += waiting.announcement.bytes
  }

  @discardableResult
  fileprivate mutating func remove(_ isMeant: (Announcement) -> Bool) -> Bool {
    var removed = false
    waiting.removeAll { waiting in
      guard isMeant(waiting.announcement) else { return false }
      bytes -= waiting.announcement.bytes
      removed = true
      return true
    }
    return removed
  }
}
