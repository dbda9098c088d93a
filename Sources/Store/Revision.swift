/// A state of the whole store: 1 when it is empty, and one more for each change (etcd's counting).
public struct Revision: Hashable, Comparable, Sendable, CustomStringConvertible {
  public var rawValue: Int64
  public init(_ rawValue: Int64) { self.rawValue = rawValue }
  public static let initial = Revision(1)
  public var next: Revision { Revision(rawValue + 1) }
  public var description: String { String(rawValue) }
  public static func < (left: Revision, right: Revision) -> Bool { left.rawValue < right.rawValue }
}

/// A key of the store: any bytes but none at all.
public struct Key: Hashable, Comparable, Sendable, ExpressibleByStringLiteral,
  CustomStringConvertible
{
  public var bytes: [UInt8]
  public init(_ bytes: [UInt8]) { self.bytes = bytes }
  public init(_ text: String) { self.bytes = Array(text.utf8) }
  public init(stringLiteral text: String) { self.init(text) }
  public var description: String { String(decoding: bytes, as: UTF8.self) }
  public static func < (left: Key, right: Key) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
  /// All bytes at once: an array is hashed element by element.
  public func hash(into hasher: inout Hasher) {
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
  }
}

/// The keys that a request means, by etcd's rules for `key` and `range_end`.
public enum KeyRange: Hashable, Sendable {
  case single(Key)
  /// From the first key up to, and without, the second.
  case between(Key, Key)
  /// The key and every one after it.
  case from(Key)

  /// etcd's encoding: an empty end means one key, a single zero byte no end.
  public init(key: [UInt8], rangeEnd: [UInt8]) {
    if rangeEnd.isEmpty {
      self = .single(Key(key))
    } else if rangeEnd == [0] {
      self = .from(Key(key))
    } else {
      self = .between(Key(key), Key(rangeEnd))
    }
  }

  /// As a request has it: the end empty for one key, a zero byte for none.
  public var wire: (start: [UInt8], end: [UInt8]) {
    switch self {
    case .single(let key): (key.bytes, [])
    case .between(let start, let end): (start.bytes, end.bytes)
    case .from(let start): (start.bytes, [0])
    }
  }

  public static func prefix(_ prefix: Key) -> KeyRange {
    var end = prefix.bytes
    while let last = end.popLast() {
      if last < 0xff { return .between(prefix, Key(end + [last + 1])) }
    }
    return .from(prefix)
  }

  public func contains(_ key: Key) -> Bool {
    switch self {
    case .single(let only): key == only
    case .between(let start, let end): key >= start && key < end
    case .from(let start): key >= start
    }
  }

  public var isEmpty: Bool {
    if case .between(let start, let end) = self { start >= end } else { false }
  }

  public var start: Key {
    switch self {
    case .single(let key), .from(let key), .between(let key, _): key
    }
  }
}

/// One key as it stands at some revision.
public struct KeyValue: Hashable, Sendable {
  public var key: Key
  public var value: [UInt8]
  /// The revision that began the current life of the key.
  public var createRevision: Revision
  public var modRevision: Revision
  /// 1 at creation, one more for each put.
  public var version: Int64
  public var lease: Int64

  public init(
    key: Key, value: [UInt8], createRevision: Revision, modRevision: Revision, version: Int64,
    lease: Int64
  ) {
    self.key = key
    self.value = value
    self.createRevision = createRevision
    self.modRevision = modRevision
    self.version = version
    self.lease = lease
  }
}

/// One change of one key.
public struct KeyEvent: Hashable, Sendable {
  public enum Change: Hashable, Sendable {
    case put(KeyValue)
    case delete(Key, at: Revision)

    fileprivate var createsKey: Bool {
      if case .put(let item) = self { item.createRevision == item.modRevision } else { false }
    }
  }

  public var change: Change
  /// The key before the revision of the change, if it was there: two changes of a key in one transaction
  /// have the same. None for a put that begins a life of the key.
  public var previous: KeyValue?

  public init(_ change: Change, previous: KeyValue?) {
    self.change = change
    self.previous = change.createsKey ? nil : previous
  }

  public var key: Key {
    switch change {
    case .put(let item): item.key
    case .delete(let key, _): key
    }
  }

  /// About what it takes in memory and in a message: its key, its values, and something for the rest.
  package var byteCount: Int {
    let previousBytes = (previous?.value.count ?? 0)
    switch change {
    case .put(let item): return item.key.bytes.count + item.value.count + previousBytes + 64
    case .delete(let key, _): return key.bytes.count + previousBytes + 64
    }
  }
}
