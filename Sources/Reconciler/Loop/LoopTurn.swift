import ConfigModel

extension ReconcileLoop {
  /// What one turn of the loop leaves to the next.
  struct Turn {
    /// Intervals between two looks at all keys though nobody has said that they changed.
    private static let pollsBetweenLooks = 20

    var failures = 0
    /// nil if it always works.
    var tenure: Tenure?
    /// The newest commit that was looked at.
    var tip: CommitID?
    /// What the store was found to hold, and the source not.
    var suspect: CommitID?
    /// Whether somebody has rung while it rested.
    var passesOn = false
    var nextPassing = Duration.zero
    /// Intervals that were over since all keys were compared.
    var polls = 0
    /// After anything went wrong, and at first, all keys are compared.
    var isLookDue = true
    /// Changes of keys say nothing of the source.
    var isNewsDue = true
    /// When the source is looked at again, by the calendar's `uptime`.
    var nextPoll = Duration.zero
    /// Why the source could not be read when that was last tried.
    var staleness: String?
    /// Where keys are watched.
    var watched: ConfigPath?

    /// Whether the source is to be read again before that is believed.
    mutating func isDoubtful(_ error: ReconcileError) -> Bool {
      guard let head = error.unknownHead, head != suspect else { return false }
      suspect = head
      isNewsDue = true
      return true
    }

    /// Whether the source can't be read to see if that is so.
    func isUnsure(_ error: ReconcileError) -> Bool { error.unknownHead != nil && staleness != nil }

    /// Until when to rest: `retry` or the next look, or when the lease is to be given back, or a ring passed on.
    func restEnd(_ retry: Duration?, at now: Duration) -> Duration {
      guard let tenure else { return retry.map { now + $0 } ?? nextPoll }
      guard tenure.isResting else {
        let end = retry.map { now + $0 } ?? nextPoll
        return tenure.yieldTime.map { min(end, max(now, $0)) } ?? end
      }
      let end = min(now + (retry ?? tenure.pause), nextPoll)
      return passesOn ? min(end, max(now, nextPassing)) : end
    }

    mutating func countPoll() {
      polls += 1
      guard polls == Turn.pollsBetweenLooks else { return }
      polls = 0
      isLookDue = true
    }
  }
}
