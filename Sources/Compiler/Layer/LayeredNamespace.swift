import ConfigModel

/// A file of the tree as the compiler looks at it.
struct PublishedFile: Sendable {
  var file: SourceTree.File
  /// The path under the root.
  var name: String
  var encoding: Settings.Encoding
  /// What the settings name for the file.
  var schema: NamedSchema?

  var isJsonnet: Bool { encoding != .raw && JsonnetStage.isJsonnet(name) }

  /// The path below a directory; in bytes, since a directory's name may hold any character.
  func path(in directory: String) -> String {
    String(decoding: name.utf8.dropFirst(directory.utf8.count + 1), as: UTF8.self)
  }

  /// The file without what a layer replaces: its folder, and if structured its extension.
  func place(in directory: String) -> (path: String, isRaw: Bool) {
    let inner = path(in: directory)
    return encoding == .raw ? (inner, true) : (ConfigPath.stem(of: inner), false)
  }
}

/// Joins the directories of a namespace, lowest first, its own last.
struct LayeredNamespace {
  /// What one file says of its place.
  private struct Part {
    /// The path inside its layer, with the extension.
    var inner: String
    var layer: Int
    var document: Document
  }

  private let namespace: String
  private let settings: Settings
  /// By the bytes of the place, ascending by layer and path: names that only look alike stay apart.
  private var parts: [[UInt8]: [Part]] = [:]
  private var layer = 0

  init(_ namespace: String, _ settings: Settings) {
    self.namespace = namespace
    self.settings = settings
  }

  /// Adds the files of the next layer, in the order of their paths.
  mutating func add(_ files: [(file: PublishedFile, parsed: ParsedFile)], of directory: String) {
    layer += 1
    for (file, parsed) in files { add(file, parsed, of: directory) }
  }

  private mutating func add(_ file: PublishedFile, _ parsed: ParsedFile, of directory: String) {
    let inner = file.path(in: directory)
    let (place, isRaw) = file.place(in: directory)
    // A file that is raw in one layer and structured in another: the higher one counts.
    let other = LayeredNamespace.key(isRaw ? ConfigPath.stem(of: inner) : inner, isRaw: !isRaw)
    parts[other]?.removeAll { part in
      part.layer < layer && part.inner.utf8.elementsEqual(inner.utf8)
    }
    let path = Flattener.path(
      of: namespace + "/" + inner, encoding: file.encoding, under: settings.prefix)
    // The rule for the place that it is published at, and that for the file itself.
    let rules = PublishingRules(settings: settings)
    let placed = rules.rule(for: namespace + "/" + inner)?.schema
    let schemas = [placed, file.schema ?? parsed.schema].compactMap(\.self)
    guard let document = Document(file, parsed, at: path, schemas: schemas.unique()) else { return }
    parts[LayeredNamespace.key(place, isRaw: isRaw), default: []].append(
      Part(inner: inner, layer: layer, document: document))
  }

  /// No path holds a NUL.
  private static func key(_ place: String, isRaw: Bool) -> [UInt8] {
    (isRaw ? [0] : []) + Array(place.utf8)
  }

  /// What the layers make together, sorted by the key of each.
  func documents(_ diagnostics: inout [Diagnostic]) -> [Document] {
    var documents: [Document] = []
    for key in parts.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      if let document = LayeredNamespace.fold(parts[key] ?? [], &diagnostics) {
        documents.append(document)
      }
    }
    return documents.sorted { left, right in
      left.path == right.path
        ? left.file.utf8.lexicographicallyPrecedes(right.file.utf8) : left.path < right.path
    }
  }

  /// The files of one layer are joined with each other before they lie over what is below.
  private static func fold(_ parts: [Part], _ diagnostics: inout [Diagnostic]) -> Document? {
    var below: Document?
    var rest = parts[...]
    while let first = rest.first {
      var joined = first.document
      rest = rest.dropFirst()
      while let next = rest.first, next.layer == first.layer {
        joined = LayerMerge.join(joined, next.document, &diagnostics)
        rest = rest.dropFirst()
      }
      below = below.map { LayerMerge.lay(joined, over: $0) } ?? joined
    }
    return below
  }
}
