import ConfigModel

/// Reads what the store holds of one source.
struct StateReader {
  let target: any ConfigTarget
  let source: String

  /// What the store holds, where a run before knows most of it: its own commit is still the head.
  ///
  /// Keys are as that run has left them: what others have changed since is found where drift is looked for.
  ///
  /// - Complexity: O(1) but for rejections and corrections, where that is so; else as `read`.
  func read(knowing known: ActualState?) async throws -> ActualState {
    guard var actual = known, actual.source == source, actual.head != nil,
      let head = try await head(), head.commit == actual.head,
      head.revision == actual.headRevision
    else { return try await read() }
    (actual.suspension, actual.suspensionRevision) = (nil, 0)
    actual.rejections = [:]
    actual.corrections = []
    let folder = ReservedKeys.source(source)
    var items = try await target.items(under: Array(ReservedKeys.rejections(of: source).utf8))
    // Those of another reconciler do not move the head.
    items += try await target.items(under: Array(ReservedKeys.corrections(of: source).utf8))
    if let item = try await target.item(Array(ReservedKeys.suspension(of: source).utf8)) {
      items.append(item)
    }
    for item in items {
      let name = String(decoding: item.key.dropFirst(folder.utf8.count), as: UTF8.self)
      try StateReader.take(item, named: name, &actual)
    }
    return actual
  }

  /// The source's records, as of one revision, without its keys.
  func read() async throws -> ActualState {
    var actual = ActualState(source: source)
    let folder = Array(ReservedKeys.source(source).utf8)
    for record in try await target.items(under: folder) {
      try StateReader.take(
        record, named: String(decoding: record.key.dropFirst(folder.count), as: UTF8.self), &actual)
    }
    return actual
  }

  private static func decode<Record: Decodable>(_ item: StoredItem) throws -> Record {
    do {
      return try ReservedKeys.decode(from: item.value)
    } catch {
      throw ReconcileError.record(key: String(decoding: item.key, as: UTF8.self))
    }
  }

  /// Adds the keys under a prefix, and under that of the commit that the store holds.
  func readItems(_ prefix: ConfigPath, into actual: inout ActualState) async throws {
    var prefixes: Set<ConfigPath> = [prefix]
    if let head = actual.head, let former = try await self.prefix(of: source, at: head) {
      prefixes.insert(former)
    }
    for prefix in prefixes where !actual.prefixes.contains(prefix) {
      try await readItems(under: prefix, into: &actual)
    }
  }

  /// One record of the source; those of kinds that are not known are somebody else's business.
  private static func take(
    _ item: StoredItem, named name: String, _ actual: inout ActualState
  ) throws {
    let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
    switch (parts.first, parts.count) {
    case ("head", 1):
      actual.head = CommitID(String(decoding: item.value, as: UTF8.self))
      if actual.head != nil { actual.headRevision = item.modRevision }
    case ("suspension", 1):
      actual.suspension = try decode(item)
      actual.suspensionRevision = item.modRevision
    case ("state", 1):
      // It is for people: one that is damaged is written anew.
      actual.state = try? decode(item)
      actual.stateRevision = item.modRevision
    case ("commits", 2):
      // One that was applied again has one record: what it wrote before is the source's all the same. Only such a
      // record need be looked into.
      var revisions = [item.modRevision, item.createRevision]
      if item.modRevision != item.createRevision {
        // One that is damaged tells those two alone: that no later commit can be applied would be worse.
        let record: CommitRecord? = try? decode(item)
        revisions += record?.earlier ?? []
      }
      for revision in revisions { actual.revisions[revision] = CommitID(parts[1]) }
    case ("refused", 2):
      if let commit = CommitID(parts[1]) { actual.refusals[commit] = item.modRevision }
    case ("rejected", 2):
      if let commit = CommitID(parts[1]) {
        actual.rejections[commit] = try decode(item)
      }
    case ("corrections", 2):
      let record: CorrectionRecord = try decode(item)
      actual.revisions[item.modRevision] = record.commit
      actual.corrected.insert(item.modRevision)
      actual.corrections.append(record)
    default: break
    }
  }

  /// Adds the keys under a prefix that a commit on the way publishes under.
  ///
  /// - Throws: `ReconcileError.overlaps` as `read` does: no commit may touch another source's keys.
  func include(_ prefix: ConfigPath, in actual: inout ActualState) async throws {
    guard !actual.prefixes.contains(prefix) else { return }
    try await checkOverlap(prefix)
    try await readItems(under: prefix, into: &actual)
  }

  func head() async throws -> (commit: CommitID, revision: Int64)? {
    guard let item = try await target.item(Array(ReservedKeys.head(of: source).utf8)),
      let commit = CommitID(String(decoding: item.value, as: UTF8.self))
    else { return nil }
    return (commit, item.modRevision)
  }

  /// What the store keeps of a commit of this source.
  func record(of commit: CommitID) async throws -> CommitRecord? {
    try await record(of: commit, in: source)
  }

  private func record(of commit: CommitID, in source: String) async throws -> CommitRecord? {
    let key = Array((ReservedKeys.commits(of: source) + commit.text).utf8)
    return try await target.item(key).map(StateReader.decode)
  }

  /// Where the keys of a commit live that was applied.
  func prefix(of source: String, at commit: CommitID) async throws -> ConfigPath? {
    try await record(of: commit, in: source)?.path
  }

  private func readItems(under prefix: ConfigPath, into actual: inout ActualState) async throws {
    actual.prefixes.insert(prefix)
    // Whatever lies there is not known yet.
    actual.published = nil
    let reserved = Array(ReservedKeys.prefix.utf8)
    for item in try await target.items(under: Array((prefix.text + "/").utf8))
    where !item.key.starts(with: reserved) {
      // Keys that are no text can't be the source's.
      guard let text = String(validating: item.key, as: UTF8.self) else { continue }
      actual.items[ConfigPath(escaped: text)] = item
    }
    if !prefix.text.isEmpty, let item = try await target.item(Array(prefix.text.utf8)) {
      actual.items[prefix] = item
    }
  }

  /// What the store holds of each source.
  ///
  /// - Complexity: O(*n*) in all sources' records.
  func heads() async throws -> [String: CommitID] {
    var heads: [String: CommitID] = [:]
    for item in try await target.items(under: Array(ReservedKeys.sources.utf8)) {
      let parts = String(decoding: item.key, as: UTF8.self)
        .dropFirst(ReservedKeys.sources.count).split(separator: "/")
      guard parts.count == 2, parts[1] == "head" else { continue }
      heads[String(parts[0])] = CommitID(String(decoding: item.value, as: UTF8.self))
    }
    return heads
  }

  /// - Throws: `ReconcileError.overlaps` if another source publishes under the same keys.
  func checkOverlap(_ prefix: ConfigPath) async throws {
    let own = prefix.text + "/"
    for (name, commit) in try await heads() where name != source {
      guard let other = try await self.prefix(of: name, at: commit) else { continue }
      let theirs = other.text + "/"
      if own.utf8.starts(with: theirs.utf8) || theirs.utf8.starts(with: own.utf8) {
        throw ReconcileError.overlaps(prefix: own, other: name, otherPrefix: theirs)
      }
    }
  }
}
