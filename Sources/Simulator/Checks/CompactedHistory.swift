import Store

/// Holds what a member has kept of the history against what happened: every change from its oldest
/// revision on, and each key as it stood there.
struct CompactedHistory {
  let truth: Truth
  let store: KeyValueStore

  func verdict() throws -> String? {
    let oldest = store.current.compactRevision
    let found = try store.events(
      in: .from(Key([0])), from: oldest, withPrevious: false, maximumBytes: .max
    ).batches
    let expected = truth.history.filter { $0.revision >= oldest }
    guard found.map(\.revision) == expected.map(\.revision) else {
      return "has lost changes since \(oldest)"
    }
    for (one, other) in zip(found, expected)
    where one.events.map(\.change) != other.events.map(\.change) {
      return "has other changes at \(one.revision)"
    }
    guard oldest > Revision(0) else { return nil }
    let items = try store.range(RangeQuery(.from(Key([0])), at: oldest)).result.items
    return items == state(at: oldest) ? nil : "reads something else at \(oldest)"
  }

  private func state(at revision: Revision) -> [KeyValue] {
    var items: [Key: KeyValue] = [:]
    for change in truth.history where change.revision <= revision {
      for event in change.events {
        if case .put(let item) = event.change {
          items[event.key] = item
        } else {
          items[event.key] = nil
        }
      }
    }
    return items.values.sorted { $0.key < $1.key }
  }
}
