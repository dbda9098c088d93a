/// One entry of the log for the store to apply.
package struct LogCommand: Sendable {
  package var index: UInt64
  package var term: UInt64
  /// nil for an entry that changes nothing.
  package var payload: [UInt8]?
  /// Who votes from this entry on; nil if that does not change.
  package var membership: LogMembership?

  package init(
    index: UInt64, term: UInt64, payload: [UInt8]?, membership: LogMembership? = nil
  ) {
    self.index = index
    self.term = term
    self.payload = payload
    self.membership = membership
  }
}

/// What applying one entry did.
package struct AppliedCommand: Sendable {
  package var outcome: Outcome
  package var events: [KeyEvent]
  /// It was about a member of the cluster, not about keys.
  package var changesMembers = false
  package var lease: LeaseEffect?
  package var changesAlarms = false
  /// Members' states differ, and so far nobody can tell whose is right.
  package var isDisagreement = false
  package var admitted: AdmittedToken?
}
