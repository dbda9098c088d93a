import ConfigModel

/// Reads what the store holds of one source.
struct StateReader {
  let target: any ConfigTarget
  let source: String

  /// The source's records and the keys under its prefixes.
  ///
  /// - Throws: `ReconcileError.overlaps` if another source publishes under the same keys.
  func read(prefix: ConfigPath) async throws -> ActualState {
    var actual = ActualState(source: source)
    let commits = Array(ReservedKeys.commits(of: source).utf8)
    for record in try await target.items(under: commits) {
      let name = String(decoding: record.key.dropFirst(commits.count), as: UTF8.self)
      if let commit = CommitID(name) { actual.revisions[record.modRevision] = commit }
    }
    let refusals = Array(ReservedKeys.refusals(of: source).utf8)
    for record in try await target.items(under: refusals) {
      let name = String(decoding: record.key.dropFirst(refusals.count), as: UTF8.self)
      if let commit = CommitID(name) { actual.refusals.insert(commit) }
    }
    var prefixes: Set<ConfigPath> = [prefix]
    if let head = try await head() {
      actual.head = head.commit
      actual.headRevision = head.revision
      if let former = try await self.prefix(of: source, at: head.commit) {
        prefixes.insert(former)
      }
    }
    try await checkOverlap(prefix)
    for prefix in prefixes { try await readItems(under: prefix, into: &actual) }
    return actual
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

  private func prefix(of source: String, at commit: CommitID) async throws -> ConfigPath? {
    let key = Array((ReservedKeys.commits(of: source) + commit.text).utf8)
    guard let item = try await target.item(key) else { return nil }
    let record: CommitRecord = try ReservedKeys.decode(from: item.value)
    return ConfigPath(escaped: record.prefix == "/" ? "" : record.prefix)
  }

  private func readItems(under prefix: ConfigPath, into actual: inout ActualState) async throws {
    actual.prefixes.insert(prefix)
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

  private func checkOverlap(_ prefix: ConfigPath) async throws {
    let own = prefix.text + "/"
    for item in try await target.items(under: Array(ReservedKeys.sources.utf8)) {
      let parts = String(decoding: item.key, as: UTF8.self)
        .dropFirst(ReservedKeys.sources.count).split(separator: "/")
      guard parts.count == 2, parts[1] == "head", parts[0] != source,
        let commit = CommitID(String(decoding: item.value, as: UTF8.self)),
        let other = try await self.prefix(of: String(parts[0]), at: commit)
      else { continue }
      let theirs = other.text + "/"
      if own.utf8.starts(with: theirs.utf8) || theirs.utf8.starts(with: own.utf8) {
        throw ReconcileError.overlaps(
          prefix: own, other: String(parts[0]), otherPrefix: theirs)
      }
    }
  }
}
