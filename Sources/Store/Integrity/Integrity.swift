// Members that have applied the same entries hold the same state. Whether they do is asked in the log
// itself: a check is a command, and each member answers it by a report on its state right after that
// entry. Reports are commands too, so that every member, whoever leads meanwhile, comes to the same
// verdict.

import BinaryCoding
import GRDB

public enum IntegrityChange: Hashable, Sendable {
  /// Asks every member for its report.
  case check
  case report(IntegrityReport)
}

/// What the state of a member was when it had applied an entry.
public struct IntegrityReport: Hashable, Sendable {
  public var member: UInt64
  /// The index of the check in the log.
  public var index: UInt64
  /// `StateSnapshot.hash`.
  public var hash: UInt64

  public init(member: UInt64, index: UInt64, hash: UInt64) {
    self.member = member
    self.index = index
    self.hash = hash
  }
}

/// What came of comparing the members' states; members ascending.
enum IntegrityVerdict: Hashable {
  /// Nobody who has reported differs from anybody.
  case none
  /// More than half of the voters agree; these say something else.
  case decided(differing: [UInt64])
  /// No half agrees, whatever the others report: nobody can tell who is right.
  case undecidable(differing: [UInt64])
  /// States differ; the reports that are missing decide.
  case disagreement

  var isDecided: Bool { if case .decided = self { true } else { false } }
  var differing: [UInt64] {
    switch self {
    case .none, .disagreement: []
    case .decided(let members), .undecidable(let members): members
    }
  }
}

extension Command {
  /// Whether these are the bytes of a check; tells without decoding anything that is longer.
  package static func isIntegrityCheck(_ bytes: [UInt8]) -> Bool {
    guard bytes.count == encodedCheckBytes else { return false }
    return (try? Command(decoding: bytes))?.action == .integrity(.check)
  }

  private static let encodedCheckBytes = Command(
    request: RequestID(member: 0, number: 0), action: .integrity(.check)
  ).encoded().count
}

/// The newest report of each member.
struct IntegrityTable {
  let db: Database

  /// Ascending by member.
  func all() throws -> [IntegrityReport] {
    try Row.fetchAll(db, sql: "SELECT member, logIndex, hash FROM integrity").map { row in
      IntegrityReport(
        member: UInt64(bitPattern: row[0]), index: UInt64(bitPattern: row[1]),
        hash: UInt64(bitPattern: row[2]))
    }.sorted { $0.member < $1.member }
  }

  /// False if it is not news: of an older check than the member's last, or of nobody.
  ///
  /// - Parameter entry: of the report itself; no check comes after it.
  func take(_ report: IntegrityReport, at entry: UInt64, members: [UInt64]) throws -> Bool {
    guard members.contains(report.member), report.index < entry else { return false }
    let known = try all().first { $0.member == report.member }
    guard known.map({ $0.index < report.index }) ?? true else { return false }
    try db.execute(
      sql: "INSERT OR REPLACE INTO integrity(member, logIndex, hash) VALUES (?, ?, ?)",
      arguments: [
        Int64(bitPattern: report.member), Int64(bitPattern: report.index),
        Int64(bitPattern: report.hash),
      ])
    return true
  }

  /// What the reports on the check at `index` tell: those of learners are judged, and judge nobody.
  func verdict(at index: UInt64, voters: [UInt64]) throws -> IntegrityVerdict {
    let reports = try all().filter { $0.index == index }
    let majority = voters.count / 2 + 1
    let votes = Dictionary(
      grouping: reports.filter { voters.contains($0.member) }, by: \.hash
    ).mapValues(\.count)
    if let agreed = votes.first(where: { $0.value >= majority })?.key {
      let others = reports.filter { $0.hash != agreed }.map(\.member)
      return others.isEmpty ? .none : .decided(differing: others)
    }
    guard votes.count > 1 else { return .none }
    let missing = voters.count - votes.values.reduce(0, +)
    guard let most = votes.values.max(), most + missing < majority else { return .disagreement }
    return .undecidable(differing: reports.map(\.member).filter(voters.contains))
  }

  /// Forgets what a member that is gone has reported.
  func forget(_ member: UInt64) throws {
    try db.execute(
      sql: "DELETE FROM integrity WHERE member = ?", arguments: [Int64(bitPattern: member)])
  }
}

// MARK: - Coding; see CommandCoding.swift

extension ByteWriter {
  mutating func write(_ change: IntegrityChange) {
    switch change {
    case .check: write(UInt8(0))
    case .report(let report):
      write(UInt8(1))
      write(report.member)
      write(report.index)
      write(report.hash)
    }
  }
}

extension ByteReader {
  mutating func readIntegrityChange() throws(DecodingFailure) -> IntegrityChange {
    switch try readByte() {
    case 0: return .check
    case 1:
      return .report(
        IntegrityReport(
          member: try read(UInt64.self), index: try read(UInt64.self),
          hash: try read(UInt64.self)))
    default: throw DecodingFailure("an unknown word about integrity")
    }
  }
}
