import ConfigModel
import ConfigSyncClient
import Foundation

/// A commit as the store holds it.
struct AppliedCommit: Sendable {
  var source: String
  var revision: Int64
  /// Another one, if the commit was applied again.
  var firstRevision: Int64
  var record: CommitRecord
}

/// A commit that the store refused.
struct RefusedCommit: Sendable {
  var source: String
  var revision: Int64
  var record: RefusalRecord
}

/// Reads the commit records of the store: which commit, by whom and when, made which revision.
struct Audit: Sendable {
  private let client: ConfigClient

  init(_ client: ConfigClient) { self.client = client }

  /// Every applied commit, newest first.
  func commits() async throws -> [AppliedCommit] {
    try await records(in: "commits") { source, item in
      AppliedCommit(
        source: source, revision: item.modRevision, firstRevision: item.createRevision,
        record: try ReservedKeys.decode(from: item.value))
    }.sorted { $0.revision > $1.revision }
  }

  /// The commit that answers for what was written at a revision: the one that was applied then, or that of which
  /// somebody else's changes were undone then.
  func commitsByRevision() async throws -> [Int64: AppliedCommit] {
    let commits = try await commits()
    var found = Dictionary(commits.map { ($0.revision, $0) }) { first, _ in first }
    for commit in commits {
      for revision in [commit.firstRevision] + (commit.record.earlier ?? [])
      where found[revision] == nil { found[revision] = commit }
    }
    let corrections = try await records(in: "corrections") { source, item in
      (source, item.modRevision, try ReservedKeys.decode(CorrectionRecord.self, from: item.value))
    }
    for (source, revision, record) in corrections where found[revision] == nil {
      found[revision] = commits.first {
        $0.source == source && $0.record.facts.commit == record.commit
      }
    }
    return found
  }

  /// Whether anything is recorded of a source.
  func knows(_ source: String) async throws -> Bool {
    let folder = Array(ReservedKeys.source(source).utf8)
    return try await !client.range(.prefix(folder), limit: 1).items.isEmpty
  }

  /// What each source is stopped by, by its name; nothing of those that go on.
  func states() async throws -> [String: StateRecord] {
    let prefix = ReservedKeys.sources
    var states: [String: StateRecord] = [:]
    for item in try await client.range(.prefix(Array(prefix.utf8))).items {
      let parts = String(decoding: item.key, as: UTF8.self).dropFirst(prefix.count)
        .split(separator: "/")
      guard parts.count == 2, ["state", "suspension"].contains(parts[1]) else { continue }
      let name = String(parts[0])
      do {
        if parts[1] == "state" {
          let record: StateRecord = try ReservedKeys.decode(from: item.value)
          if record.kind != .running { states[name] = record }
          continue
        }
        // Read last, it counts more: it holds whether a reconciler has looked since or not.
        let record: SuspensionRecord = try ReservedKeys.decode(from: item.value)
        if record.isSuspended {
          states[name] = StateRecord(
            .suspended, "by \(record.by): \(record.reason)", since: record.time)
        } else if states[name]?.kind == .suspended {
          states[name] = nil
        }
      } catch {
        printError("configsync: the record '\(printableLine(item.key))' can't be read")
      }
    }
    return states
  }

  /// Who holds the lease of each source, by its name.
  func leases() async throws -> [String: String] {
    let prefix = ReservedKeys.sources
    let items = try await client.range(.prefix(Array(prefix.utf8))).items
    let found = items.compactMap { item -> (String, String)? in
      let parts = String(decoding: item.key, as: UTF8.self).dropFirst(prefix.count)
        .split(separator: "/")
      guard parts.count == 2, parts[1] == "lease" else { return nil }
      return (String(parts[0]), String(decoding: item.value, as: UTF8.self))
    }
    return Dictionary(found) { first, _ in first }
  }

  /// Every refused commit, newest first.
  func refusals() async throws -> [RefusedCommit] {
    try await records(in: "refused") { source, item in
      RefusedCommit(
        source: source, revision: item.modRevision,
        record: try ReservedKeys.decode(from: item.value))
    }.sorted { $0.revision > $1.revision }
  }

  /// The head of each source.
  func heads() async throws -> [(source: String, commit: String, revision: Int64)] {
    let prefix = ReservedKeys.sources
    return try await client.range(.prefix(Array(prefix.utf8))).items.compactMap { item in
      let parts = String(decoding: item.key, as: UTF8.self).dropFirst(prefix.count)
        .split(separator: "/")
      guard parts.count == 2, parts[1] == "head" else { return nil }
      return (
        String(parts[0]), String(decoding: item.value, as: UTF8.self), item.modRevision
      )
    }
  }

  /// Everything that is recorded of sources.
  func records() async throws -> [ClientItem] {
    try await client.range(.prefix(Array(ReservedKeys.sources.utf8))).items
  }

  private func records<Record>(
    in folder: String, _ decode: (String, ClientItem) throws -> Record
  ) async throws -> [Record] {
    let prefix = ReservedKeys.sources
    return try await client.range(.prefix(Array(prefix.utf8))).items.compactMap { item in
      let parts = String(decoding: item.key, as: UTF8.self).dropFirst(prefix.count)
        .split(separator: "/")
      guard parts.count == 3, parts[1] == folder else { return nil }
      do {
        return try decode(String(parts[0]), item)
      } catch {
        // One record that someone has damaged must not hide the others.
        printError("configsync: the record '\(printableLine(item.key))' can't be read")
        return nil
      }
    }
  }

  /// The revision that `name` means: a number, or a commit that the store has applied.
  func revision(named name: String?) async throws -> Int64? {
    guard let name else { return nil }
    if name.count < 7 || CommitID(name) == nil, let revision = Int64(name) {
      guard revision > 0 else { throw CommandFailure(.unknown, "revisions begin at 1") }
      return revision
    }
    return try await commit(named: name).revision
  }

  /// The applied commit whose id begins with `name`.
  func commit(named name: String) async throws -> AppliedCommit {
    let found = try await commits().filter { $0.record.facts.commit.text.hasPrefix(name) }
    switch found.count {
    case 1: return found[0]
    case 0: throw CommandFailure(.no, "the store has applied no commit '\(name)'")
    default: throw CommandFailure(.unknown, "'\(name)' begins \(found.count) commits")
    }
  }
}
