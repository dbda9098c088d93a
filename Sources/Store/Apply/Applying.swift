import BinaryCoding
import GRDB

/// Carries out entries of the log, one after the other, in one transaction of the database.
///
/// What a command does depends on the entry and the state before it alone, so that it is the same on
/// every member: on no clock, no chance, and on nothing that a member was started with.
struct Applying {
  /// What decides about a command besides the keys; read once, and kept in memory from then on.
  struct Ground: Sendable {
    var position: StorePosition
    var auth: AuthState
    /// The kinds of alarm for which writes are refused.
    var alarms: Set<Alarm.Kind>

    static func read(_ db: Database) throws -> Ground {
      Ground(
        position: try StorePosition.read(db), auth: try AuthTable(db: db).read(),
        alarms: try AlarmTable(db: db).kinds())
    }
  }

  let db: Database
  var state: StorePosition
  private var alarms: Set<Alarm.Kind>
  private var auth: AuthState
  private var known: KnownItems
  private let versions: VersionWriter

  /// - Parameters:
  ///   - ground: as of the state in the database.
  ///   - known: keys as of that state.
  init(db: Database, on ground: Ground, known: KnownItems) throws {
    self.db = db
    versions = try VersionWriter(db: db)
    self.known = known
    (state, auth, alarms) = (ground.position, ground.auth, ground.alarms)
  }

  var ground: Ground { Ground(position: state, auth: auth, alarms: alarms) }

  /// Nil for an entry without a command.
  mutating func apply(_ entry: LogCommand) throws -> AppliedCommand? {
    precondition(entry.index == state.appliedIndex + 1, "entries are applied in order")
    if let membership = entry.membership {
      try membership.apply(index: entry.index, to: db)
      alarms = try AlarmTable(db: db).kinds()
      cover(membership.voters)
    }
    let applied = try entry.payload.map { payload in
      try apply(try Command(decoding: payload), payload: payload, entry: entry)
    }
    state.appliedIndex = entry.index
    state.appliedTerm = entry.term
    return applied
  }

  private mutating func apply(
    _ command: Command, payload: [UInt8], entry: LogCommand
  ) throws -> AppliedCommand {
    if let refusal = try refusal(of: command) {
      return try attempt(command) { _ in throw refusal }
    }
    switch command.action {
    case .alarm(let change):
      let table = AlarmTable(db: db)
      let members = try StoredMember.voters(db)
      var applied = try attempt(command) { _ in
        try table.apply(change, among: members) ? .done : .unchanged
      }
      alarms = try table.kinds()
      applied.changesAlarms = true
      cover(payload)
      return applied
    // What may refuse a put does so before it writes: nothing has to be undone. (A savepoint has SQLite copy what each
    // page was before.)
    case .put(let put): return try attempt(command, undoes: false) { try $0.run(.put(put)) }
    case .delete(let delete): return try attempt(command) { try $0.run(.delete(delete)) }
    case .transaction(let transaction):
      return try attempt(command, undoes: !transaction.isRefusedBeforeItWrites) { writing in
        try transaction.validate()
        return try writing.run(.transaction(transaction))
      }
    case .lease(let change):
      var applied = try attempt(command) { try $0.run(change, entry: entry) }
      guard case .success = applied.outcome.result else { return applied }
      cover(payload)
      applied.lease = change.effect(grantedAt: entry.index)
      return applied
    case .compact(let revision):
      var position = state
      let db = db
      let applied = try attempt(command) { _ in
        try Compaction(db: db).begin(at: revision, state: &position)
        return .done
      }
      guard case .success = applied.outcome.result else { return applied }
      state.compactRevision = position.compactRevision
      cover(payload)
      return applied
    case .auth(let change): return try apply(change, of: command, payload: payload, entry: entry)
    case .integrity(let change):
      return try apply(change, of: command, payload: payload, entry: entry)
    case .memberAttributes(let member):
      try member.write(db)
      return membersChanged(by: command, payload: payload)
    case .memberChange(let change):
      try change.apply(to: db)
      return membersChanged(by: command, payload: payload)
    }
  }

  /// Why a command is refused before it is looked at closer.
  private func refusal(of command: Command) throws -> StoreError? {
    do {
      try command.check(auth, leases: LeaseTable(db: db))
    } catch let error as StoreError {
      return error
    }
    return command.action.refusal(under: alarms)
  }

  private mutating func apply(
    _ change: AuthChange, of command: Command, payload: [UInt8], entry: LogCommand
  ) throws -> AppliedCommand {
    var position = state
    let table = AuthTable(db: db)
    var applied = try attempt(command) { _ in
      try table.apply(change, &position) ? .done : .unchanged
    }
    guard case .success(let result) = applied.outcome.result else { return applied }
    cover(payload)
    if case .admit(let user, let provenAt, let token, let issuedAt) = change {
      applied.admitted = AdmittedToken(
        digest: token, user: user, provenAt: provenAt, issuedAt: issuedAt, index: entry.index)
    } else if result == .done {
      state.auth = position.auth
      try state.write(db)
      auth = try table.read()
    }
    return applied
  }

  /// A report that shows a difference raises the alarm.
  private mutating func apply(
    _ change: IntegrityChange, of command: Command, payload: [UInt8], entry: LogCommand
  ) throws -> AppliedCommand {
    cover(payload)
    guard case .report(let report) = change else { return try attempt(command) { _ in .done } }
    let (reports, table) = (IntegrityTable(db: db), AlarmTable(db: db))
    let (members, voters) = (try StoredMember.ids(db), try StoredMember.voters(db))
    var raised = false
    var verdict = IntegrityVerdict.none
    if try reports.take(report, at: entry.index, members: members) {
      verdict = try reports.verdict(at: report.index, voters: voters)
      for member in verdict.differing {
        let alarm = AlarmChange.raise(Alarm(member: member, kind: .corrupt))
        // Where a majority agrees, it goes on without the others.
        if try table.apply(alarm, among: verdict.isDecided ? voters : []) { raised = true }
      }
    }
    if raised { alarms = try table.kinds() }
    var applied = try attempt(command) { _ in raised ? .done : .unchanged }
    applied.changesAlarms = raised
    applied.isDisagreement = verdict == .disagreement
    return applied
  }

  /// Carries out all of `body`, or nothing of it and the error is the outcome.
  ///
  /// - Parameter undoes: `body` may fail when it has written already.
  private mutating func attempt(
    _ command: Command, undoes: Bool = true, _ body: (inout Writing) throws -> OperationResult
  ) throws -> AppliedCommand {
    var writing = Writing(db: db, before: state, known: known, versions: versions)
    let result: Result<OperationResult, StoreError>
    do {
      let done = undoes ? try inSavepoint({ try body(&writing) }) : try body(&writing)
      result = .success(done)
      state = writing.after
      known.apply(writing.events)
    } catch let error as StoreError {
      guard undoes || writing.events.isEmpty else {
        throw StateDatabaseError("a command was refused when it had written: \(error)")
      }
      result = .failure(error)
      writing = Writing(db: db, before: state)
      // A member that refuses what the others accept is found out as well.
      cover([error.code])
    }
    return AppliedCommand(
      outcome: outcome(of: command, result), events: writing.events)
  }

  private func inSavepoint<Value>(_ body: () throws -> Value) throws -> Value {
    var done: Value?
    try db.inSavepoint {
      done = try body()
      return .commit
    }
    guard let done else { throw StateDatabaseError("a savepoint ended without a result") }
    return done
  }

  private mutating func membersChanged(
    by command: Command, payload: [UInt8]
  ) -> AppliedCommand {
    cover(payload)
    return AppliedCommand(
      outcome: outcome(of: command, .success(.done)), events: [], changesMembers: true)
  }

  private func outcome(
    of command: Command, _ result: Result<OperationResult, StoreError>
  ) -> Outcome {
    Outcome(request: command.request, result: result, revision: state.revision)
  }

  /// Makes the digest depend on `bytes`.
  private mutating func cover(_ bytes: [UInt8]) {
    state.digest = chainHash(bytes[...], after: state.digest)
  }
}

extension LeaseChange {
  /// What it does if it succeeds.
  fileprivate func effect(grantedAt index: UInt64) -> LeaseEffect? {
    switch self {
    case .grant(let id, let ttl):
      .granted(Lease(id: id, ttl: ttl, remaining: ttl, grantedAt: index))
    case .revoke(let id), .expire(let id, _, _): .ended(id: id)
    case .checkpoint: nil
    }
  }
}
