import ConfigModel

extension SourceReconciler {
  /// Looks for new commits where the source comes from.
  public func refresh() async throws { try await source.refresh() }

  /// Tells the reconciler that works to look at the source.
  func ring(_ name: String) async throws {
    _ = try await target.commit(
      TargetTransaction(
        fences: [], puts: [(Array(ReservedKeys.ring(of: name).utf8), Array(now.utf8))], deletes: [])
    )
  }

  /// Whether one of the keys is, or may be, one of the source's; no keys are any.
  func mayPublish(_ keys: [[UInt8]]) -> Bool {
    guard !keys.isEmpty, let published = memory.published else { return true }
    return keys.contains { key in
      String(validating: key, as: UTF8.self).map { published[ConfigPath(escaped: $0)] != nil }
        ?? false
    }
  }

  var now: String { timestamp(secondsSince1970: calendar.now()) }

  /// Records what the source is stopped by, or that it goes on, where that is news. Without a record it goes on.
  func note(
    _ state: (kind: StateRecord.Kind, message: String), of name: String,
    lookedForDrift: Bool = true
  ) async throws {
    let key = Array(ReservedKeys.state(of: name).utf8)
    let item = try await target.item(key)
    // One that is damaged is written anew.
    let last: StateRecord? = item.flatMap { try? ReservedKeys.decode(from: $0.value) }
    if item == nil, state.kind == .running { return }
    if let last, isSame(last, state) { return }
    // What drifted has not become right by not being looked at.
    if last?.kind == .drifted, state.kind == .running, !lookedForDrift { return }
    let record = StateRecord(state.kind, state.message, since: now)
    do {
      // Another reconciler may have said something meanwhile: the next run says what is still so.
      _ = try await target.commit(
        TargetTransaction(
          fences: [.init(key: key, modRevision: item?.modRevision ?? 0)],
          puts: [(key, try ReservedKeys.encode(record))], deletes: []))
    } catch let error as TargetError {
      throw ReconcileError.target(error)
    }
  }

  /// Why a remote does not answer is told in other words each time.
  private func isSame(
    _ last: StateRecord, _ state: (kind: StateRecord.Kind, message: String)
  ) -> Bool {
    guard last.kind == state.kind else { return false }
    switch state.kind {
    case .stale: return true
    // Each change of a key has another revision.
    case .drifted:
      return withoutRevisions(last.message) == withoutRevisions(state.message)
    default: return last.message == state.message
    }
  }

  private func withoutRevisions(_ message: String) -> String {
    message.replacing(/\(revision [0-9]+\)/, with: "")
  }
}
