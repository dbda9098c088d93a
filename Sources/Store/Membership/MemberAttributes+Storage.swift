import Foundation
import GRDB

extension MemberAttributes {
  func write(_ db: Database) throws {
    try db.cachedStatement(
      sql: """
        INSERT INTO members(id, name, clientURLs) VALUES (?, ?, ?)
        ON CONFLICT(id) DO UPDATE SET name = excluded.name, clientURLs = excluded.clientURLs
        """
    ).execute(arguments: [
      Int64(bitPattern: id), name, clientURLs.joined(separator: "\n"),
    ])
  }

  static func readAll(_ db: Database) throws -> [MemberAttributes] {
    try Row.fetchAll(db, sql: "SELECT id, name, clientURLs FROM members ORDER BY id").map { row in
      let urls: String = row[2]
      return MemberAttributes(
        id: UInt64(bitPattern: row[0]), name: row[1],
        clientURLs: urls.split(separator: "\n").map(String.init))
    }
  }
}
