public import ConfigModel

/// What a commit changes in the store.
public struct Plan: Hashable, Sendable {
  public struct Put: Hashable, Sendable {
    public var path: ConfigPath
    public var value: [UInt8]
    public var isNew: Bool
  }

  public var commit: CommitID
  public var puts: [Put]
  public var deletes: [ConfigPath]
  public var keyCount: Int
}

/// Compares what a commit wants with what the store holds.
///
/// A key that holds the wanted value, but was never written by this source, is put all the same:
/// so every key has a commit that answers for it.
///
/// - Complexity: O(*n* log *n*) in keys; in those that change, where it is known what was published before.
public func plan(_ desired: KeySpace, for commit: CommitID, on actual: ActualState) -> Plan {
  // Its record moves to the new revision, so what it wrote at the old one must move along.
  let isAppliedAgain = actual.revisions.values.contains(commit)
  if let published = actual.published, !isAppliedAgain {
    return plan(desired, after: published, for: commit, on: actual)
  }
  var puts: [Plan.Put] = []
  for (path, item) in desired.items {
    let current = actual.items[path]
    if let current, !isAppliedAgain, current.value == item.value, actual.isOwned(current) {
      continue
    }
    puts.append(Plan.Put(path: path, value: item.value, isNew: current == nil))
  }
  let deletes = actual.items.filter { path, item in
    desired.items[path] == nil && actual.isOwned(item)
  }.keys.sorted()
  return Plan(commit: commit, puts: puts, deletes: deletes, keyCount: desired.count)
}

/// The same where the items are what `published` says, so that only what differs from it has to be looked at.
private func plan(
  _ desired: KeySpace, after published: KeySpace, for commit: CommitID, on actual: ActualState
) -> Plan {
  var (puts, deletes) = ([Plan.Put](), [ConfigPath]())
  desired.items.differences(from: published.items) { path, before, after in
    guard before?.value != after?.value else { return }
    if let after {
      puts.append(Plan.Put(path: path, value: after.value, isNew: actual.items[path] == nil))
    } else if let item = actual.items[path], actual.isOwned(item) {
      deletes.append(path)
    }
  }
  return Plan(commit: commit, puts: puts, deletes: deletes, keyCount: desired.count)
}

extension Plan {
  /// The transaction that applies the plan with its two records, fenced by the head.
  ///
  /// - Throws: a record that can't be encoded.
  func transaction(
    _ facts: CommitFacts, signedBy signer: Signer?, over freeze: CommitRecord.Override? = nil,
    branch: String? = nil, prefix: ConfigPath, on actual: ActualState
  ) throws -> TargetTransaction {
    let source = actual.source
    let earlier = actual.revisions.filter { $1 == commit && !actual.corrected.contains($0) }.keys
      .sorted().suffix(CommitRecord.earlierLimit)
    let record = CommitRecord(
      facts: facts, prefix: prefix.text.isEmpty ? "/" : prefix.text, signer: signer?.name,
      freezeOverride: freeze, branch: branch,
      counts: .init(keys: keyCount, puts: puts.count, deletes: deletes.count),
      earlier: earlier.isEmpty ? nil : Array(earlier))
    let head = Array(ReservedKeys.head(of: source).utf8)
    var allPuts = puts.map { (key: Array($0.path.text.utf8), value: $0.value) }
    allPuts.append((head, Array(commit.text.utf8)))
    allPuts.append(
      (
        Array((ReservedKeys.commits(of: source) + commit.text).utf8),
        try ReservedKeys.encode(record)
      ))
    return TargetTransaction(
      // Nobody has rejected it meanwhile, nor made anew a key that it deletes.
      fences: actual.fences + [
        .init(
          key: Array((ReservedKeys.rejections(of: source) + commit.text).utf8), modRevision: 0)
      ]
        + deletes.map { path in
          .init(
            key: Array(path.text.utf8), modRevision: actual.items[path]?.modRevision ?? 0)
        }, puts: allPuts,
      deletes: deletes.map { Array($0.text.utf8) })
  }
}

extension ActualState {
  /// What every change relies on: nobody has applied anything else, nor said anything of stopping the source.
  var fences: [TargetTransaction.Fence] {
    [
      .init(key: Array(ReservedKeys.head(of: source).utf8), modRevision: headRevision),
      .init(
        key: Array(ReservedKeys.suspension(of: source).utf8), modRevision: suspensionRevision),
    ]
  }
}
