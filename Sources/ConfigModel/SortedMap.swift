/// A map in the order of its keys, versions of which share what they have in common.
///
/// The elements lie in chunks that are never changed: `applying` copies those that hold a change and refers to
/// all others, so that two versions are compared without looking at what they share. Inlinable, since the compiler
/// looks keys up by the million and a generic type is slow where it is not specialized.
@frozen
public struct SortedMap<Key: Comparable & Sendable, Value: Sendable>: Sendable {
  public typealias Element = (key: Key, value: Value)

  @usableFromInline
  final class Chunk: Sendable {
    /// Ascending; never empty.
    @usableFromInline let keys: [Key]
    @usableFromInline let values: [Value]

    @inlinable
    init(_ elements: some Collection<Element>) {
      keys = elements.map(\.key)
      values = elements.map(\.value)
    }
  }

  /// Elements of a chunk when it is made; one that grows to twice as many is cut.
  @inlinable static var chunkSize: Int { 256 }

  @usableFromInline let chunks: [Chunk]
  public let count: Int

  @inlinable
  init(_ chunks: [Chunk], count: Int) {
    self.chunks = chunks
    self.count = count
  }

  /// Of elements with the same key the first counts.
  ///
  /// - Complexity: O(*n* log *n*), and O(*n*) for elements that are sorted.
  @inlinable
  public init(_ elements: [Element]) {
    var sorted = elements
    if !SortedMap.isAscending(sorted) {
      // Swift's sort is stable.
      sorted.sort { $0.key < $1.key }
      if !SortedMap.isAscending(sorted) { sorted = SortedMap.unique(sorted) }
    }
    self.init(SortedMap.cut(sorted), count: sorted.count)
  }

  @inlinable
  static func isAscending(_ elements: [Element]) -> Bool {
    zip(elements, elements.dropFirst()).allSatisfy { $0.key < $1.key }
  }

  @inlinable
  static func unique(_ sorted: [Element]) -> [Element] {
    var unique: [Element] = []
    for element in sorted where unique.last?.key != element.key { unique.append(element) }
    return unique
  }

  @inlinable
  public var isEmpty: Bool { count == 0 }

  @inlinable
  static func cut(_ elements: [Element]) -> [Chunk] {
    stride(from: 0, to: elements.count, by: chunkSize).map { start in
      Chunk(elements[start..<Swift.min(start + chunkSize, elements.count)])
    }
  }

  // MARK: - Looking up

  /// - Complexity: O(log *n*).
  @inlinable
  public subscript(_ key: Key) -> Value? {
    let place = place(from: key)
    guard place.chunk < chunks.count, chunks[place.chunk].keys[place.offset] == key else {
      return nil
    }
    return chunks[place.chunk].values[place.offset]
  }

  /// The first element whose key is not below `key`.
  ///
  /// - Complexity: O(log *n*).
  @inlinable
  public func first(from key: Key) -> Element? {
    var elements = elements(from: key)
    return elements.next()
  }

  /// The elements whose keys are not below `key`, in order.
  @inlinable
  public func elements(from key: Key) -> Iterator { Iterator(chunks, place(from: key)) }

  @frozen
  @usableFromInline
  struct Place {
    @usableFromInline var chunk: Int
    @usableFromInline var offset: Int

    @inlinable
    init(chunk: Int, offset: Int) {
      self.chunk = chunk
      self.offset = offset
    }
  }

  @inlinable
  func place(from key: Key) -> Place {
    let chunk = lowest(chunks.count) { chunks[$0].keys[chunks[$0].keys.count - 1] < key }
    guard chunk < chunks.count else { return Place(chunk: chunk, offset: 0) }
    let keys = chunks[chunk].keys
    return Place(chunk: chunk, offset: lowest(keys.count) { keys[$0] < key })
  }

  /// The first index for which `isBelow` says no; it says yes for all before.
  @inlinable
  func lowest(_ count: Int, _ isBelow: (Int) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isBelow(middle) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  // MARK: - Versions

  /// The map with some keys changed: those whose value is nil are removed.
  ///
  /// - Precondition: `changes` are sorted by key, no key twice.
  /// - Complexity: O(*n* / 256 + 256 *m*) for *m* changes.
  @inlinable
  public func applying(_ changes: [(key: Key, value: Value?)]) -> SortedMap {
    guard !chunks.isEmpty else {
      return SortedMap(changes.compactMap { change in change.value.map { (change.key, $0) } })
    }
    var made: [Chunk] = []
    made.reserveCapacity(chunks.count + 1)
    var count = count
    var rest = changes[...]
    var next = 0
    var open: [Element] = []
    while let change = rest.first {
      // What lies before the first chunk belongs to it.
      let holder = Swift.max(lowest(chunks.count) { chunks[$0].keys[0] <= change.key } - 1, next)
      made += chunks[next..<holder]
      next = holder
      repeat {
        let end = next + 1 < chunks.count ? chunks[next + 1].keys[0] : nil
        let own = rest.prefix { change in end.map { change.key < $0 } ?? true }
        rest = rest.dropFirst(own.count)
        count += SortedMap.merge(chunks[next], own, into: &open)
        next += 1
        // A chunk that shrank is joined with the next.
      } while open.count < SortedMap.chunkSize / 4 && next < chunks.count
      made += SortedMap.close(&open)
    }
    made += chunks[next...]
    return SortedMap(made, count: count)
  }

  /// - Returns: by how many elements the map grows.
  @inlinable
  static func merge(
    _ chunk: Chunk, _ changes: ArraySlice<(key: Key, value: Value?)>, into open: inout [Element]
  ) -> Int {
    let before = open.count
    var rest = changes
    for (key, value) in zip(chunk.keys, chunk.values) {
      while let change = rest.first, change.key < key {
        if let value = change.value { open.append((change.key, value)) }
        rest = rest.dropFirst()
      }
      guard let change = rest.first, change.key == key else {
        open.append((key, value))
        continue
      }
      if let value = change.value { open.append((key, value)) }
      rest = rest.dropFirst()
    }
    for case (let key, let value?) in rest { open.append((key, value)) }
    return open.count - before - chunk.keys.count
  }

  @inlinable
  static func close(_ open: inout [Element]) -> [Chunk] {
    defer { open = [] }
    if open.isEmpty { return [] }
    return open.count < 2 * chunkSize ? [Chunk(open)] : cut(open)
  }

  /// Visits each key that is in one map alone or may have another value in both, in order; values that lie in a
  /// shared chunk are not visited.
  ///
  /// - Complexity: O(*n* / 256), and O(256) for each difference, where one map was made from the other; else O(*n*).
  @inlinable
  public func differences(
    from old: SortedMap, _ visit: (_ key: Key, _ old: Value?, _ new: Value?) -> Void
  ) {
    var left = Iterator(old.chunks, Place(chunk: 0, offset: 0))
    var right = Iterator(chunks, Place(chunk: 0, offset: 0))
    while true {
      while let shared = right.chunkAtStart, shared === left.chunkAtStart {
        left.skipChunk()
        right.skipChunk()
      }
      switch (left.peek, right.peek) {
      case (nil, nil): return
      case (let before?, let after?) where before.key == after.key:
        visit(after.key, before.value, after.value)
        left.advance()
        right.advance()
      case (let before?, let after) where after.map({ before.key < $0.key }) ?? true:
        visit(before.key, before.value, nil)
        left.advance()
      case (_, let after?):
        visit(after.key, nil, after.value)
        right.advance()
      case (_?, nil): return
      }
    }
  }

  /// Whether both are the same version.
  @inlinable
  public func isSame(as other: SortedMap) -> Bool {
    count == other.count && chunks.elementsEqual(other.chunks) { $0 === $1 }
  }
}

extension SortedMap: Sequence {
  @frozen
  public struct Iterator: IteratorProtocol {
    @usableFromInline let chunks: [Chunk]
    @usableFromInline var place: Place

    @inlinable
    init(_ chunks: [Chunk], _ place: Place) {
      self.chunks = chunks
      self.place = place
    }

    @inlinable
    public mutating func next() -> Element? {
      defer { advance() }
      return peek
    }

    @inlinable
    var peek: Element? {
      guard place.chunk < chunks.count else { return nil }
      let chunk = chunks[place.chunk]
      return (chunk.keys[place.offset], chunk.values[place.offset])
    }

    @inlinable
    mutating func advance() {
      guard place.chunk < chunks.count else { return }
      place.offset += 1
      if place.offset == chunks[place.chunk].keys.count { skipChunk() }
    }

    @inlinable
    mutating func skipChunk() { place = Place(chunk: place.chunk + 1, offset: 0) }

    @inlinable
    var chunkAtStart: Chunk? {
      place.offset == 0 && place.chunk < chunks.count ? chunks[place.chunk] : nil
    }
  }

  @inlinable
  public func makeIterator() -> Iterator { Iterator(chunks, Place(chunk: 0, offset: 0)) }
  @inlinable
  public var underestimatedCount: Int { count }
}
