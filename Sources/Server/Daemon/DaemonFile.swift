public import GitSource
public import Reconciler

/// What the reconciler's own file says: which sources there are, and what their branches must not decide themselves.
public struct DaemonFile: Sendable {
  public struct Source: Sendable {
    /// In the store, whatever its configsync.yaml says.
    public var name: String
    /// A path, or a URL.
    public var url: String
    public var branch = "HEAD"
    public var credentials = GitCredentials()
    public var interval = Duration.seconds(30)
    public var history = HistoryMode.head
    public var requiresSignatures = false
    public var drift = DriftMode.correct

    public init(name: String, url: String) {
      self.name = name
      self.url = url
    }
  }

  public struct Hook: Sendable {
    public var source: String
    public var kind: ForgeKind
    public var secretFile: String

    public init(source: String, kind: ForgeKind, secretFile: String) {
      self.source = source
      self.kind = kind
      self.secretFile = secretFile
    }
  }

  public var sources: [Source] = []
  public var signers = TrustedSigners()
  /// Where webhooks are taken: HOST:PORT.
  public var webhookAddress: String?
  public var hooks: [Hook] = []
  /// Who is told what becomes of commits.
  public var statuses: [FeedbackDestination] = []

  public init() {}
}
