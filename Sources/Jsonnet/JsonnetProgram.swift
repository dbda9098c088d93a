/// A Jsonnet file that is to be evaluated.
public struct JsonnetProgram: Sendable {
  /// What errors call it, and where its imports start from: a path with `/`.
  public var name: String
  public var source: [UInt8]
  /// What `std.extVar` gives.
  public var variables: [(name: String, value: String)]

  public init(name: String, source: [UInt8], variables: [(name: String, value: String)]) {
    self.name = name
    self.source = source
    self.variables = variables
  }
}

/// What an import leads to.
public enum JsonnetImport: Sendable {
  /// The path by which the file is known, and what it holds.
  case found(path: String, bytes: [UInt8])
  /// Why there is nothing.
  case missing(String)
}

/// Finds what a program imports: the folder of the importing file with a `/` at its end, or nothing for the top,
/// and the path as it is written.
public typealias JsonnetLoader = (_ folder: String, _ path: String) -> JsonnetImport

/// A place in a Jsonnet file: lines and columns from 1, columns in bytes, the end exclusive.
public struct JsonnetPlace: Hashable, Sendable {
  public var file: String
  public var start: (line: Int, column: Int)
  public var end: (line: Int, column: Int)

  public static func == (left: JsonnetPlace, right: JsonnetPlace) -> Bool {
    left.file.utf8.elementsEqual(right.file.utf8) && left.start == right.start
      && left.end == right.end
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(start.line)
    hasher.combine(start.column)
  }
}

/// Why a program has no value.
public struct JsonnetFailure: Error, Sendable {
  public enum Kind: Hashable, Sendable {
    /// It can't be parsed, or is found to be wrong before it runs.
    case syntax
    case runtime
    /// An import leads to nothing.
    case importing
    /// It takes more time or memory than is allowed, or ended the evaluator.
    case limit
    /// The evaluator could not be started.
    case unavailable
  }

  public var kind: Kind
  public var message: String
  /// From the innermost outwards; empty if none is known.
  public var places: [JsonnetPlace]
}

/// What came of a program.
public struct JsonnetResult: Sendable {
  /// JSON, with numbers in 17 digits.
  public var value: Result<[UInt8], JsonnetFailure>
  /// Every import that was looked for.
  public var imports: Set<ImportRequest>

  /// Compared by bytes: two that only look alike lead to different files.
  public struct ImportRequest: Hashable, Sendable {
    public var folder: String
    public var path: String

    public init(folder: String, path: String) {
      self.folder = folder
      self.path = path
    }

    public static func == (left: ImportRequest, right: ImportRequest) -> Bool {
      left.folder.utf8.elementsEqual(right.folder.utf8)
        && left.path.utf8.elementsEqual(right.path.utf8)
    }

    public func hash(into hasher: inout Hasher) {
      for text in [folder, path] {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        hasher.combine(UInt8(0))
      }
    }
  }
}
