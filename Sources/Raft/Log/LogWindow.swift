import DequeModule

/// The entries since the last snapshot, in memory (as etcd keeps them in `MemoryStorage`).
///
/// `base` is the last entry that the state machine holds for good; its term is kept, so that an
/// append right after it can be checked. Bounded by the owner, who compacts.
struct LogWindow: Sendable {
  private(set) var base: SnapshotMark
  private var entries: Deque<Entry>
  private(set) var bytes: Int

  init(base: SnapshotMark, entries: [Entry]) {
    self.base = base
    self.entries = Deque(entries)
    self.bytes = entries.reduce(0) { $0 + $1.payload.count }
    for (offset, entry) in entries.enumerated() {
      precondition(
        entry.index.rawValue == base.index.rawValue + UInt64(offset) + 1,
        "the log has a gap before index \(entry.index)")
    }
  }

  var first: LogIndex { base.index.next }
  var last: SnapshotMark {
    entries.last.map { SnapshotMark(index: $0.index, term: $0.term) } ?? base
  }

  /// The term of the entry at `index`; nil before the window or after its end.
  func term(at index: LogIndex) -> Term? {
    if index == base.index { return base.term }
    guard index > base.index, index <= last.index else { return nil }
    return entries[position(of: index)].term
  }

  /// Entries `from` through `through`, cut after `maximumBytes` of payload; at least one, if any.
  func slice(from: LogIndex, through: LogIndex, maximumBytes: Int) -> [Entry] {
    guard from >= first, from <= through, from <= last.index else { return [] }
    var taken: [Entry] = []
    var size = 0
    for entry in entries[position(of: from)...] {
      size += entry.payload.count
      if entry.index > through || (!taken.isEmpty && size > maximumBytes) { break }
      taken.append(entry)
    }
    return taken
  }

  mutating func append(_ entry: Entry) {
    precondition(entry.index == last.index.next, "appends are contiguous")
    entries.append(entry)
    bytes += entry.payload.count
  }

  mutating func truncate(from index: LogIndex) {
    precondition(index > base.index, "a compacted entry can't be truncated")
    while let entry = entries.last, entry.index >= index {
      bytes -= entry.payload.count
      entries.removeLast()
    }
  }

  mutating func compact(through index: LogIndex) {
    guard index > base.index, let term = term(at: index) else { return }
    while let entry = entries.first, entry.index <= index {
      bytes -= entry.payload.count
      entries.removeFirst()
    }
    base = SnapshotMark(index: index, term: term)
  }

  mutating func reset(to mark: SnapshotMark) {
    base = mark
    entries.removeAll()
    bytes = 0
  }

  /// The last place at or before `index` whose term is at most `term`: where logs may agree.
  ///
  /// - Complexity: O(*n*) in the entries skipped.
  func lastPlace(through index: LogIndex, withTermAtMost term: Term) -> SnapshotMark {
    var at = min(index, last.index)
    while at > base.index, let found = self.term(at: at), found > term { at = at.previous }
    guard at > base.index, let found = self.term(at: at) else { return base }
    return SnapshotMark(index: at, term: found)
  }

  private func position(of index: LogIndex) -> Int {
    Int(index.rawValue - base.index.rawValue - 1)
  }
}
