import ConfigModel
import Foundation
import GitSource
import Logging
import Reconciler
import Synchronization
import TestSupport
import Testing

@testable import Server

/// No time passes: a sleep of any length is over at once.
private struct HurriedClock: Clock {
  typealias Instant = ContinuousClock.Instant
  let slept = Slept()
  /// Happens in each sleep.
  var meanwhile: @Sendable () -> Void = {}
  final class Slept: Sendable { let pauses = Mutex<[Duration]>([]) }
  private let start = ContinuousClock.now
  var now: Instant { start }
  var minimumResolution: Duration { .zero }

  func sleep(until deadline: Instant, tolerance: Duration?) async throws {
    slept.pauses.withLock { $0.append(deadline - start) }
    meanwhile()
    try Task.checkCancellation()
  }
}

/// How what happens is told, when nobody listens and when many do.
struct FeedbackTests {
  private let folder: TemporaryFolder
  private let secretFile: String

  init() throws {
    folder = try TemporaryFolder()
    secretFile = folder.path + "/secret"
    try Data("a-long-secret\n".utf8).write(to: URL(fileURLWithPath: secretFile))
  }

  private final class Wire: Sendable {
    let sent = Mutex<[OutgoingRequest]>([])
    /// What is answered, in order; delivered once there is none left.
    let answers: Mutex<[RequestSender.Outcome]>
    init(_ answers: [RequestSender.Outcome] = []) { self.answers = Mutex(answers) }

    func send(_ request: OutgoingRequest) -> RequestSender.Outcome {
      sent.withLock { $0.append(request) }
      return answers.withLock { $0.isEmpty ? .delivered : $0.removeFirst() }
    }
  }

  private func status(_ source: String? = "acme") throws -> FeedbackDestination {
    FeedbackDestination(
      source: source,
      address: .status(
        try StatusAddress(.gitea, api: "https://forge.example.com", repository: "a/b"),
        context: "configsync/acme"),
      secretFile: secretFile)
  }

  private func queue(_ destination: FeedbackDestination, _ wire: Wire) -> AnnouncementQueue {
    AnnouncementQueue(destination, logger: Logger(label: "t") { _ in SwiftLogNoOpLogHandler() }) {
      1000
    } sender: { request, _ in
      wire.send(request)
    }
  }

  private func announcement(_ digit: Int, _ text: String = "d") -> Announcement {
    let commit = CommitID(String(repeating: "0", count: 36) + String(1000 + digit))!
    return Announcement(
      source: "acme",
      content: .status(CommitStatus(.success, context: "c", description: text), commit))
  }

  /// Runs the queue until nothing waits.
  private func drain(_ queue: AnnouncementQueue, on clock: HurriedClock) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await queue.run(on: clock) }
      while queue.count > 0 { await Task.yield() }
      group.cancelAll()
    }
  }

  @Test func whatFailsIsSentAgain() async throws {
    let wire = Wire([.failed("503", retryAfter: .seconds(90)), .failed("cut", retryAfter: nil)])
    let queue = queue(try status(), wire)
    let clock = HurriedClock()
    queue.add(announcement(1))
    queue.add(announcement(2))
    await drain(queue, on: clock)
    let ends = wire.sent.withLock { $0.map { String($0.url.suffix(1)) } }
    #expect(ends == ["1", "2", "1", "2"], "one that fails holds no other up")
    let pauses = clock.slept.pauses.withLock { $0 }
    #expect(pauses[0] == .seconds(90), "what the service asks for")
    #expect(pauses[1] > .seconds(1) && pauses[1] < .seconds(3))
  }

  @Test func whatIsRefusedIsNotSentAgain() async throws {
    let wire = Wire([.refused("404")])
    let queue = queue(try status(), wire)
    for digit in 1...2 { queue.add(announcement(digit)) }
    await drain(queue, on: HurriedClock())
    #expect(wire.sent.withLock { $0.count } == 2)
  }

  @Test func nothingIsTriedWithoutEnd() async throws {
    let wire = Wire(Array(repeating: .failed("503", retryAfter: nil), count: 1000))
    let queue = queue(try status(), wire)
    queue.add(announcement(1))
    let clock = HurriedClock()
    await drain(queue, on: clock)
    #expect(wire.sent.withLock { $0.count } == AnnouncementQueue.attempts)
    #expect(clock.slept.pauses.withLock { $0.allSatisfy { $0 <= .seconds(66) } })
  }

  @Test func aNewerStatusOfACommitTakesAnOldersPlace() throws {
    let queue = queue(try status(), Wire())
    for text in ["a", "b"] { queue.add(announcement(1, text)) }
    #expect(queue.count == 1)
    queue.add(announcement(2))
    #expect(queue.count == 2)
  }

  @Test func theQueueHasALimit() async throws {
    let wire = Wire()
    let queue = queue(try status(), wire)
    for digit in 0..<(AnnouncementQueue.limit + 5) { queue.add(announcement(digit)) }
    #expect(queue.count == AnnouncementQueue.limit)
    await drain(queue, on: HurriedClock())
    #expect(
      wire.sent.withLock { $0.first?.url.hasSuffix("1005") } == true, "the oldest is given up")
  }

  @Test func theQueueHasALimitOfBytesToo() throws {
    let queue = queue(try status(), Wire())
    let long = String(repeating: "x", count: AnnouncementQueue.byteLimit / 3)
    for digit in 0..<5 { queue.add(announcement(digit, long)) }
    #expect(queue.count == 2 && queue.lost == 3)
  }

  @Test func aTokenIsNothingElse() async throws {
    try Data("to\u{7f}ken".utf8).write(to: URL(fileURLWithPath: secretFile))
    let wire = Wire()
    let queue = queue(try status(), wire)
    queue.add(announcement(1))
    await drain(queue, on: HurriedClock())
    #expect(wire.sent.withLock { $0.isEmpty } && queue.lost == 1)
  }

  @Test func aLongSubjectIsCut() throws {
    let facts = CommitFacts(
      commit: CommitID(String(repeating: "a", count: 40))!, parents: [], tree: "t",
      author: .init(name: "Ada\nBob", email: "a@b", secondsSince1970: 0, offsetMinutes: 0),
      committer: .init(name: "Ada", email: "a@b", secondsSince1970: 0, offsetMinutes: 0),
      subject: String(repeating: "s", count: 1 << 20))
    let told = Mutex<[SourceEvent]>([])
    EventJournal { event in told.withLock { $0.append(event) } }.note(facts, .refused([]))
    let body = try told.withLock { try $0[0].body(source: "a", time: "t", delivery: "d") }
    #expect(body.count < 4096)
    let text = String(decoding: body, as: UTF8.self)
    #expect(text.contains("\"delivery\":\"d\"") && text.contains("\"name\":\"Ada Bob\""))
  }

  @Test func aSecretThatComesLaterIsRead() async throws {
    var destination = try status()
    destination.secretFile = folder.path + "/later"
    let wire = Wire()
    let queue = queue(destination, wire)
    queue.add(announcement(1))
    let file = destination.secretFile
    let clock = HurriedClock(meanwhile: {
      try? Data("t0ken".utf8).write(to: URL(fileURLWithPath: file))
    })
    await drain(queue, on: clock)
    let headers = wire.sent.withLock { $0[0].headers }
    #expect(headers.contains { $0.value == "token t0ken" })
  }

  @Test func whoIsToldWhat() throws {
    let webhook = FeedbackDestination(
      source: nil, address: .webhook(try SignedWebhook(url: "https://x/hook")),
      secretFile: secretFile)
    let feedback = try Feedback(
      [try status(), try status("other"), webhook], logger: Logger(label: "t"))
    #expect(feedback.announcer(of: "acme").queues.count == 2)
    #expect(feedback.announcer(of: "third").queues.count == 1)
    var missing = webhook
    missing.secretFile = folder.path + "/none"
    #expect(throws: GitError.self) { try Feedback([missing], logger: Logger(label: "t")) }
  }

  @Test func aFileNamesWhoIsTold() throws {
    let text = """
      apiVersion: configsync/v1
      sources: [{name: acme, url: https://github.com/acme/config.git}, {name: local, url: /srv/x}]
      statuses:
        - {source: acme, forge: github, tokenFile: /etc/token}
        - {source: local, forge: gitlab, api: https://g.example.com/api/v4, repository: a/b/c, tokenFile: t, context: c, caFile: ca}
        - {forge: generic, url: https://alerts.example.com/x, secretFile: /etc/secret}

      """
    let (file, diagnostics) = DaemonFileReader.read(Array(text.utf8), named: "run.yaml")
    let statuses = try #require(file, "\(diagnostics.map(\.message))").statuses
    #expect(statuses.map(\.source) == ["acme", "local", nil])
    #expect(
      statuses.map(\.name) == [
        "github api.github.com acme/config configsync/acme", "gitlab g.example.com a/b/c c",
        "generic alerts.example.com",
      ])
    guard case .status(_, let context) = statuses[0].address else {
      Issue.record("GitHub has statuses")
      return
    }
    #expect(context == "configsync/acme" && statuses[1].authoritiesFile == "ca")
  }

  @Test(arguments: [
    ("{source: b, forge: github, tokenFile: t}", "there is no source 'b'"),
    ("{source: a, tokenFile: t}", "the status has no 'forge'"),
    ("{source: a, forge: github}", "the status has no 'tokenFile'"),
    ("{forge: gitea, tokenFile: t}", "the status has no 'source'"),
    (
      "{source: a, forge: bitbucket, tokenFile: t}",
      "forge is one of github, gitlab, gitea, generic"
    ),
    ("{source: a, forge: github, token: t}", "a secret does not stand in this file"),
    (
      "{forge: generic, url: 'http://x', secretFile: s}",
      "what is sent there would cross the network unprotected: use https"
    ),
    (
      "{forge: generic, url: 'https://x', secretFile: s, tokenFile: t}",
      "'tokenFile' means nothing to 'generic'"
    ),
    ("{source: a, forge: github, tokenFile: t, colour: red}", "unknown key 'colour'"),
    (
      "{source: a, forge: github, tokenFile: t}",
      "the source's url is of no forge: name the 'api' and the 'repository'"
    ),
    ("7", "a status is a map"),
  ])
  func whatIsWrongIsTold(entry: String, expected: String) {
    let text = "apiVersion: configsync/v1\nsources: [{name: a, url: /x}]\nstatuses: [\(entry)]\n"
    let (file, diagnostics) = DaemonFileReader.read(Array(text.utf8), named: "run.yaml")
    #expect(
      file == nil && diagnostics.contains { $0.message == expected },
      "\(diagnostics.map(\.message))")
  }
}
