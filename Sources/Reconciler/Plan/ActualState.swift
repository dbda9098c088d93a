public import ConfigModel

/// What the store holds of one source, as of one reading and what was applied since.
public struct ActualState: Sendable {
  public var source: String
  /// The commit that the store holds, and the revision of its head record; nil and 0 before the
  /// first.
  public var head: CommitID?
  public var headRevision: Int64 = 0
  /// The revisions that this source's commits made: what they wrote is the source's own.
  public var revisions: [Int64: CommitID] = [:]
  /// Those of them that put back what others had changed.
  var corrected: Set<Int64> = []
  /// Commits that were refused, and at which revision that was recorded last.
  public var refusals: [CommitID: Int64] = [:]
  /// The branch that the source follows, where that is known.
  var branch: String?
  /// Commits that somebody wants skipped.
  public var rejections: [CommitID: RejectionRecord] = [:]
  /// What was last said of stopping the source, and at which revision: 0 if nothing was.
  public var suspension: SuspensionRecord?
  public var suspensionRevision: Int64 = 0
  public var state: StateRecord?
  public var stateRevision: Int64 = 0
  /// Newest last.
  public var corrections: [CorrectionRecord] = []
  /// The prefixes whose keys are in `items`.
  var prefixes: Set<ConfigPath> = []
  /// Live keys under the source's prefixes, by their text.
  public var items: [ConfigPath: StoredItem] = [:]

  /// What the items are known to be, all of them the source's own; nil where that is not known.
  var published: KeySpace?

  public init(source: String) { self.source = source }

  /// As others may have changed them.
  mutating func forgetItems() {
    items = [:]
    prefixes = []
    published = nil
  }

  /// A key that a commit of this source created or wrote last; others are somebody else's, and are
  /// never deleted.
  public func isOwned(_ item: StoredItem) -> Bool {
    revisions[item.modRevision] != nil || revisions[item.createRevision] != nil
  }
}
