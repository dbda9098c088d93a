import ConfigModel

extension SourceReconciler {
  /// The commits to take, oldest first.
  func commits(
    to tip: CommitID, from head: CommitID?, _ options: ReconcileOptions
  ) async throws -> [CommitID] {
    guard let head else { return try await firstCommits(to: tip, options.history) }
    if head == tip { return [] }
    let all = try await source.firstParents(from: tip, until: head)
    let last = try await source.facts(of: all[all.count - 1])
    if last.parents.first == head { return all.reversed() }
    guard try await source.isAncestor(head, of: tip) else {
      guard options.acceptsRewrite else { throw ReconcileError.rewritten(head: head, tip: tip) }
      guard try await source.holds(head) || options.acceptsLostHead else {
        throw ReconcileError.lostHead(head)
      }
      return [tip]
    }
    // The head came in by a merge: only what descends from it has everything that it has.
    var descendants: [CommitID] = []
    for commit in all {
      guard try await source.isAncestor(head, of: commit) else { break }
      descendants.append(commit)
    }
    return descendants.reversed()
  }

  private func firstCommits(
    to tip: CommitID, _ history: HistoryMode
  ) async throws -> [CommitID] {
    switch history {
    case .head: return [tip]
    case .full: return try await source.firstParents(from: tip, until: nil).reversed()
    case .since(let revision):
      let first = try await source.resolve(revision)
      let later = try await source.firstParents(from: tip, until: first)
      if first == tip { return [tip] }
      guard let oldest = later.last, try await source.facts(of: oldest).parents.first == first
      else { throw ReconcileError.unknownCommit(revision) }
      return [first] + later.reversed()
    }
  }
}
