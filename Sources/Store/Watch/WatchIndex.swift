/// Which watches want a key.
///
/// - Complexity: a look-up takes O(log *n* + *m*) for *m* watches found where ranges do not lie in each other;
///   one that holds the key makes it look at all that begin after it, and before the key. A change takes
///   O(*n*), all of it in moves of memory.
struct WatchIndex: Sendable {
  private struct Span: Sendable {
    var start: Key
    /// The first key after it; nil if none is.
    var end: Key?
    var id: WatchID
  }

  private var single: [Key: [WatchID]] = [:]
  /// Ascending by start and id.
  private var spans: [Span] = []
  /// How far the spans up to each reach at most; nil for one without an end.
  private var reach: [Key?] = []

  mutating func insert(_ range: KeyRange, _ id: WatchID) {
    if case .single(let key) = range { return single[key, default: []].append(id) }
    let span = WatchIndex.span(range, id)
    let place = position(of: span)
    spans.insert(span, at: place)
    // What comes after is computed when it is asked for.
    reach.removeSubrange(min(place, reach.count)...)
  }

  mutating func remove(_ range: KeyRange, _ id: WatchID) {
    if case .single(let key) = range {
      single[key]?.removeAll { $0 == id }
      if single[key]?.isEmpty == true { single[key] = nil }
      return
    }
    let place = position(of: WatchIndex.span(range, id))
    guard place < spans.count, spans[place].id == id else { return }
    spans.remove(at: place)
    reach.removeSubrange(min(place, reach.count)...)
  }

  mutating func removeAll() { self = WatchIndex() }

  /// Calls `body` with each watch whose range holds the key, in no certain order.
  mutating func forEach(wanting key: Key, _ body: (WatchID) -> Void) {
    for id in single[key] ?? [] { body(id) }
    extendReach()
    // The spans that begin at or before the key.
    var place = spans.partitioningIndex { $0.start > key }
    while place > 0 {
      place -= 1
      if let furthest = reach[place], furthest <= key { return }
      if spans[place].end.map({ key < $0 }) ?? true { body(spans[place].id) }
    }
  }

  private mutating func extendReach() {
    while reach.count < spans.count {
      let end = spans[reach.count].end
      guard let last = reach.last else {
        reach.append(end)
        continue
      }
      if let last, let end { reach.append(max(last, end)) } else { reach.append(nil) }
    }
  }

  private func position(of span: Span) -> Int {
    spans.partitioningIndex { ($0.start, $0.id) >= (span.start, span.id) }
  }

  private static func span(_ range: KeyRange, _ id: WatchID) -> Span {
    switch range {
    case .single(let key): Span(start: key, end: Key(key.bytes + [0]), id: id)
    case .between(let start, let end): Span(start: start, end: end, id: id)
    case .from(let start): Span(start: start, end: nil, id: id)
    }
  }
}

extension Array {
  /// The first place whose element satisfies `isAfter`, which holds for none or for all that follow it.
  func partitioningIndex(where isAfter: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isAfter(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
