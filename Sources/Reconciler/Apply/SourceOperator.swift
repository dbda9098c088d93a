public import ConfigModel

/// What people say of a source: recorded in the store, where every reconciler reads it.
public struct SourceOperator: Sendable {
  /// Attempts against others who say something at the same moment.
  private static let attempts = 5

  private let target: any ConfigTarget
  private let calendar: FreezeCalendar

  public init(_ target: some ConfigTarget, calendar: FreezeCalendar) {
    self.target = target
    self.calendar = calendar
  }

  private var now: String { timestamp(secondsSince1970: calendar.now()) }

  /// Lets the source rest, or go on; nothing is applied after this returns, whoever reconciles.
  ///
  /// - Throws: `ReconcileError`.
  public func setSuspended(_ isSuspended: Bool, of name: String, by: String, reason: String)
    async throws
  {
    let record = SuspensionRecord(isSuspended: isSuspended, by: by, reason: reason, time: now)
    try await write(record, to: ReservedKeys.suspension(of: name))
  }

  /// Marks a commit so that it is skipped.
  ///
  /// - Throws: `ReconcileError.alreadyApplied` if the store holds it, or has held it.
  public func reject(
    _ commit: CommitID, of name: String, by: String, reason: String
  ) async throws {
    let applied = Array((ReservedKeys.commits(of: name) + commit.text).utf8)
    let record = RejectionRecord(by: by, reason: reason, time: now)
    let key = ReservedKeys.rejections(of: name) + commit.text
    // Applying it is fenced by the record, and the record by its not being applied: only one of them happens.
    guard try await write(record, to: key, unless: applied) else {
      throw ReconcileError.alreadyApplied(commit)
    }
  }

  /// - Returns: whether it was written, as against: `absent` is there.
  @discardableResult
  private func write(
    _ record: some Encodable, to key: String, unless absent: [UInt8]? = nil
  ) async throws -> Bool {
    let bytes = Array(key.utf8)
    let value = try ReservedKeys.encode(record)
    do {
      for _ in 0..<SourceOperator.attempts {
        let revision = try await target.item(bytes)?.modRevision ?? 0
        var fences = [TargetTransaction.Fence(key: bytes, modRevision: revision)]
        if let absent { fences.append(.init(key: absent, modRevision: 0)) }
        let outcome = try await target.commit(
          TargetTransaction(fences: fences, puts: [(bytes, value)], deletes: []))
        if case .applied = outcome { return true }
        if let absent, try await target.item(absent) != nil { return false }
      }
    } catch let error as TargetError {
      throw ReconcileError.target(error)
    }
    throw ReconcileError.fenced(source: key)
  }
}
