/// A table that forgets what has not been asked for lately.
///
/// As many elements as a tree may have files are young, and as many bytes as a large one has; when more come, the
/// young become old, and the old ones that nobody has asked for since are forgotten.
struct Generations<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private struct Entry {
    var value: Value
    var bytes: Int
  }

  private static var limit: Int { CompilerLimits.files }
  private static var byteLimit: Int { CompilerLimits.rememberedBytes }

  private var young: [Key: Entry] = [:]
  private var youngBytes = 0
  private var old: [Key: Entry] = [:]

  mutating func find(_ key: Key) -> Value? {
    if let known = young[key] { return known.value }
    guard let known = old.removeValue(forKey: key) else { return nil }
    insert(known.value, for: key, bytes: known.bytes)
    return known.value
  }

  /// - Parameter bytes: about how many it keeps in memory.
  mutating func insert(_ value: Value, for key: Key, bytes: Int = 0) {
    old[key] = nil
    if young.count >= Self.limit || youngBytes >= Self.byteLimit {
      old = young
      (young, youngBytes) = ([:], 0)
    }
    let before = young.updateValue(Entry(value: value, bytes: bytes), forKey: key)
    youngBytes += bytes - (before?.bytes ?? 0)
  }

  mutating func removeAll(where isUnwanted: (Value) -> Bool) {
    young = young.filter { !isUnwanted($0.value.value) }
    youngBytes = young.values.reduce(0) { $0 + $1.bytes }
    old = old.filter { !isUnwanted($0.value.value) }
  }
}
