import ConfigModel
public import GitSource
import Reconciler

/// Where events of sources are told, and with which secret.
public struct FeedbackDestination: Hashable, Sendable {
  public enum Address: Hashable, Sendable {
    /// Statuses of commits, at a forge.
    case status(StatusAddress, context: String)
    /// Everything, signed.
    case webhook(SignedWebhook)
  }

  /// Nil for every source.
  public var source: String?
  public var address: Address
  /// A token, or what webhooks are signed with; read each time.
  public var secretFile: String
  /// PEM: who may certify the service, instead of the system's authorities.
  public var authoritiesFile: String?

  public init(source: String?, address: Address, secretFile: String) {
    self.source = source
    self.address = address
    self.secretFile = secretFile
  }

  /// What tells a source's statuses from others', unless somebody says so.
  public static func context(of source: String) -> String { "configsync/\(source)" }

  /// For messages and metrics: the path of a webhook may be a secret.
  var name: String {
    switch address {
    case .status(let address, let context):
      "\(address.kind.rawValue) \(FeedbackDestination.host(address.api)) \(address.repository) \(context)"
    case .webhook(let webhook): "generic \(FeedbackDestination.host(webhook.url))"
    }
  }

  private static func host(_ url: String) -> Substring {
    // After the scheme, which each of them has.
    url.drop { $0 != "/" }.drop { $0 == "/" }.prefix { !"/?".contains($0) }
  }
}

/// One event on its way to one destination.
struct Announcement: Hashable, Sendable {
  enum Content: Hashable, Sendable {
    case status(CommitStatus, CommitID)
    case webhook(event: String, delivery: String, body: [UInt8])
  }

  var source: String
  var content: Content

  var bytes: Int {
    switch content {
    case .status(let status, _): status.description.utf8.count + status.context.utf8.count
    case .webhook(_, _, let body): body.count
    }
  }

  /// Whether nothing is lost if only this one is sent.
  func replaces(_ older: Announcement) -> Bool {
    guard case .status(let new, let commit) = content,
      case .status(let old, let other) = older.content
    else { return false }
    return commit == other && new.context == old.context
  }
}

extension SourceEvent {
  /// What a forge is to show; nil where the event is about no commit.
  func status(context: String) -> (status: CommitStatus, commit: CommitID)? {
    let state: CommitStatus.State? =
      switch kind {
      case .applied, .running: .success
      case .refused: .failure
      case .suspended, .frozen: .pending
      case .stopped, .superseded: .error
      case .corrected, .stale, .drifted, .failing: nil
      }
    guard let state, let commit else { return nil }
    let description =
      switch kind {
      case .suspended: "waits: suspended \(message)"
      case .frozen: "waits: changes are frozen \(message)"
      case .stopped: "stopped: \(message)"
      default: message
      }
    return (CommitStatus(state, context: context, description: description), commit)
  }

  /// The body of a webhook.
  func body(source: String, time: String, delivery: String) throws -> [UInt8] {
    let refusal = facts.map { facts in
      var record = RefusalRecord(facts: facts, diagnostics: findings)
      for index in record.findings.indices {
        let message = record.findings[index].message
        record.findings[index].message = oneLine(message)
      }
      return record
    }
    let author = facts.map { facts in
      var author = facts.author
      (author.name, author.email) = (oneLine(facts.author.name), oneLine(facts.author.email))
      return author
    }
    return try ReservedKeys.encode(
      WebhookBody(
        event: kind.rawValue, source: source, time: time, delivery: delivery, message: message,
        commit: commit?.text, subject: facts.map { oneLine($0.subject) }, author: author,
        revision: revision,
        puts: kind == .applied ? puts : nil, deletes: kind == .applied ? deletes : nil,
        findings: kind == .refused ? refusal?.findings : nil,
        findingCount: kind == .refused ? refusal?.findingCount : nil,
        keys: keys.isEmpty ? nil : keys.prefix(WebhookBody.keyLimit).map(\.text),
        keyCount: keys.isEmpty ? nil : keys.count))
  }
}

/// See Documentation/reconciling.md.
private struct WebhookBody: Encodable {
  /// Keys that are named; the rest is counted.
  static let keyLimit = 100

  var apiVersion = "configsync/v1"
  var event: String
  var source: String
  var time: String
  /// The same if it is sent again.
  var delivery: String
  var message: String
  var commit: String?
  var subject: String?
  var author: CommitFacts.Person?
  var revision: Int64?
  var puts: Int?
  var deletes: Int?
  var findings: [RefusalRecord.Finding]?
  var findingCount: Int?
  var keys: [String]?
  var keyCount: Int?
}
