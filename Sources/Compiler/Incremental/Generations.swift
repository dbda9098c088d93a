/// A table that forgets what has not been asked for lately.
///
/// As many elements as a tree may have files are young; when more come, those become old, and the old ones that
/// nobody has asked for since are forgotten.
struct Generations<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private static var limit: Int { CompilerLimits.files }

  private var young: [Key: Value] = [:]
  private var old: [Key: Value] = [:]

  subscript(_ key: Key) -> Value? {
    mutating get {
      if let known = young[key] { return known }
      guard let known = old.removeValue(forKey: key) else { return nil }
      self[key] = known
      return known
    }
    set {
      if young.count >= Self.limit {
        old = young
        young = [:]
      }
      young[key] = newValue
    }
  }

  mutating func removeAll(where isUnwanted: (Key) -> Bool) {
    young = young.filter { !isUnwanted($0.key) }
    old = old.filter { !isUnwanted($0.key) }
  }
}
