public import ConfigModel

/// What changes from one key space to another.
public struct KeySpaceDiff: Sendable {
  public struct Change: Sendable {
    public enum Kind: String, Sendable { case added, changed, removed }

    public var key: ConfigPath
    public var kind: Kind
    /// nil if it is added.
    public var old: KeySpace.Item?
    /// nil if it is removed.
    public var new: KeySpace.Item?
  }

  /// Sorted by the bytes of the key.
  public var changes: [Change] = []

  /// - Complexity: O(*n*) in keys; in those that change, where one was compiled after the other with one cache.
  public init(from old: KeySpace, to new: KeySpace) {
    new.items.differences(from: old.items) { key, before, after in
      guard before?.value != after?.value else { return }
      let kind: Change.Kind =
        if before == nil { .added } else if after == nil { .removed } else { .changed }
      changes.append(Change(key: key, kind: kind, old: before, new: after))
    }
  }

  public func count(of kind: Change.Kind) -> Int { changes.count { $0.kind == kind } }
}
