import ConfigModel

/// How many keys one commit may delete.
struct PruneLimits: Sendable {
  var maximumDeletes: Int?
  /// Of the keys before, from 0 to 100.
  var maximumPercent: Int?
  var span: SourceSpan
}

/// Stops a commit that deletes many keys, unless it says that this is meant.
///
/// The limits are those of the commit before, so that no commit allows itself more; the first has nothing to delete.
enum PruneStage {
  private static let trailer = "Configsync-Allow-Prune"
  /// Deleted keys that are shown.
  private static let examples = 5

  /// Whether the end of a message allows any number of deletions. The last line of that name counts.
  static func isAllowed(by trailers: [CommitFacts.Trailer]) -> Bool {
    trailers.last { isSame($0.key, trailer) }.map { isSame($0.value, "true") } ?? false
  }

  /// Git reads the names of trailers without regard to case; that of ASCII alone.
  private static func isSame(_ left: String, _ right: String) -> Bool {
    Owners.normal(left).utf8.elementsEqual(Owners.normal(right).utf8)
  }

  static func finding(
    _ keySpace: KeySpace, after last: CommitHistory.Published?, _ history: CommitHistory,
    _ settings: Settings
  ) -> Diagnostic? {
    guard let last, let prune = last.settings.prune, !history.allowsPrune else { return nil }
    let deleted = KeySpaceDiff(from: last.keySpace, to: keySpace).changes.filter {
      $0.kind == .removed
    }
    guard let limit = prune.exceeded(by: deleted.count, of: last.keySpace.count) else { return nil }
    let isCommit = history.author != nil
    return Diagnostic(
      .pruneLimit, isCommit ? .error : .warning,
      at: settings.prune?.span ?? SourceSpan(file: Settings.fileName),
      "\(deleted.count) of \(last.keySpace.count) keys are deleted, more than \(limit)",
      hint: "if that is meant, end the commit's message with '\(trailer): true'",
      related: deleted.prefix(examples).compactMap { change in
        change.old.map { .init(SourceSpan(file: $0.origin.file), "'\(change.key)' was here") }
      })
  }
}

extension PruneLimits {
  /// The limit that is exceeded, in words.
  fileprivate func exceeded(by deletes: Int, of keys: Int) -> String? {
    if let maximumDeletes, deletes > maximumDeletes { return "prune.maxDeletes: \(maximumDeletes)" }
    // Without a product that could overflow: keys are at most some millions.
    if let maximumPercent, deletes * 100 > maximumPercent * keys {
      return "prune.maxDeletePercent: \(maximumPercent)"
    }
    return nil
  }
}
