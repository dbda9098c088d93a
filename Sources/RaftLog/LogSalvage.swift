import Raft

/// What the bytes behind a damage still say of promises.
///
/// A write that the disk has put in the wrong place takes two things at once: what it was about, and
/// what it fell upon. A tail marker that falls upon a record hides every record behind it, and the one
/// that it should have covered with them, while the marker before it knows nothing of that yet. So
/// whole records and markers are looked for wherever they may stand. Their entries are not replayed,
/// since what they build on is lost; but term, vote and end of the log are believed.
///
/// To believe too much is safe: a higher term, a vote that nobody was told of, a longer log.
struct LogSalvage {
  private(set) var marker: TailMarker?
  /// The term and vote of the newest write that has one, and the last entry of the newest that has one.
  private var hardState: (state: HardState, batch: UInt64)?
  private var last: (mark: SnapshotMark, batch: UInt64)?

  /// - Complexity: O(*n*) in the bytes.
  mutating func search(_ bytes: [UInt8], from start: Int) {
    for offset in stride(from: (start + 7) & ~7, to: bytes.count, by: 8) {
      if let stored = StoredRecord(in: bytes, at: offset) {
        note(stored)
      } else if bytes[offset] == TailMarker.magic[0],
        let found = TailMarker(in: bytes, at: offset),
        found.generation > marker?.generation ?? 0
      {
        marker = found
      }
    }
  }

  private mutating func note(_ stored: StoredRecord) {
    switch stored.record {
    case .hardState(let state):
      if stored.batch >= hardState?.batch ?? 0 { hardState = (state, stored.batch) }
    case .entry(let entry):
      if stored.batch >= last?.batch ?? 0 {
        last = (SnapshotMark(index: entry.index, term: entry.term), stored.batch)
      }
    case .reset(let mark), .lost(let mark):
      if stored.batch >= last?.batch ?? 0 { last = (mark, stored.batch) }
    case .compacted, .whole: break
    }
  }

  /// What was promised last: by the marker, or by a write that came after the one that it covers.
  func promises(
    since marker: TailMarker
  ) -> (hardState: HardState, last: SnapshotMark, batch: UInt64) {
    var state = HardState(term: marker.term, vote: marker.vote)
    var end = marker.last
    var batch = marker.batch
    if let hardState, hardState.batch > marker.batch {
      state = HardState(term: hardState.state.term, vote: hardState.state.vote)
      batch = max(batch, hardState.batch)
    }
    if let last, last.batch > marker.batch {
      end = last.mark
      batch = max(batch, last.batch)
    }
    return (state, end, batch)
  }
}
