/// What a loop knows of its lease from one turn to the next.
struct Tenure: Sendable {
  /// Between two times that it is given back because this one can't work.
  private static let betweenYields = Duration.seconds(60)
  /// Pauses of the lease: for so many something is wrong before it is given back, and for so many others may take it.
  private static let patience = 3.0
  private static let yielding = 1.5

  /// What was found out of who works.
  enum Answer: Sendable {
    case works
    /// The one that is named does, or nobody for a moment.
    case rests(String?)
    /// The source is to be read first.
    case needsNews
  }

  private let lease: any SourceLease
  /// Whether another reconciler worked when that was last asked.
  private(set) var isResting = true
  /// Whose lease was asked for.
  private(set) var source: String?
  /// What was found out to ask, and is true until the source is read again.
  var opening: SourceReconciler.Opening?
  /// Whose lease this one holds, as of the last answer.
  private var held: String?
  private var troubleSince: Duration?
  /// Since when nobody could tell who works.
  private var silentSince: Duration?
  private var yieldsUntil = Duration.zero
  private var nextYield = Duration.zero

  init(_ lease: any SourceLease) { self.lease = lease }

  var pause: Duration { lease.pause }

  /// Asks who works.
  ///
  /// - Parameter isFresh: whether the source has just been read, or can't be.
  mutating func ask(
    _ reconciler: SourceReconciler, _ options: ReconcileOptions, isFresh: Bool
  ) async throws -> Answer {
    let answer = try await find(reconciler, options, isFresh: isFresh)
    silentSince = nil
    if case .rests = answer { rest() }
    if case .works = answer { isResting = false }
    return answer
  }

  private mutating func find(
    _ reconciler: SourceReconciler, _ options: ReconcileOptions, isFresh: Bool
  ) async throws -> Answer {
    opening = nil
    if reconciler.calendar.uptime() < yieldsUntil { return .rests(nil) }
    if lease.isOfAllSources {
      source = options.name
      return try await lease.holder(of: "").map { .rests($0) } ?? .works
    }
    if let name = options.name { return try await claim(name) }
    let opening = try await reconciler.open(options)
    self.opening = opening
    if held != opening.name {
      switch try await reconciler.kinship(opening, isFresh: isFresh) {
      case .ours: break
      case .unknown: return .needsNews
      case .anothers:
        // A commit must not take what may be another source's. Where nobody works the run says what is wrong.
        source = opening.name
        return try await lease.otherHolder(of: opening.name).map { holder in
          .rests("\(holder), and the store's commit is not in the history here")
        } ?? .works
      }
    }
    return try await claim(opening.name)
  }

  private mutating func claim(_ name: String) async throws -> Answer {
    source = name
    if let holder = try await lease.holder(of: name) { return .rests(holder) }
    held = name
    return .works
  }

  private mutating func rest() { (isResting, held, troubleSince) = (true, nil, nil) }

  /// Notes whether a turn went as it should.
  mutating func noteTrouble(_ isTrouble: Bool, at now: Duration) {
    guard !isResting else { return }
    troubleSince = isTrouble ? troubleSince ?? now : nil
  }

  /// Notes that nobody can tell who works.
  ///
  /// - Returns: whether it has been so for long enough to take nobody for working.
  mutating func noteSilence(at now: Duration) -> Bool {
    guard isResting else { return false }
    let since = silentSince ?? now
    silentSince = since
    return now - since >= lease.pause * Tenure.patience
  }

  /// When the lease is to be given back if nothing gets better; nil where that is no use.
  var yieldTime: Duration? {
    guard !lease.isOfAllSources, !isResting, held != nil, let troubleSince else { return nil }
    return max(troubleSince + lease.pause * Tenure.patience, nextYield)
  }

  /// Gives the lease back where this one has been unable to work for some time: another one may do better.
  ///
  /// - Returns: whether it has.
  mutating func yield(at now: Duration) async -> Bool {
    guard let yieldTime, let held, now >= yieldTime else { return false }
    await lease.release(held)
    rest()
    yieldsUntil = now + lease.pause * Tenure.yielding
    nextYield = now + Tenure.betweenYields
    return true
  }
}
