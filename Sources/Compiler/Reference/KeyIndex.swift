import ConfigModel

/// The keys in order, for what is asked when something is wrong.
struct KeyIndex {
  private let keys: [ConfigPath]

  /// Siblings that are compared with a key that is not there, at most.
  private static let siblings = 1_000

  init(_ keys: some Sequence<ConfigPath>) { self.keys = keys.sorted() }

  /// The first key inside a folder.
  func firstBelow(_ folder: ConfigPath) -> ConfigPath? {
    let prefix = folder.text + "/"
    let place = firstPlace(from: ConfigPath(escaped: prefix))
    guard place < keys.count, keys[place].text.utf8.starts(with: prefix.utf8) else { return nil }
    return keys[place]
  }

  /// A key of the same folder that differs by a slip.
  func near(_ key: ConfigPath) -> ConfigPath? {
    guard let slash = key.text.lastIndex(of: "/") else { return nil }
    let prefix = key.text[...slash]
    let name = String(key.text[slash...].dropFirst())
    let start = firstPlace(from: ConfigPath(escaped: String(prefix)))
    for place in start..<min(start + KeyIndex.siblings, keys.count) {
      let text = keys[place].text
      guard text.utf8.starts(with: prefix.utf8) else { break }
      let rest = text.dropFirst(prefix.count)
      if !rest.contains("/"), Spelling.isNear(name, String(rest)) { return keys[place] }
    }
    return nil
  }

  private func firstPlace(from key: ConfigPath) -> Int {
    var (low, high) = (0, keys.count)
    while low < high {
      let middle = (low + high) / 2
      if keys[middle] < key { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
