/// A place in a file: line and column count from 1, columns in Unicode scalar values.
public struct SourcePosition: Hashable, Comparable, Sendable {
  public var line: Int
  public var column: Int

  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  public static let start = SourcePosition(line: 1, column: 1)

  public static func < (left: SourcePosition, right: SourcePosition) -> Bool {
    (left.line, left.column) < (right.line, right.column)
  }
}

/// A stretch of one file; its end is exclusive.
public struct SourceSpan: Hashable, Sendable {
  public var file: String
  public var start: SourcePosition
  public var end: SourcePosition

  public init(file: String, start: SourcePosition, end: SourcePosition) {
    self.file = file
    self.start = start
    self.end = end
  }

  /// Names of files are bytes: those that only look alike stay apart.
  public static func == (left: SourceSpan, right: SourceSpan) -> Bool {
    left.start == right.start && left.end == right.end
      && left.file.utf8.elementsEqual(right.file.utf8)
  }

  /// The whole file, where no place in it is meant.
  public init(file: String) { self.init(file: file, start: .start, end: .start) }
}
