import ConfigModel

extension SourceReconciler {
  /// Looks for new commits where the source comes from.
  public func refresh() async throws { try await source.refresh() }

  var now: String { timestamp(secondsSince1970: calendar.now()) }

  /// Records what the source is stopped by, or that it goes on, where that is news. Without a record it goes on.
  func note(
    _ state: (kind: StateRecord.Kind, message: String), of name: String
  ) async throws {
    let key = Array(ReservedKeys.state(of: name).utf8)
    let item = try await target.item(key)
    let last: StateRecord? = try item.map { try ReservedKeys.decode(from: $0.value) }
    if last.map({ $0.kind == state.kind && $0.message == state.message })
      ?? (state.kind == .running)
    {
      return
    }
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
}
