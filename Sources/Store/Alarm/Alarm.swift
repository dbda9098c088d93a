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

  /// The members whose state differs from that of the others, who are enough to go on without them. Empty
  /// where an alarm names nobody of `members`, or where those that it does not name are no majority.
  func fenced(of members: [UInt64]) throws -> Set<UInt64> {
    let named = Set(try all().filter { $0.kind == .corrupt }.map(\.member))
    let isMinority = named.isSubset(of: members) && named.count * 2 < members.count
    return isMinority ? named : []
  }

  /// The kinds of alarm for which every member refuses writes: a member that is fenced stops nobody else.
  func kinds(among members: [UInt64]) throws -> Set<Alarm.Kind> {
    var kinds = Set(try all().map(\.kind))
    if try !fenced(of: members).isEmpty { kinds.remove(.corrupt) }
    return kinds
  }

  /// True if that changes something.
  func apply(_ change: AlarmChange) throws -> Bool {
    let sql: String
    let alarm: Alarm
    switch change {
    case .raise(let raised):
      sql = "INSERT OR IGNORE INTO alarms(member, kind) VALUES (?, ?)"
      alarm = raised
    case .clear(let cleared):
      sql = "DELETE FROM alarms WHERE member = ? AND kind = ?"
      alarm = cleared
    }
    try db.execute(
      sql: sql, arguments: [Int64(bitPattern: alarm.member), Int64(alarm.kind.rawValue)])
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
