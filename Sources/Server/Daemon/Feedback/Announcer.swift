import ConfigModel
import Foundation
import GitSource
public import Logging
public import Reconciler

/// Tells forges and others what happens to sources, and holds no reconciler up.
///
/// What waits is in memory alone: after a restart the newest commit of each source is told again, and what came before
/// is not.
public struct Feedback: Sendable {
  private let queues: [AnnouncementQueue]
  private let senders: [RequestSender]

  /// - Throws: `GitError` for a file of authorities or a secret that can't be read.
  public init(_ destinations: [FeedbackDestination], logger: Logger) throws {
    var (queues, senders): ([AnnouncementQueue], [RequestSender]) = ([], [])
    for destination in destinations {
      _ = try SecretFile.read(destination.secretFile)
      let sender = try RequestSender(authorities: destination.authoritiesFile)
      senders.append(sender)
      queues.append(
        AnnouncementQueue(destination, logger: logger, now: FreezeCalendar.system.now) {
          request, address throws(CancellationError) in
          try await sender.send(request, to: address)
        })
    }
    (self.queues, self.senders) = (queues, senders)
  }

  /// How many wait for each destination, and how many were given up.
  var counts: [(name: String, waiting: Int, lost: Int)] {
    // Several may have one name.
    Dictionary(grouping: queues, by: \.destination.name).sorted { $0.key < $1.key }.map {
      name, queues in
      (name, queues.reduce(0) { $0 + $1.count }, queues.reduce(0) { $0 + $1.lost })
    }
  }

  /// Sends what is announced until the task is cancelled.
  public func run() async {
    await withTaskGroup(of: Void.self) { group in
      for queue in queues { group.addTask { await queue.run(on: ContinuousClock()) } }
    }
    for sender in senders { await sender.shutDown() }
  }

  /// What tells of one source.
  public func announcer(of source: String) -> Announcer {
    Announcer(
      source: source,
      queues: queues.filter { $0.destination.source == nil || $0.destination.source == source },
      now: FreezeCalendar.system.now)
  }
}

/// Tells what happens to one source.
public struct Announcer: Sendable {
  let source: String
  let queues: [AnnouncementQueue]
  /// Seconds since 1970.
  let now: @Sendable () -> Int64

  /// Returns at once.
  public func announce(_ event: SourceEvent) {
    for queue in queues {
      switch queue.destination.address {
      case .status(_, let context):
        guard let (status, commit) = event.status(context: context) else { continue }
        queue.add(Announcement(source: source, content: .status(status, commit)))
      case .webhook:
        let time = timestamp(secondsSince1970: now())
        // Texts and numbers can always be encoded.
        let delivery = UUID().uuidString.lowercased()
        guard let body = try? event.body(source: source, time: time, delivery: delivery) else {
          continue
        }
        queue.add(
          Announcement(
            source: source,
            content: .webhook(
              event: event.kind.rawValue, delivery: delivery, body: body)))
      }
    }
  }
}
