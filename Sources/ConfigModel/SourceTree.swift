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

  /// Sorted by path, byte by byte.
  public let files: [File]

  public init(_ files: [File]) {
    self.files = files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  /// The file at a path; nil if none is there.
  ///
  /// - Complexity: O(log *n*).
  public func file(at path: String) -> File? {
    let place = firstPlace(from: path)
    guard place < files.count, files[place].path.utf8.elementsEqual(path.utf8) else { return nil }
    return files[place]
  }

  /// Whether any path begins with this.
  ///
  /// - Complexity: O(log *n*).
  public func hasFiles(below prefix: String) -> Bool {
    let place = firstPlace(from: prefix)
    return place < files.count && files[place].path.utf8.starts(with: prefix.utf8)
  }

  private func firstPlace(from path: String) -> Int {
    var (low, high) = (0, files.count)
    while low < high {
      let middle = (low + high) / 2
      if files[middle].path.utf8.lexicographicallyPrecedes(path.utf8) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return low
  }

  /// A tree of files in memory.
  public init(contents: [String: [UInt8]]) {
    self.init(
      contents.map { path, bytes in File(path: path, byteCount: bytes.count) { bytes } })
  }
}
