/// What a loop knows of its lease from one turn to the next.
struct Tenure: Sendable {
  /// Between two times that it is given back because this one can't work.
  private static let betweenYields = Duration.seconds(60)
  /// Pauses of the lease: for so many something is wrong before it is given back, and for so many others may take it.
  private static let patience = 3.0
  private static let yielding = 1.5

  private let lease: any SourceLease
  /// Whether another reconciler worked when that was last asked.
  private(set) var isResting = true
  /// Whose lease was asked for.
  private(set) var source: String?
  /// What was found out to ask, and is true until the source is read again.
  var opening: SourceReconciler.Opening?
  private var troubleSince: Duration?
  private var yieldsUntil = Duration.zero
  private var nextYield = Duration.zero

  init(_ lease: any SourceLease) { self.lease = lease }

  var pause: Duration { lease.pause }

  /// Asks who works.
  ///
  /// - Returns: who holds the lease, if another one does; `isResting` says whether to work.
  mutating func ask(
    _ reconciler: SourceReconciler, _ options: ReconcileOptions
  ) async throws -> String? {
    opening = nil
    if reconciler.calendar.uptime() < yieldsUntil {
      isResting = true
      return nil
    }
    if lease.isOfAllSources {
      let holder = try await lease.holder(of: "")
      isResting = holder != nil
      // Nobody needs the store for it, and a ring is passed on by the name that is known.
      source = options.name ?? source
      return holder
    }
    var opening = try await reconciler.open(options)
    if isResting, options.name == nil, try await !reconciler.isOurs(opening) {
      // A commit must not take what is another source's. It may also be that the store is ahead of what is here.
      try await reconciler.refresh()
      opening = try await reconciler.open(options)
      if try await !reconciler.isOurs(opening) {
        isResting = false
        return nil
      }
    }
    source = opening.name
    self.opening = opening
    let holder = try await lease.holder(of: opening.name)
    isResting = holder != nil
    return holder
  }

  /// Notes whether a turn went as it should.
  mutating func noteTrouble(_ isTrouble: Bool, at now: Duration) {
    guard !isResting else { return }
    troubleSince = isTrouble ? troubleSince ?? now : nil
  }

  /// Gives the lease back where this one has been unable to work for some time: another one may do better.
  ///
  /// - Returns: whether it has.
  mutating func yield(at now: Duration) async -> Bool {
    guard let troubleSince, !isResting, now - troubleSince >= lease.pause * Tenure.patience,
      now >= nextYield, let source
    else { return false }
    await lease.release(source)
    (isResting, self.troubleSince) = (true, nil)
    yieldsUntil = now + lease.pause * Tenure.yielding
    nextYield = now + Tenure.betweenYields
    return true
  }
}
