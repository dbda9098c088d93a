public import ConfigModel
import OrderedCollections

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

  /// - Complexity: O(*n*) in keys.
  public init(from old: KeySpace, to new: KeySpace) {
    var (left, right) = (old.items.elements[...], new.items.elements[...])
    while left.first != nil || right.first != nil {
      let (before, after) = (left.first, right.first)
      if let before, after.map({ before.key < $0.key }) ?? true {
        changes.append(Change(key: before.key, kind: .removed, old: before.value, new: nil))
        left = left.dropFirst()
      } else if let after, before.map({ after.key < $0.key }) ?? true {
        changes.append(Change(key: after.key, kind: .added, old: nil, new: after.value))
        right = right.dropFirst()
      } else if let before, let after {
        if before.value.value != after.value.value {
          changes.append(
            Change(key: after.key, kind: .changed, old: before.value, new: after.value))
        }
        left = left.dropFirst()
        right = right.dropFirst()
      }
    }
  }

  public func count(of kind: Change.Kind) -> Int { changes.count { $0.kind == kind } }
}
