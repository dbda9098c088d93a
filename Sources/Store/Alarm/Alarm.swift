import GRDB

/// Why writes are refused until somebody has looked (etcd's alarms).
public struct Alarm: Hashable, Sendable {
  public enum Kind: UInt8, Hashable, Sendable {
    /// A member's database has passed its quota.
    case noSpace = 1
    /// A member differs from the others.
    case corrupt = 2
  }
  public var member: UInt64
  public var kind: Kind

  public init(member: UInt64, kind: Kind) {
    self.member = member
    self.kind = kind
  }
}

public enum AlarmChange: Hashable, Sendable {
  case raise(Alarm)
  case clear(Alarm)
}

/// The alarms of the state database: replicated, so that every member refuses the same.
struct AlarmTable {
  let db: Database

  /// Ascending by member and kind.
  func all() throws -> [Alarm] {
    try Row.fetchAll(db, sql: "SELECT member, kind FROM alarms").compactMap { row in
      Alarm.Kind(rawValue: row[1]).map { Alarm(member: UInt64(bitPattern: row[0]), kind: $0) }
    }.sorted { ($0.member, $0.kind.rawValue) < ($1.member, $1.kind.rawValue) }
  }

  /// The members whose state differs from that of the others, who are enough to go on without them.
  func fenced() throws -> Set<UInt64> {
    Set(
      try Int64.fetchAll(db, sql: "SELECT member FROM alarms WHERE fenced")
        .map(UInt64.init(bitPattern:)))
  }

  /// The kinds of alarm for which every member refuses writes: one that is fenced stops nobody else.
  func kinds() throws -> Set<Alarm.Kind> {
    let fenced = try fenced()
    return Set(
      try all().filter { $0.kind != .corrupt || !fenced.contains($0.member) }.map(\.kind))
  }

  /// True if that changes something.
  ///
  /// - Parameter members: those whose states count. A member that CORRUPT is raised for is fenced if it and
  ///   those that are fenced already leave a majority; for as long as the alarm stands, whoever comes and
  ///   goes. Else the alarm is everybody's.
  func apply(_ change: AlarmChange, among members: [UInt64] = []) throws -> Bool {
    switch change {
    case .raise(let alarm):
      let fenced = try fenced().union([alarm.member]).intersection(members)
      let isFenced =
        alarm.kind == .corrupt && members.contains(alarm.member)
        && fenced.count * 2 < members.count
      try db.execute(
        sql: "INSERT OR IGNORE INTO alarms(member, kind, fenced) VALUES (?, ?, ?)",
        arguments: [Int64(bitPattern: alarm.member), Int64(alarm.kind.rawValue), isFenced])
    case .clear(let alarm):
      try db.execute(
        sql: "DELETE FROM alarms WHERE member = ? AND kind = ?",
        arguments: [Int64(bitPattern: alarm.member), Int64(alarm.kind.rawValue)])
    }
    return db.changesCount > 0
  }
}

extension Command.Action {
  /// Why it is refused while these alarms are on.
  func refusal(under alarms: Set<Alarm.Kind>) -> StoreError? {
    switch self {
    // Whoever is to clear an alarm has to prove who they are first.
    case .memberAttributes, .memberChange, .alarm, .auth, .integrity: nil
    case .lease(.expire), .lease(.checkpoint): nil
    case _ where alarms.contains(.corrupt): .corrupt
    case .put, .lease(.grant): alarms.contains(.noSpace) ? .noSpace : nil
    case .transaction(let transaction):
      alarms.contains(.noSpace) && transaction.mayPut ? .noSpace : nil
    case .delete, .lease(.revoke), .compact: nil
    }
  }
}

extension Transaction {
  fileprivate var mayPut: Bool {
    (success + failure).contains { operation in
      switch operation {
      case .put: true
      case .transaction(let nested): nested.mayPut
      case .range, .delete: false
      }
    }
  }
}
