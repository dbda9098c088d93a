import ConfigModel

/// A file of the tree as the compiler looks at it.
struct PublishedFile {
  var file: SourceTree.File
  /// The path under the root.
  var name: String
  var encoding: Settings.Encoding

  /// The file without what a layer replaces: its folder, and if structured its extension.
  func place(in directory: String) -> (path: String, isRaw: Bool) {
    let inner = name.dropFirst(directory.utf8.count + 1)
    guard encoding != .raw, let dot = inner.lastIndex(of: ".") else { return (String(inner), true) }
    return (String(inner[..<dot]), false)
  }
}

/// Joins the directories of a namespace, lowest first, its own last.
struct LayeredNamespace {
  /// What stands at one place of the namespace so far.
  fileprivate struct Slot {
    var document: Document
    /// The paths of its files inside their layers, with extensions.
    var files: Set<[UInt8]>
    var layer: Int
  }

  private let namespace: String
  private let settings: Settings
  private var slots: [[UInt8]: Slot] = [:]
  private var layer = 0
  private(set) var diagnostics: [Diagnostic] = []

  init(_ namespace: String, _ settings: Settings) {
    self.namespace = namespace
    self.settings = settings
  }

  /// Adds the files of the next layer, in the order of their paths.
  mutating func add(_ files: [(PublishedFile, ParsedFile)], of directory: String) {
    layer += 1
    for (file, parsed) in files { add(file, parsed, of: directory) }
  }

  private mutating func add(_ file: PublishedFile, _ parsed: ParsedFile, of directory: String) {
    let inner = String(file.name.dropFirst(directory.utf8.count + 1))
    let (place, isRaw) = file.place(in: directory)
    // One file that is raw in one layer and structured in another: the higher one counts.
    let other = Slot.key(isRaw ? stem(of: inner) : inner, isRaw: !isRaw)
    if let below = slots[other], below.layer < layer, below.files.contains(Array(inner.utf8)) {
      slots[other] = nil
    }
    let path = Flattener.path(
      of: namespace + "/" + inner, encoding: file.encoding, under: settings.prefix)
    var document = Document(
      path: path, encoding: file.encoding, content: .raw([]), file: file.file.path,
      references: parsed.references)
    switch parsed.content {
    case .nothing: return
    case .raw(let bytes): document.content = .raw(bytes)
    case .value(let value): document.content = .value(value)
    }
    let key = Slot.key(place, isRaw: isRaw)
    guard let below = slots[key], case .value(let low) = below.document.content,
      case .value(let high) = document.content
    else {
      slots[key] = Slot(document: document, files: [Array(inner.utf8)], layer: layer)
      return
    }
    let joined =
      below.layer == layer
      ? LayerMerge.join(low, high, at: path, &diagnostics) : LayerMerge.lay(high, over: low)
    document.content = .value(joined)
    document.references.merge(below.document.references) { own, _ in own }
    slots[key] = Slot(
      document: document, files: below.files.union([Array(inner.utf8)]), layer: layer)
  }

  private func stem(of path: String) -> String {
    path.lastIndex(of: ".").map { String(path[..<$0]) } ?? path
  }

  /// Sorted by the key of each.
  var documents: [Document] {
    slots.values.map(\.document).sorted { left, right in
      left.path == right.path
        ? left.file.utf8.lexicographicallyPrecedes(right.file.utf8) : left.path < right.path
    }
  }
}

extension LayeredNamespace.Slot {
  /// In bytes: names that only look alike stay apart. No path holds a NUL.
  fileprivate static func key(_ place: String, isRaw: Bool) -> [UInt8] {
    (isRaw ? [0] : []) + Array(place.utf8)
  }
}
