import ConfigModel
import ConfigSyncClient

/// Something that happened to a source, as the store remembers it.
struct RecordedEvent: Encodable, Sendable {
  var revision: Int64
  var source: String
  /// `applied`, `refused`, `rejected`, `corrected`, `suspended`, `resumed`, or what the source's state became.
  var event: String
  var commit: String?
  var by: String?
  /// RFC 3339; of a commit its committer's.
  var time: String
  /// For people, on one line.
  var message: String
}

extension Audit {
  /// What happened last to all sources, newest first: of each commit, key of a source and correction the last that was
  /// written.
  func events(atMost limit: Int) async throws -> [RecordedEvent] {
    let prefix = ReservedKeys.sources
    let items = try await records()
    // Most are commits: only those that are shown are decoded.
    var events: [RecordedEvent] = []
    for item in items.sorted(by: { $0.modRevision > $1.modRevision }) where events.count < limit {
      let parts = String(decoding: item.key, as: UTF8.self).dropFirst(prefix.count)
        .split(separator: "/").map(String.init)
      guard parts.count >= 2 else { continue }
      do {
        if let event = try RecordedEvent(item, of: parts[0], kind: parts[1], name: parts.last ?? "")
        {
          events.append(event)
        }
      } catch {
        printError("configsync: the record '\(printableLine(item.key))' can't be read")
      }
    }
    return events
  }
}

extension RecordedEvent {
  /// - Returns: nil for a record that tells no event.
  fileprivate init?(_ item: ClientItem, of source: String, kind: String, name: String) throws {
    func decode<Record: Decodable>(_ type: Record.Type) throws -> Record {
      try ReservedKeys.decode(from: item.value)
    }
    self.init(revision: item.modRevision, source: source, event: kind, time: "", message: "")
    switch kind {
    case "commits":
      let record = try decode(CommitRecord.self)
      set("applied", record.facts.commit, record.facts.author.name, record.facts.committer.time)
      message = oneLine(record.facts.subject)
    case "refused":
      let record = try decode(RefusalRecord.self)
      set("refused", record.facts.commit, record.facts.author.name, record.facts.committer.time)
      message = record.findings.first.map { oneLine("\($0.file):\($0.line): \($0.message)") } ?? ""
    case "rejected":
      let record = try decode(RejectionRecord.self)
      set("rejected", CommitID(name), record.by, record.time)
      message = oneLine(record.reason)
    case "corrections":
      let record = try decode(CorrectionRecord.self)
      set("corrected", record.commit, nil, record.time)
      let more = record.keys.count > 1 ? " and \(record.keys.count - 1) more" : ""
      message = oneLine((record.keys.first?.key ?? "") + more)
    case "suspension":
      let record = try decode(SuspensionRecord.self)
      set(record.isSuspended ? "suspended" : "resumed", nil, record.by, record.time)
      message = oneLine(record.reason)
    case "state":
      let record = try decode(StateRecord.self)
      // That has a record of its own, which says by whom.
      if record.kind == .suspended { return nil }
      set(record.kind.rawValue, nil, nil, record.since)
      message = oneLine(record.message)
    default: return nil
    }
  }

  private mutating func set(_ event: String, _ commit: CommitID?, _ by: String?, _ time: String) {
    self.event = event
    self.commit = commit?.text
    self.by = by.map { oneLine($0) }
    self.time = time
  }
}
