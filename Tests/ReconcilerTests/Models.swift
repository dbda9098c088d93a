import ConfigModel
import OrderedCollections
import Synchronization

@testable import Reconciler

/// The time in tests: it stands still, and all zones are UTC.
func calendar(at seconds: Int64 = 0) -> FreezeCalendar {
  FreezeCalendar(now: { seconds }, offset: { _, _ in 0 })
}

/// Waits until the task is cancelled.
func forever() async throws {
  while true { try await Task.sleep(for: .seconds(86_400)) }
}

func reconciler(
  _ source: ScriptedSource, _ target: ModelTarget, at seconds: Int64 = 0
) -> SourceReconciler {
  SourceReconciler(source: source, target: target, calendar: calendar(at: seconds))
}

/// A history of commits in memory.
struct ScriptedSource: ConfigSource {
  struct Commit {
    var parents: [CommitID]
    var files: [String: String]
    var subject: String
    var author = "a@b"
    var signature = SignatureVerdict.missing
  }
  /// Begins every id: no two repositories have a commit in common by chance.
  var salt = "0"
  var branch: String? = "main"
  var commits: OrderedDictionary<CommitID, Commit> = [:]
  var head: CommitID?

  mutating func commit(
    _ files: [String: String], parents: [CommitID]? = nil, _ subject: String = "s",
    by author: String = "a@b", signature: SignatureVerdict = .missing
  ) -> CommitID {
    let digits = String(commits.count + 1, radix: 16)
    let id = CommitID(String(repeating: salt, count: 40 - digits.count) + digits)!
    commits[id] = Commit(
      parents: parents ?? (head.map { [$0] } ?? []), files: files, subject: subject,
      author: author, signature: signature)
    head = id
    return id
  }

  func refresh() {}
  func tip() throws -> CommitID { head! }
  func resolve(_ revision: String) throws -> CommitID { CommitID(revision)! }
  func facts(of id: CommitID) throws -> CommitFacts {
    guard commits[id] != nil else { throw ReconcileError.unknownCommit(id.text) }
    let person = CommitFacts.Person(
      name: "Ada", email: commits[id]!.author, secondsSince1970: 0, offsetMinutes: 0)
    return CommitFacts(
      commit: id, parents: commits[id]!.parents, tree: "t", author: person, committer: person,
      subject: commits[id]!.subject)
  }
  func tree(of id: CommitID) throws -> SourceTree {
    SourceTree(contents: commits[id]!.files.mapValues { Array($0.utf8) })
  }
  func holds(_ id: CommitID) -> Bool { commits[id] != nil }
  func firstParents(from tip: CommitID, until end: CommitID?, limit: Int) throws -> [CommitID] {
    var found: [CommitID] = []
    var next: CommitID? = tip
    while let id = next, id != end, found.count < limit {
      found.append(id)
      next = commits[id]!.parents.first
    }
    return found
  }
  func isAncestor(_ ancestor: CommitID, of commit: CommitID) throws -> Bool {
    if ancestor == commit { return true }
    return try commits[commit]?.parents.contains { try isAncestor(ancestor, of: $0) } ?? false
  }
  func commits(reachableFrom tip: CommitID, butNotFrom end: CommitID?) throws -> [CommitID] {
    // A commit is made after its parents.
    try commits.keys.filter { id in
      guard try isAncestor(id, of: tip) else { return false }
      return try end.map { try !isAncestor(id, of: $0) } ?? true
    }
  }
  func signature(of commit: CommitID) -> SignatureVerdict { commits[commit]!.signature }
}

/// A store in memory that can fail on purpose.
final class ModelTarget: ConfigTarget {
  enum Fault { case loseBefore, loseAfter }
  struct State {
    var items: [[UInt8]: StoredItem] = [:]
    var revision: Int64 = 1
    var faults: [Fault] = []
    var transactions: [TargetTransaction] = []
    var watchers: [(prefix: [UInt8], told: @Sendable (Int64, [[UInt8]]) -> Void)] = []
  }
  let state = Mutex(State())

  func items(under prefix: [UInt8]) throws -> [StoredItem] {
    state.withLock { $0.items.values.filter { $0.key.starts(with: prefix) } }
      .sorted { $0.key.lexicographicallyPrecedes($1.key) }
  }
  func item(_ key: [UInt8]) throws -> StoredItem? { state.withLock { $0.items[key] } }

  func watch(
    under prefix: String, _ changed: @escaping @Sendable (Int64, [[UInt8]]) -> Void
  ) async throws {
    state.withLock { $0.watchers.append((Array(prefix.utf8), changed)) }
    try await forever()
  }

  func commit(_ transaction: TargetTransaction) throws -> TargetOutcome {
    let (outcome, fault) = state.withLock { state in
      let fault = state.faults.isEmpty ? nil : state.faults.removeFirst()
      if fault == .loseBefore { return (TargetOutcome.fenced, fault) }
      let holds = transaction.fences.allSatisfy { fence in
        (state.items[fence.key]?.modRevision ?? 0) == fence.modRevision
      }
      guard holds else { return (.fenced, fault) }
      state.revision += 1
      state.transactions.append(transaction)
      for key in transaction.deletes { state.items[key] = nil }
      for put in transaction.puts {
        let created = state.items[put.key]?.createRevision ?? state.revision
        state.items[put.key] = StoredItem(
          key: put.key, value: put.value, createRevision: created,
          modRevision: state.revision)
      }
      return (.applied(revision: state.revision), fault)
    }
    if fault != nil { throw TargetError.unknownOutcome("the answer is lost") }
    return outcome
  }

  func put(_ key: String, _ value: String) {
    let (revision, told) = state.withLock { state in
      state.revision += 1
      let bytes = Array(key.utf8)
      let created = state.items[bytes]?.createRevision ?? state.revision
      state.items[bytes] = StoredItem(
        key: bytes, value: Array(value.utf8), createRevision: created,
        modRevision: state.revision)
      return (state.revision, state.watchers.filter { bytes.starts(with: $0.prefix) }.map(\.told))
    }
    for tell in told { tell(revision, [Array(key.utf8)]) }
  }

  func remove(_ key: String) {
    state.withLock { state in
      state.revision += 1
      state.items[Array(key.utf8)] = nil
    }
  }

  /// The keys that are not the program's own.
  var content: [String: String] {
    state.withLock { state in
      var content: [String: String] = [:]
      for item in state.items.values {
        let key = String(decoding: item.key, as: UTF8.self)
        if !key.hasPrefix(ReservedKeys.prefix) {
          content[key] = String(decoding: item.value, as: UTF8.self)
        }
      }
      return content
    }
  }
  var revision: Int64 { state.withLock { $0.revision } }
  func head(_ source: String = "default") -> String? {
    state.withLock { $0.items[Array(ReservedKeys.head(of: source).utf8)] }
      .map { String(decoding: $0.value, as: UTF8.self) }
  }
}

/// A source that grows while it is followed.
final class SharedSource: ConfigSource {
  private struct Away: Error, CustomStringConvertible { let description = "nobody answers" }

  private let source = Mutex(ScriptedSource())
  let isAway = Mutex(false)
  /// Happens before each look.
  let onRefresh = Mutex<@Sendable () -> Void>({})

  func change(_ body: (inout ScriptedSource) -> Void) { source.withLock { body(&$0) } }

  var branch: String? { "main" }
  func refresh() throws {
    onRefresh.withLock { $0 }()
    if isAway.withLock({ $0 }) { throw Away() }
  }
  func tip() throws -> CommitID { try source.withLock { try $0.tip() } }
  func resolve(_ revision: String) throws -> CommitID {
    try source.withLock { try $0.resolve(revision) }
  }
  func facts(of id: CommitID) throws -> CommitFacts { try source.withLock { try $0.facts(of: id) } }
  func tree(of id: CommitID) throws -> SourceTree { try source.withLock { try $0.tree(of: id) } }
  func holds(_ id: CommitID) -> Bool { source.withLock { $0.holds(id) } }
  func firstParents(from tip: CommitID, until end: CommitID?, limit: Int) throws -> [CommitID] {
    try source.withLock { try $0.firstParents(from: tip, until: end, limit: limit) }
  }
  func isAncestor(_ ancestor: CommitID, of commit: CommitID) throws -> Bool {
    try source.withLock { try $0.isAncestor(ancestor, of: commit) }
  }
  func commits(reachableFrom tip: CommitID, butNotFrom end: CommitID?) throws -> [CommitID] {
    try source.withLock { try $0.commits(reachableFrom: tip, butNotFrom: end) }
  }
  func signature(of commit: CommitID) -> SignatureVerdict { .missing }
}
