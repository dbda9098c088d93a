import Compiler
import ConfigModel

/// Decides which of the keys that differ are put back.
enum DriftCorrection {
  /// Corrections of one key within an hour, after which it is left as it is.
  static let mostAnHour = 5

  /// The keys whose value is not the wanted one, or that are gone, or that somebody else has made anew, in order.
  ///
  /// - Complexity: O(*n* log *n*) in keys.
  static func drift(of actual: ActualState, from desired: KeySpace) -> [DriftedKey] {
    desired.items.compactMap { path, item in
      let current = actual.items[path]
      let isRight = current.map { $0.value == item.value && actual.isOwned($0) } ?? false
      return isRight ? nil : DriftedKey(path: path, revision: current?.modRevision)
    }
  }

  /// Those that were put back too often since an hour ago.
  static func contested(
    _ drift: [DriftedKey], _ corrections: [CorrectionRecord], since hourAgo: String
  ) -> Set<ConfigPath> {
    var counts: [ConfigPath: Int] = [:]
    // Times are of one form and zone: their texts sort as they do.
    for record in corrections
    where record.time.utf8.lexicographicallyPrecedes(hourAgo.utf8) == false {
      for key in record.keys { counts[ConfigPath(escaped: key.key), default: 0] += 1 }
    }
    return Set(drift.map(\.path).filter { counts[$0, default: 0] >= mostAnHour })
  }
}

extension SourceReconciler {
  /// Compares the keys with the commit that the store holds, and puts back what differs where that is asked for.
  ///
  /// - Throws: `ReconcileError.uncompiled` if that commit can't be compiled any more.
  func lookForDrift(
    _ reader: StateReader, _ mode: DriftMode, tip: CommitID, _ actual: inout ActualState
  ) async throws -> DriftReport {
    var report = DriftReport()
    // A store that is ahead of the clone, or was left by a rewrite, is compared once they agree again.
    guard let head = actual.head, let facts = try? await source.facts(of: head) else {
      return report
    }
    let compilation = compileValues(try await source.tree(of: facts.commit), cache: cache)
    guard let desired = compilation.keySpace else {
      throw ReconcileError.uncompiled(
        "\(head.short), which the store holds, can't be compiled any more")
    }
    try await reader.include(compilation.settings.prefix, in: &actual)
    let drift = DriftCorrection.drift(of: actual, from: desired)
    guard !drift.isEmpty else {
      actual.noteWhole(desired)
      return report
    }
    guard mode == .correct else {
      report.reported = drift
      return report
    }
    let hourAgo = timestamp(secondsSince1970: calendar.now() - 3600)
    let contested = DriftCorrection.contested(drift, actual.corrections, since: hourAgo)
    report.contested = drift.filter { contested.contains($0.path) }
    report.corrected = drift.filter { !contested.contains($0.path) }
    guard !report.corrected.isEmpty else { return report }
    for start in stride(from: 0, to: report.corrected.count, by: CorrectionRecord.limit) {
      let some = Array(report.corrected[start...].prefix(CorrectionRecord.limit))
      report.revisions.append(try await putBack(some, desired, of: head, &actual))
    }
    if contested.isEmpty { actual.noteWhole(desired) }
    return report
  }

  private func putBack(
    _ keys: [DriftedKey], _ desired: KeySpace, of head: CommitID, _ actual: inout ActualState
  ) async throws -> Int64 {
    let record = CorrectionRecord(
      commit: head, time: now,
      keys: keys.map { CorrectionRecord.Key(key: $0.path.text, revision: $0.revision) })
    // One for each change that was looked at.
    let newest = actual.revisions.keys.max() ?? 0
    let name =
      ReservedKeys.corrections(of: actual.source) + "\(record.time)-\(newest)-\(head.short)"
    let recordKey = Array(name.utf8)
    var puts = keys.compactMap { key in
      desired[key.path].map { (key: Array(key.path.text.utf8), value: $0.value) }
    }
    puts.append((recordKey, try ReservedKeys.encode(record)))
    let transaction = TargetTransaction(
      fences: actual.fences + [.init(key: recordKey, modRevision: 0)], puts: puts, deletes: [])
    do {
      guard case .applied(let revision) = try await target.commit(transaction) else {
        throw ReconcileError.fenced(source: actual.source)
      }
      actual.revisions[revision] = head
      actual.corrected.insert(revision)
      actual.corrections.append(record)
      for key in keys {
        guard let item = desired[key.path] else { continue }
        actual.items[key.path] = StoredItem(
          key: Array(key.path.text.utf8), value: item.value,
          createRevision: actual.items[key.path]?.createRevision ?? revision, modRevision: revision)
      }
      return revision
    } catch let error as TargetError {
      throw ReconcileError.target(error)
    }
  }
}

extension ActualState {
  /// Remembers that the items are what a commit wants, if nothing of the source's own lies beside them.
  fileprivate mutating func noteWhole(_ desired: KeySpace) {
    let owned = items.count { isOwned($0.value) }
    if owned == desired.count { published = desired }
  }
}
