import ConfigModel

/// The keys that all files give together.
struct MergedKeys: Sendable {
  /// Those whose references are not resolved yet have no bytes.
  var items = SortedMap<ConfigPath, KeySpace.Item>([])
  /// Of values with references, and of documents, what a reference has to know about them.
  var special = SortedMap<ConfigPath, CompiledItem>([])

  subscript(_ path: ConfigPath) -> CompiledItem? {
    special[path] ?? items[path].map { CompiledItem(path: path, published: $0) }
  }

  /// The value nearest above a key, if there is one.
  ///
  /// - Complexity: O(*m* log *n*) in the segments of the key.
  func valueAbove(_ path: ConfigPath) -> CompiledItem? {
    var next = path.parent
    while let folder = next, folder != .root {
      if let found = self[folder] { return found }
      next = folder.parent
    }
    return nil
  }

  /// The item that a value belongs to: one of that key, or a document above it.
  func holder(of path: ConfigPath) -> ConfigPath? {
    if items[path] != nil { return path }
    var next = path.parent
    while let folder = next {
      if special[folder]?.form == .document { return folder }
      next = folder.parent
    }
    return nil
  }

  /// The first key inside a folder.
  func firstBelow(_ folder: ConfigPath) -> ConfigPath? {
    guard let first = items.first(from: folder.appending("")), first.key.isInside(folder) else {
      return nil
    }
    return first.key
  }

  /// Siblings that are compared with a key that is not there, at most.
  private static let siblings = 200

  /// A key of the same folder that differs by a slip, and is not `other`.
  func near(_ key: ConfigPath, besides other: ConfigPath) -> ConfigPath? {
    let name = key.lastSegment
    guard let folder = key.parent, name.utf8.count > 1 else { return nil }
    var elements = items.elements(from: folder.appending(""))
    for _ in 0..<MergedKeys.siblings {
      guard let found = elements.next()?.key, found.isInside(folder) else { break }
      if found != other, found.parent == folder, Spelling.isNear(name, found.lastSegment) {
        return found
      }
    }
    return nil
  }
}

extension CompiledItem {
  init(path: ConfigPath, published item: KeySpace.Item) {
    self.init(
      path: path, value: item.value, form: item.form == .text ? .text : .json, origin: item.origin)
  }

  var published: KeySpace.Item {
    KeySpace.Item(value: value, origin: origin, form: form == .text ? .text : .json)
  }

  /// Whether a reference has to know more of it than its bytes.
  var isSpecial: Bool { open != nil || form == .document }
}

/// Joins what the files give into one key space, and finds what can't stand together.
struct KeyMerger {
  private var added: [CompiledItem] = []
  private(set) var diagnostics: [Diagnostic] = []
  /// With the keys that are given twice.
  var count: Int { added.count }

  mutating func add(_ items: [CompiledItem]) { added += items }

  /// The keys, each with the value that was added first.
  mutating func merge() -> MergedKeys {
    // Files come by path and give their keys in order, so that mostly all are sorted already.
    if !added.isAscending {
      // Swift's sort is stable.
      added.sort { $0.path < $1.path }
    }
    var items: [(key: ConfigPath, value: KeySpace.Item)] = []
    items.reserveCapacity(added.count)
    var special: [(key: ConfigPath, value: CompiledItem)] = []
    for item in added {
      if let first = items.last, first.key == item.path {
        reportTwice(item, first.value)
        continue
      }
      items.append((item.path, item.published))
      if item.isSpecial { special.append((item.path, item)) }
    }
    added = []
    let keys = MergedKeys(items: SortedMap(items), special: SortedMap(special))
    checkFolders(keys)
    return keys
  }

  private mutating func reportTwice(_ item: CompiledItem, _ first: KeySpace.Item) {
    diagnostics.append(
      Diagnostic(
        .keyConflict, at: item.origin, key: item.path,
        "the key '\(item.path)' is given by two places",
        hint: "remove one of them", related: [.init(first.origin, "given here first")]))
  }

  /// Adds a finding for each value that is a folder as well, or a record of the program's.
  ///
  /// Sorted by bytes, all that begins with a key follows it without a gap: so the keys that the present one begins
  /// with are a stack, and whether it lies below one of them is asked of the last alone.
  ///
  /// - Complexity: O(*n*) in bytes of keys.
  private mutating func checkFolders(_ keys: MergedKeys) {
    var beginnings: [(key: ConfigPath, above: ConfigPath?)] = []
    for (path, item) in keys.items {
      if path.isReserved {
        diagnostics.append(
          Diagnostic(
            .keyReserved, at: item.origin, key: path,
            "keys under '\(ConfigPath.reserved)' are the program's own", hint: "rename the key"))
      }
      while let last = beginnings.last, !path.begins(with: last.key) { beginnings.removeLast() }
      // What follows a key that this one begins with is the same as what follows it in the last of them.
      let above = beginnings.last.flatMap { path.isInside($0.key) ? $0.key : $0.above }
      beginnings.append((path, above))
      guard let above, let value = keys.items[above] else { continue }
      diagnostics.append(
        Diagnostic(
          .keyValueAndFolder, at: item.origin, key: path,
          "'\(above)' is a value, so '\(path)' can't be below it",
          hint: "rename one of them", related: [.init(value.origin, "the value is here")]))
    }
  }
}

extension [CompiledItem] {
  fileprivate var isAscending: Bool {
    zip(self, dropFirst()).allSatisfy { $0.path < $1.path }
  }
}
