import ConfigModel

/// A file of the tree as the compiler looks at it.
struct PublishedFile {
  var file: SourceTree.File
  /// The path under the root.
  var name: String
  var encoding: Settings.Encoding

  /// The path below a directory; in bytes, since a directory's name may hold any character.
  func path(in directory: String) -> String {
    String(decoding: name.utf8.dropFirst(directory.utf8.count + 1), as: UTF8.self)
  }

  /// The file without what a layer replaces: its folder, and if structured its extension.
  func place(in directory: String) -> (path: String, isRaw: Bool) {
    let inner = path(in: directory)
    guard encoding != .raw, let dot = inner.lastIndex(of: ".") else { return (inner, true) }
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

    func laid(over below: Slot) -> Slot {
      guard case .value(let low) = below.document.content,
        case .value(let high) = document.content
      else { return self }
      var slot = self
      slot.document.content = .value(LayerMerge.lay(high, over: low))
      slot.document.references.merge(below.document.references) { own, _ in own }
      slot.files.formUnion(below.files)
      return slot
    }
  }

  private let namespace: String
  private let settings: Settings
  private var slots: [[UInt8]: Slot] = [:]
  private(set) var diagnostics: [Diagnostic] = []

  init(_ namespace: String, _ settings: Settings) {
    self.namespace = namespace
    self.settings = settings
  }

  /// Adds the files of the next layer, in the order of their paths: they are joined with each other first.
  mutating func add(_ files: [(PublishedFile, ParsedFile)], of directory: String) {
    var own: [[UInt8]: Slot] = [:]
    for (file, parsed) in files { join(file, parsed, of: directory, into: &own) }
    for (file, _) in files {
      // One file that is raw in one layer and structured in another: the higher one counts.
      let inner = file.path(in: directory)
      let isRaw = file.place(in: directory).isRaw
      let other = Slot.key(isRaw ? stem(of: inner) : inner, isRaw: !isRaw)
      if slots[other]?.files.contains(Array(inner.utf8)) == true { slots[other] = nil }
    }
    for (key, slot) in own {
      guard let below = slots[key] else {
        slots[key] = slot
        continue
      }
      slots[key] = slot.laid(over: below)
    }
  }

  private mutating func join(
    _ file: PublishedFile, _ parsed: ParsedFile, of directory: String,
    into own: inout [[UInt8]: Slot]
  ) {
    let inner = file.path(in: directory)
    let (place, isRaw) = file.place(in: directory)
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
    var files: Set = [Array(inner.utf8)]
    if let first = own[key], case .value(let known) = first.document.content,
      case .value(let value) = document.content
    {
      document.content = .value(LayerMerge.join(known, value, at: path, &diagnostics))
      document.references.merge(first.document.references) { own, _ in own }
      files.formUnion(first.files)
    }
    own[key] = Slot(document: document, files: files)
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
