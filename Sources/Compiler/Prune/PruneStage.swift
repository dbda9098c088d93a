import ConfigModel

/// How many keys one commit may delete.
struct PruneLimits: Sendable {
  var maximumDeletes: Int?
  /// Of the keys before, from 0 to 100.
  var maximumPercent: Int?
  var span: SourceSpan
}

/// Stops a commit that deletes many keys, or all, unless it says that this is meant; and one that deletes a protected
/// key.
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
    MailAddress.lowercased(left) == MailAddress.lowercased(right)
  }

  /// - Complexity: O(*n*) in keys that changed, and in patterns for each that is deleted.
  static func findings(
    _ keySpace: KeySpace, after last: CommitHistory.Published?, _ history: CommitHistory,
    _ settings: Settings
  ) -> [Diagnostic] {
    guard let last, !history.isFirst else { return [] }
    let removed = KeySpaceDiff(from: last.keySpace, to: keySpace).changes.filter {
      $0.kind == .removed
    }
    guard !removed.isEmpty else { return [] }
    let limit = history.allowsPrune ? nil : limitFinding(removed, keySpace, last, history, settings)
    return [limit].compactMap(\.self) + protectedFindings(removed, last.settings.protected)
  }

  private static func limitFinding(
    _ removed: [KeySpaceDiff.Change], _ keySpace: KeySpace, _ last: CommitHistory.Published,
    _ history: CommitHistory, _ settings: Settings
  ) -> Diagnostic? {
    let severity: Diagnostic.Severity = history.authors == nil ? .warning : .error
    let hint = "if that is meant, end the commit's message with '\(trailer): true'"
    let related = removed.prefix(examples).compactMap { change in
      change.old.map {
        Diagnostic.Related(SourceSpan(file: $0.origin.file), "'\(change.key)' was here")
      }
    }
    if keySpace.count == 0 {
      return Diagnostic(
        .pruneEmpty, severity, at: SourceSpan(file: Settings.fileName),
        "nothing is published any more: all \(last.keySpace.count) keys are deleted", hint: hint,
        related: related)
    }
    guard let limit = last.settings.prune?.exceeded(by: removed.count, of: last.keySpace.count)
    else { return nil }
    return Diagnostic(
      .pruneLimit, severity, at: settings.prune?.span ?? SourceSpan(file: Settings.fileName),
      "\(removed.count) of \(last.keySpace.count) keys are deleted, more than \(limit)",
      hint: hint, related: related)
  }

  /// No trailer allows it: the patterns have to go first, in a commit before.
  private static func protectedFindings(
    _ removed: [KeySpaceDiff.Change], _ protected: [ProtectedKeys]
  ) -> [Diagnostic] {
    let length = protected.reduce(0) { $0 + $1.pattern.length }
    let bytes = removed.reduce(0) { $0 + $1.key.text.utf8.count }
    guard bytes <= CompilerLimits.patternSteps / max(1, length) else {
      return [
        Diagnostic(
          .limitKeys, at: SourceSpan(file: Settings.fileName),
          "comparing the deleted keys with the protected ones takes more than "
            + "\(CompilerLimits.patternSteps) steps", hint: "delete them in several commits")
      ]
    }
    var findings: [Diagnostic] = []
    for change in removed {
      guard let entry = protected.first(where: { $0.covers(change.key) }) else {
        continue
      }
      findings.append(
        Diagnostic(
          .pruneProtected, at: SourceSpan(file: change.old?.origin.file ?? ""), key: change.key,
          "'\(change.key)' is deleted, and '\(entry.pattern.pattern)' protects it",
          hint: "take the pattern out of 'protect' first, in a commit of its own"))
      if findings.count == CompilerLimits.protectedFindings { break }
    }
    return findings
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
