import Compiler
import ConfigModel

extension SourceReconciler {
  /// Applies one commit.
  func apply(
    _ desired: KeySpace, _ facts: CommitFacts, signedBy signer: Signer?,
    over freeze: CommitRecord.Override?, prefix: ConfigPath, _ actual: inout ActualState
  ) async throws -> (revision: Int64, plan: Plan) {
    let plan = Reconciler.plan(desired, for: facts.commit, on: actual)
    let transaction = try plan.transaction(
      facts, signedBy: signer, over: freeze, branch: source.branch ?? actual.branch,
      prefix: prefix, on: actual)
    let revision = try await commit(transaction, facts.commit, actual)
    actual.take(plan, revision: revision)
    actual.published = desired
    return (revision, plan)
  }

  /// Commits the transaction; an outcome that is not known is found out by reading the head.
  private func commit(
    _ transaction: TargetTransaction, _ commit: CommitID, _ actual: ActualState
  ) async throws -> Int64 {
    let reader = StateReader(target: target, source: actual.source)
    var failure = TargetError.unavailable("no attempt was made")
    for _ in 0..<SourceReconciler.attempts {
      do {
        switch try await target.commit(transaction) {
        case .applied(let revision): return revision
        case .fenced:
          // An earlier attempt of ours may have been the one that moved the head.
          let head = try await reader.head()
          if let head, head.commit == commit, head.revision > actual.headRevision {
            return head.revision
          }
          throw ReconcileError.fenced(source: actual.source)
        }
      } catch let error as TargetError {
        if case .refused = error { throw ReconcileError.target(error) }
        failure = error
        guard let head = try? await reader.head() else { continue }
        if head.commit == commit, head.revision > actual.headRevision { return head.revision }
        // The same head as before: a later attempt is fenced should this one still take effect.
      }
    }
    throw ReconcileError.target(failure)
  }

  /// Records that a commit was refused, once; and again once something was applied since.
  func record(
    _ diagnostics: [Diagnostic], of facts: CommitFacts, _ actual: inout ActualState
  ) async throws {
    let former = actual.refusals[facts.commit] ?? 0
    guard former == 0 || former < actual.headRevision else { return }
    let key = Array((ReservedKeys.refusals(of: actual.source) + facts.commit.text).utf8)
    let value = try ReservedKeys.encode(RefusalRecord(facts: facts, diagnostics: diagnostics))
    // Fenced by what is there, or nothing: recorded once, whoever records it.
    let transaction = TargetTransaction(
      fences: [.init(key: key, modRevision: former)], puts: [(key, value)], deletes: [])
    var failure: TargetError?
    for _ in 0..<SourceReconciler.attempts {
      do {
        switch try await target.commit(transaction) {
        case .applied(let revision): actual.refusals[facts.commit] = revision
        // Somebody else has, or this one in the attempt before.
        case .fenced: actual.refusals[facts.commit] = actual.headRevision + 1
        }
        return
      } catch let error as TargetError {
        failure = error
      }
    }
    if let failure { throw ReconcileError.target(failure) }
  }
}

extension ActualState {
  /// What the store holds once the plan is applied.
  mutating func take(_ plan: Plan, revision: Int64) {
    for put in plan.puts {
      let key = Array(put.path.text.utf8)
      items[put.path] = StoredItem(
        key: key, value: put.value,
        createRevision: items[put.path]?.createRevision ?? revision, modRevision: revision)
    }
    for path in plan.deletes { items[path] = nil }
    // A commit that was applied before has one record, at its newest revision: but what it wrote
    // then is the source's still.
    revisions[revision] = plan.commit
    head = plan.commit
    headRevision = revision
  }
}

extension RejectionRecord {
  func finding(of commit: CommitID) -> Diagnostic {
    Diagnostic(
      .commitRejected, at: SourceSpan(file: Settings.fileName),
      "\(by) has rejected commit \(commit.short): \(reason)",
      hint: "a later commit takes its changes along unless it reverts them")
  }
}
