import ConfigModel

/// The keys in order, for what is asked when something is wrong.
struct KeyIndex {
  private let keys: [ConfigPath]

  /// Siblings that are compared with a key that is not there, at most.
  private static let siblings = 200

  init(_ keys: some Sequence<ConfigPath>) { self.keys = keys.sorted() }

  /// The first key inside a folder.
  func firstBelow(_ folder: ConfigPath) -> ConfigPath? {
    let place = firstPlace(from: folder.appending(""))
    guard place < keys.count, keys[place].isInside(folder) else { return nil }
    return keys[place]
  }

  /// A key of the same folder that differs by a slip, and is not `other`.
  func near(_ key: ConfigPath, besides other: ConfigPath) -> ConfigPath? {
    let name = key.lastSegment
    guard let folder = key.parent, name.utf8.count > 1 else { return nil }
    let start = firstPlace(from: folder.appending(""))
    for place in start..<min(start + KeyIndex.siblings, keys.count) {
      let found = keys[place]
      guard found.isInside(folder) else { break }
      if found != other, found.parent == folder, Spelling.isNear(name, found.lastSegment) {
        return found
      }
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
