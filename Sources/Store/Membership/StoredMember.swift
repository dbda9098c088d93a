import Foundation
import GRDB

/// A member as the cluster knows it; its name and client URLs are empty until it has started.
package struct StoredMember: Hashable, Sendable {
  package var id: UInt64
  package var name: String
  package var clientURLs: [String]
  package var peerURLs: [String]

  package init(id: UInt64, name: String, clientURLs: [String], peerURLs: [String]) {
    self.id = id
    self.name = name
    self.clientURLs = clientURLs
    self.peerURLs = peerURLs
  }
}

extension StoredMember {
  func write(_ db: Database) throws {
    try db.cachedStatement(
      sql: """
        INSERT INTO members(id, name, clientURLs, peerURLs) VALUES (?, ?, ?, ?)
        ON CONFLICT(id) DO UPDATE SET peerURLs = excluded.peerURLs
        """
    ).execute(arguments: [
      Int64(bitPattern: id), name, clientURLs.joined(separator: "\n"),
      peerURLs.joined(separator: "\n"),
    ])
  }

  static func readAll(_ db: Database) throws -> [StoredMember] {
    let sql = "SELECT id, name, clientURLs, peerURLs FROM members"
    func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }
    return try Row.fetchAll(db, sql: sql).map { row in
      StoredMember(
        id: UInt64(bitPattern: row[0]), name: row[1], clientURLs: lines(row[2]),
        peerURLs: lines(row[3]))
    }.sorted { $0.id < $1.id }
  }

  /// Ascending.
  static func ids(_ db: Database) throws -> [UInt64] {
    try Int64.fetchAll(db, sql: "SELECT id FROM members").map(UInt64.init(bitPattern:)).sorted()
  }

  /// Those who vote, ascending; in a joint membership those of both lists.
  static func voters(_ db: Database) throws -> [UInt64] {
    try Int64.fetchAll(db, sql: "SELECT id FROM members WHERE votes")
      .map(UInt64.init(bitPattern:)).sorted()
  }

  static func readRemoved(_ db: Database) throws -> Set<UInt64> {
    Set(
      try Int64.fetchAll(db, sql: "SELECT id FROM removedMembers").map(UInt64.init(bitPattern:)))
  }
}

extension MemberAttributes {
  /// Only who belongs to the cluster has attributes: a member that was removed stays so.
  func write(_ db: Database) throws {
    try db.cachedStatement(
      sql: "UPDATE members SET name = ?, clientURLs = ? WHERE id = ?"
    ).execute(arguments: [name, clientURLs.joined(separator: "\n"), Int64(bitPattern: id)])
  }
}

extension MemberChange {
  func apply(to db: Database) throws {
    switch self {
    case .found(let founders):
      for founder in founders {
        try StoredMember(id: founder.id, name: "", clientURLs: [], peerURLs: founder.peerURLs)
          .write(db)
      }
    case .add(let id, let urls):
      try StoredMember(id: id, name: "", clientURLs: [], peerURLs: urls).write(db)
    // Who belongs to the cluster follows from the membership of the same entry, and from it alone.
    case .remove, .promote: break
    case .relocate(let id, let urls):
      try db.execute(
        sql: "UPDATE members SET peerURLs = ? WHERE id = ?",
        arguments: [urls.joined(separator: "\n"), Int64(bitPattern: id)])
    }
  }
}

/// Who belongs to the cluster and who votes, as one entry of the log says it.
package struct LogMembership: Hashable, Sendable {
  /// In the log's own encoding, which the store does not read.
  package var voters: [UInt8]
  /// Everyone named there.
  package var members: [UInt64]
  /// Those of them who vote.
  package var voting: [UInt64]

  package init(voters: [UInt8], members: [UInt64], voting: [UInt64]) {
    self.voters = voters
    self.members = members
    self.voting = voting
  }

  /// Makes it the store's membership: who is not named any more is removed for good.
  func apply(index: UInt64, to db: Database) throws {
    try StoredMembership(index: index, voters: voters).write(db)
    let known = try StoredMember.readAll(db).map(\.id)
    for id in known where !members.contains(id) {
      let stored = Int64(bitPattern: id)
      try db.execute(sql: "DELETE FROM members WHERE id = ?", arguments: [stored])
      try db.execute(
        sql: "INSERT OR IGNORE INTO removedMembers(id) VALUES (?)", arguments: [stored])
      // Its state is nobody's concern any more.
      _ = try AlarmTable(db: db).apply(.clear(Alarm(member: id, kind: .corrupt)))
      try IntegrityTable(db: db).forget(id)
    }
    for id in members where !known.contains(id) {
      try StoredMember(id: id, name: "", clientURLs: [], peerURLs: []).write(db)
    }
    for id in members {
      try db.execute(
        sql: "UPDATE members SET votes = ? WHERE id = ?",
        arguments: [voting.contains(id), Int64(bitPattern: id)])
    }
  }
}

/// Who votes, in the encoding of the log, and the entry that said so.
package struct StoredMembership: Hashable, Sendable {
  package var index: UInt64
  package var voters: [UInt8]

  func write(_ db: Database) throws {
    try db.execute(
      sql: """
        INSERT INTO membership(id, logIndex, voters) VALUES (1, ?, ?)
        ON CONFLICT(id) DO UPDATE SET logIndex = excluded.logIndex, voters = excluded.voters
        """,
      arguments: [Int64(bitPattern: index), Data(voters)])
  }

  static func read(_ db: Database) throws -> StoredMembership? {
    guard let row = try Row.fetchOne(db, sql: "SELECT logIndex, voters FROM membership") else {
      return nil
    }
    return StoredMembership(index: UInt64(bitPattern: row[0]), voters: try row.bytes(1))
  }
}
