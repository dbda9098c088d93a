import Foundation

/// The name of a commit: 40 hexadecimal digits.
public struct CommitID: Hashable, Sendable, CustomStringConvertible, Codable {
  public let text: String

  /// - Returns: nil if `text` is no full SHA-1 in hexadecimal.
  public init?(_ text: some StringProtocol) {
    let isHexadecimal = text.utf8.allSatisfy {
      (48...57).contains($0) || (97...102).contains($0)
    }
    guard text.utf8.count == 40, isHexadecimal else { return nil }
    self.text = String(text)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let id = CommitID(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "no commit id")
    }
    self = id
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }

  public var short: String { String(text.prefix(9)) }
  public var description: String { text }
}

/// What Git knows of a commit, and the store keeps of it.
public struct CommitFacts: Hashable, Sendable, Codable {
  public struct Person: Hashable, Sendable, Codable {
    public var name: String
    public var email: String
    /// RFC 3339, with the offset that the commit has.
    public var time: String

    public init(name: String, email: String, secondsSince1970: Int64, offsetMinutes: Int) {
      self.name = name
      self.email = email
      self.time = timestamp(secondsSince1970: secondsSince1970, offsetMinutes: offsetMinutes)
    }
  }

  public var commit: CommitID
  public var parents: [CommitID]
  public var tree: String
  public var author: Person
  public var committer: Person
  public var subject: String
  /// What the end of the message says; the store does not keep it.
  public var trailers: [Trailer] = []

  /// A line `Key: value` at the end of a message.
  public struct Trailer: Hashable, Sendable {
    public var key: String
    public var value: String

    public init(key: String, value: String) {
      self.key = key
      self.value = value
    }
  }

  private enum CodingKeys: String, CodingKey {
    case commit, parents, tree, author, committer, subject
  }

  public init(
    commit: CommitID, parents: [CommitID], tree: String, author: Person, committer: Person,
    subject: String, trailers: [Trailer] = []
  ) {
    self.commit = commit
    self.parents = parents
    self.tree = tree
    self.author = author
    self.committer = committer
    self.subject = subject
    self.trailers = trailers
  }
}

/// The record that a commit leaves in the store, in the transaction of its keys.
public struct CommitRecord: Hashable, Sendable, Codable {
  public struct Counts: Hashable, Sendable, Codable {
    /// Keys that the commit publishes, and those that it changed.
    public var keys: Int
    public var puts: Int
    public var deletes: Int

    public init(keys: Int, puts: Int, deletes: Int) {
      self.keys = keys
      self.puts = puts
      self.deletes = deletes
    }
  }

  /// Who has applied a commit although changes were frozen, and why.
  public struct Override: Hashable, Sendable, Codable {
    public var by: String
    public var reason: String

    public init(by: String, reason: String) {
      self.by = by
      self.reason = reason
    }
  }

  public var facts: CommitFacts
  /// Where the source's keys live, as of this commit.
  public var prefix: String
  /// Who signed the commit: nil where signatures are not required.
  public var signer: String?
  /// nil where nothing was frozen.
  public var freezeOverride: Override?
  /// The branch that was followed, where that is known.
  public var branch: String?
  public var counts: Counts
  /// Revisions that it made when it was applied before, ascending; the newest of those.
  public var earlier: [Int64]?
  /// Of which so many are kept.
  public static let earlierLimit = 100

  public init(
    facts: CommitFacts, prefix: String, signer: String? = nil, freezeOverride: Override? = nil,
    branch: String? = nil, counts: Counts, earlier: [Int64]? = nil
  ) {
    self.earlier = earlier
    self.facts = facts
    self.prefix = prefix
    self.signer = signer
    self.freezeOverride = freezeOverride
    self.branch = branch
    self.counts = counts
  }

  /// Where the source's keys live.
  public var path: ConfigPath { ConfigPath(escaped: prefix == "/" ? "" : prefix) }

  private enum CodingKeys: String, CodingKey {
    case commit, parents, tree, author, committer, subject, prefix, signer, freezeOverride, branch,
      counts, earlier
  }

  public init(from decoder: any Decoder) throws {
    facts = try CommitFacts(from: decoder)
    let container = try decoder.container(keyedBy: CodingKeys.self)
    prefix = try container.decode(String.self, forKey: .prefix)
    signer = try container.decodeIfPresent(String.self, forKey: .signer)
    freezeOverride = try container.decodeIfPresent(Override.self, forKey: .freezeOverride)
    branch = try container.decodeIfPresent(String.self, forKey: .branch)
    counts = try container.decode(Counts.self, forKey: .counts)
    earlier = try container.decodeIfPresent([Int64].self, forKey: .earlier)
  }

  public func encode(to encoder: any Encoder) throws {
    try facts.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(prefix, forKey: .prefix)
    try container.encode(signer, forKey: .signer)
    try container.encodeIfPresent(freezeOverride, forKey: .freezeOverride)
    try container.encodeIfPresent(branch, forKey: .branch)
    try container.encode(counts, forKey: .counts)
    try container.encodeIfPresent(earlier, forKey: .earlier)
  }
}

/// The record of a commit that was refused.
public struct RefusalRecord: Hashable, Sendable, Codable {
  public struct Finding: Hashable, Sendable, Codable {
    public var code: String
    public var file: String
    public var line: Int
    public var column: Int
    public var message: String
  }

  /// Findings that are kept; the rest is counted.
  public static let limit = 20

  public var facts: CommitFacts
  public var findings: [Finding]
  public var findingCount: Int

  public init(facts: CommitFacts, diagnostics: [Diagnostic]) {
    let errors = diagnostics.filter { $0.severity == .error }
    self.facts = facts
    findingCount = errors.count
    findings = errors.prefix(RefusalRecord.limit).map { diagnostic in
      Finding(
        code: diagnostic.code.rawValue, file: diagnostic.span.file,
        line: diagnostic.span.start.line, column: diagnostic.span.start.column,
        message: diagnostic.message)
    }
  }
}

/// The keys that the program keeps for itself.
public enum ReservedKeys {
  public static let prefix = ConfigPath.reserved.text + "/"
  public static let sources = prefix + "sources/"
  public static func source(_ name: String) -> String { sources + name + "/" }
  public static func head(of name: String) -> String { source(name) + "head" }
  public static func commits(of name: String) -> String { source(name) + "commits/" }
  public static func lease(of name: String) -> String { source(name) + "lease" }
  public static func ring(of name: String) -> String { source(name) + "ring" }
  public static func refusals(of name: String) -> String { source(name) + "refused/" }

  public static func encode(_ record: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return [UInt8](try encoder.encode(record))
  }

  public static func decode<Record: Decodable>(
    _ type: Record.Type = Record.self, from bytes: [UInt8]
  ) throws -> Record {
    try JSONDecoder().decode(type, from: Data(bytes))
  }
}
