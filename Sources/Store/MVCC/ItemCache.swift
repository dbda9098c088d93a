import Dispatch

/// Keys as they stand now, those that were read or written last: a read of one of them needs no database.
///
/// Two generations: what is used moves to the young one, and when that holds half of what there is room
/// for, it becomes the old one and what was old goes. So each operation takes constant time.
struct ItemCache {
  /// What keys and values take, and what else an entry costs, in bytes.
  static let capacity = 64 << 20
  private static let entryBytes = 200

  /// What a key is: nil where it does not exist.
  typealias Generation = [Key: KeyValue?]

  private let capacity: Int
  private var young: Generation = [:]
  private var old: Generation = [:]
  private var youngBytes = 0
  /// What has gone and is not freed yet.
  private var retired: Generation?

  init(capacity: Int = ItemCache.capacity) { self.capacity = capacity }

  enum Found {
    case unknown
    case absent
    case item(KeyValue)
  }

  mutating func find(_ key: Key) -> Found {
    if let found = young[key] { return ItemCache.found(found) }
    guard let found = old.removeValue(forKey: key) else { return .unknown }
    keep(key, found)
    return ItemCache.found(found)
  }

  private static func found(_ item: KeyValue?) -> Found { item.map(Found.item) ?? .absent }

  /// Takes down how a key stands now.
  mutating func keep(_ key: Key, _ item: KeyValue?) {
    let bytes = ItemCache.size(key, item)
    // One that would drive out half of the others is not worth it.
    guard bytes <= capacity / 4 else { return forget(key) }
    old[key] = nil
    if let former = young.updateValue(item, forKey: key) {
      youngBytes -= ItemCache.size(key, former)
    }
    youngBytes += bytes
    guard youngBytes > capacity / 2 else { return }
    retired = old
    old = young
    young = [:]
    youngBytes = 0
  }

  mutating func takeRetired() -> Generation? {
    defer { retired = nil }
    return retired
  }

  /// Frees hundreds of thousands of values, which takes tens of milliseconds, where nobody waits for it.
  static func free(_ values: (some Sendable)?) {
    if let values { DispatchQueue.global().async { withExtendedLifetime(values) {} } }
  }

  private mutating func forget(_ key: Key) {
    old[key] = nil
    if let former = young.removeValue(forKey: key) { youngBytes -= ItemCache.size(key, former) }
  }

  private static func size(_ key: Key, _ item: KeyValue?) -> Int {
    entryBytes + 2 * key.bytes.count + (item?.value.count ?? 0)
  }
}

/// What is known of keys while a batch is applied: what the batch has changed, and the cache as it was
/// before it.
struct KnownItems: Sendable {
  static let none = KnownItems { _ in .unknown }

  private let before: @Sendable (Key) -> ItemCache.Found
  private var changed: [Key: KeyValue?] = [:]

  init(before: @escaping @Sendable (Key) -> ItemCache.Found) { self.before = before }

  func find(_ key: Key) -> ItemCache.Found {
    guard let found = changed[key] else { return before(key) }
    return found.map(ItemCache.Found.item) ?? .absent
  }

  /// Takes down what a command has done.
  mutating func apply(_ events: [KeyEvent]) {
    for event in events {
      switch event.change {
      case .put(let item): changed[item.key] = .some(item)
      case .delete(let key, _): changed[key] = .some(nil)
      }
    }
  }
}

/// Where the store stands, and the keys as they stand there: changed together.
struct StoreHead {
  /// Events of one batch that are taken down one by one; after more than that the cache begins anew.
  private static let batchEvents = 1_000

  private(set) var position: StorePosition
  private(set) var items = ItemCache()
  /// Grows when a snapshot replaces the state: what was read of the former counts no more.
  private(set) var generation = 0

  init(_ position: StorePosition) { self.position = position }

  /// - Returns: what the cache held and is given up, to be freed outside any lock.
  mutating func advance(to next: StorePosition, after applied: [AppliedCommand]) -> ItemCache? {
    position = next
    guard applied.reduce(0, { $0 + $1.events.count }) <= StoreHead.batchEvents else {
      defer { items = ItemCache() }
      return items
    }
    for command in applied {
      for event in command.events {
        switch event.change {
        case .put(let item): items.keep(item.key, item)
        case .delete(let key, _): items.keep(key, nil)
        }
      }
    }
    return nil
  }

  /// Knows nothing until `replace`: the state is about to be another.
  ///
  /// - Returns: what the cache held, to be freed outside any lock.
  mutating func forget() -> ItemCache {
    defer {
      items = ItemCache(capacity: 0)
      generation += 1
    }
    return items
  }

  mutating func replace(by position: StorePosition) {
    self.position = position
    items = ItemCache()
    generation += 1
  }

  mutating func find(_ key: Key) -> ItemCache.Found { items.find(key) }
  mutating func takeRetired() -> ItemCache.Generation? { items.takeRetired() }

  /// Takes down what was read from the database at `revision`, if that is still the newest.
  mutating func read(_ key: Key, _ item: KeyValue?, at revision: Revision, generation: Int) {
    if revision == position.revision, generation == self.generation { items.keep(key, item) }
  }
}
