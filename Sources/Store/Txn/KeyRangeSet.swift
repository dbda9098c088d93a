/// Keys that some ranges cover together.
///
/// Ranges are kept in sorted runs of disjoint ones; runs of about one size become one, so that there
/// are few.
///
/// - Complexity: adding *m* ranges takes O(*m* log *m*), and as much again for each doubling of all;
///   looking a key up takes O(log² *n*).
struct KeyRangeSet {
  private struct Span {
    var start: Key
    /// The first key after it; nil if none is.
    var end: Key?
  }

  private var runs: [[Span]] = []

  var isEmpty: Bool { runs.isEmpty }

  mutating func insert(_ ranges: [KeyRange]) {
    add(KeyRangeSet.disjoint(ranges.compactMap(KeyRangeSet.span)))
  }

  private static func span(_ range: KeyRange) -> Span? {
    switch range {
    case .single(let key): Span(start: key, end: Key(key.bytes + [0]))
    case .between(let start, let end): start < end ? Span(start: start, end: end) : nil
    case .from(let start): Span(start: start, end: nil)
    }
  }

  mutating func formUnion(_ other: KeyRangeSet) {
    for run in other.runs { add(run) }
  }

  private mutating func add(_ run: [Span]) {
    guard !run.isEmpty else { return }
    var run = run
    while let last = runs.last, last.count <= 2 * run.count {
      runs.removeLast()
      run = KeyRangeSet.disjoint(last + run)
    }
    runs.append(run)
  }

  private static func disjoint(_ spans: [Span]) -> [Span] {
    var result: [Span] = []
    for span in spans.sorted(by: { $0.start < $1.start }) {
      guard let last = result.last, last.end.map({ span.start <= $0 }) ?? true else {
        result.append(span)
        continue
      }
      guard let end = last.end, let other = span.end else {
        result[result.count - 1].end = nil
        continue
      }
      result[result.count - 1].end = max(end, other)
    }
    return result
  }

  func contains(_ key: Key) -> Bool {
    runs.contains { run in
      guard let span = KeyRangeSet.lastSpan(of: run, from: key) else { return false }
      return span.end.map { key < $0 } ?? true
    }
  }

  /// True if the ranges that were inserted in one call cover this one together; of an empty range, if they
  /// hold its start.
  func covers(_ range: KeyRange) -> Bool {
    guard let wanted = KeyRangeSet.span(range) else { return contains(range.start) }
    return runs.contains { run in
      guard let span = KeyRangeSet.lastSpan(of: run, from: wanted.start) else { return false }
      guard let end = span.end else { return true }
      return wanted.end.map { $0 <= end } ?? false
    }
  }

  /// What lies between the ranges that were inserted in one call: from a key on, and before another or for
  /// ever.
  var gaps: [(start: Key, end: Key?)] {
    guard let run = runs.first else { return [(Key([]), nil)] }
    var gaps: [(start: Key, end: Key?)] = []
    var start: Key? = Key([])
    for span in run {
      if let start, start < span.start { gaps.append((start, span.start)) }
      start = span.end
    }
    if let start { gaps.append((start, nil)) }
    return gaps
  }

  /// The last span of a run that begins at or before the key.
  private static func lastSpan(of run: [Span], from key: Key) -> Span? {
    var (low, high) = (0, run.count)
    while low < high {
      let middle = (low + high) / 2
      if run[middle].start <= key { low = middle + 1 } else { high = middle }
    }
    return low > 0 ? run[low - 1] : nil
  }
}
