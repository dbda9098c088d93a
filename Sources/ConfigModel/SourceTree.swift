/// The files of one commit, or of a working tree: paths, and bytes on demand.
public struct SourceTree: Sendable {
  /// What stands at a path.
  public enum Kind: Hashable, Sendable { case file, symlink, submodule }

  public struct File: Sendable {
    /// From the repository's root, with `/`.
    public var path: String
    public var kind: Kind
    /// Names the bytes: equal where they are equal; nil where nobody has named them.
    public var objectID: String?
    public var byteCount: Int
    private let load: @Sendable () throws -> [UInt8]

    public init(
      path: String, kind: Kind = .file, objectID: String? = nil, byteCount: Int,
      load: @escaping @Sendable () throws -> [UInt8]
    ) {
      self.path = path
      self.kind = kind
      self.objectID = objectID
      self.byteCount = byteCount
      self.load = load
    }

    public func bytes() throws -> [UInt8] { try load() }
  }

  /// By path, byte by byte.
  private let byPath: SortedMap<ConfigPath, File>
  /// Bytes of all paths together.
  public let pathBytes: Int

  /// Of files at the same path the first counts.
  public init(_ files: [File]) {
    byPath = SortedMap(files.map { (key: ConfigPath(escaped: $0.path), value: $0) })
    pathBytes = byPath.reduce(0) { $0 + $1.key.text.utf8.count }
  }

  private init(_ byPath: SortedMap<ConfigPath, File>, pathBytes: Int) {
    self.byPath = byPath
    self.pathBytes = pathBytes
  }

  public var count: Int { byPath.count }

  /// Sorted by path, byte by byte.
  public var files: some Sequence<File> { byPath.lazy.map(\.value) }

  /// The file at a path; nil if none is there.
  ///
  /// - Complexity: O(log *n*).
  public func file(at path: String) -> File? { byPath[ConfigPath(escaped: path)] }

  /// Whether any path begins with this.
  ///
  /// - Complexity: O(log *n*).
  public func hasFiles(below prefix: String) -> Bool {
    byPath.first(from: ConfigPath(escaped: prefix))?.key.text.utf8.starts(with: prefix.utf8)
      ?? false
  }

  /// A tree of files in memory.
  public init(contents: [String: [UInt8]]) {
    self.init(
      contents.map { path, bytes in File(path: path, byteCount: bytes.count) { bytes } })
  }
}

// MARK: - Versions

extension SourceTree {
  /// What stands at one path in two trees.
  public struct Difference: Sendable {
    public var path: String
    public var old: File?
    public var new: File?

    public init(path: String, old: File?, new: File?) {
      self.path = path
      self.old = old
      self.new = new
    }
  }

  /// The tree with other files at some paths, or none.
  ///
  /// - Precondition: `changes` are sorted by the bytes of their paths, none twice.
  /// - Complexity: O(*n* / 256 + *m*) for *m* changes, and next to no memory but theirs.
  public func applying(_ changes: [(path: String, file: File?)]) -> SourceTree {
    let keys = changes.map { (key: ConfigPath(escaped: $0.path), value: $0.file) }
    let growth = keys.reduce(0) { sum, change in
      let isThere = (byPath[change.key] == nil ? 0 : 1, change.value == nil ? 0 : 1)
      return sum + (isThere.1 - isThere.0) * change.key.text.utf8.count
    }
    return SourceTree(byPath.applying(keys), pathBytes: pathBytes + growth)
  }

  /// The files that are not known to be the same in both, sorted by path: those whose bytes nobody has named are
  /// among them.
  ///
  /// - Complexity: O(*n* / 256 + *m*) for *m* differences where one tree was made from the other; else O(*n*).
  public func differences(from old: SourceTree) -> [Difference] {
    var found: [Difference] = []
    byPath.differences(from: old.byPath) { path, before, after in
      if let before, let after, before.objectID != nil, before.objectID == after.objectID,
        before.kind == after.kind
      {
        return
      }
      found.append(Difference(path: path.text, old: before, new: after))
    }
    return found
  }
}
