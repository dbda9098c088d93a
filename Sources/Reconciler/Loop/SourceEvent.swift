public import ConfigModel

/// Something that has happened to a source: news, told once.
public struct SourceEvent: Sendable {
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// A commit is in the store.
    case applied
    /// A commit is not, and a newer one is needed.
    case refused
    /// A commit that was said to wait is passed over.
    case superseded
    /// Keys that somebody else had changed were put back.
    case corrected
    /// The source goes on, or was found in step at first.
    case running
    /// Commits wait: somebody has said so, or a window lasts.
    case suspended, frozen
    /// The source can't be read: what was read last is served.
    case stale
    /// Somebody else has changed keys, and they are left as they are.
    case drifted
    /// Trying again is no use until someone has decided.
    case stopped
    /// Something went wrong, and is tried again.
    case failing
  }

  public var kind: Kind
  /// For people, on one line.
  public var message: String
  /// The commit that it is about: for `running` the store's, for what holds the source up the one that waits.
  public var commit: CommitID?
  /// Of a commit that was judged.
  public var facts: CommitFacts?
  /// Which the commit, or the correction, has become.
  public var revision: Int64?
  public var puts = 0
  public var deletes = 0
  /// Why a commit was refused.
  public var findings: [Diagnostic] = []
  /// Those that somebody else had changed, in order.
  public var keys: [ConfigPath] = []

  init(_ kind: Kind, _ message: String, commit: CommitID? = nil) {
    self.kind = kind
    self.message = message
    self.commit = commit
  }
}

extension SourceEvent.Kind {
  init(_ state: StateRecord.Kind) {
    switch state {
    case .running: self = .running
    case .suspended: self = .suspended
    case .frozen: self = .frozen
    case .stale: self = .stale
    case .stopped: self = .stopped
    case .drifted: self = .drifted
    }
  }
}
