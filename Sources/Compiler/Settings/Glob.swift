import ConfigModel

/// A pattern of whole paths with the wildcards of .gitignore: `*.yaml` means files at
/// the top alone, `**/*.yaml` those at any depth.
struct Glob: Hashable, Sendable {
  private enum Token: Hashable, Sendable {
    case literal(UnicodeScalar)
    /// `?`: any character but `/`.
    case one
    /// `*`: any characters but `/`.
    case many
    /// `**/`: zero or more folders.
    case folders
    /// `/**` at the end: everything inside.
    case rest
    case set([ClosedRange<UnicodeScalar>], negated: Bool)
  }

  /// Alternatives that `{a,b}` may multiply to, and characters of a pattern: what is beyond is
  /// malformed, so that no pattern costs much.
  private static let maximumAlternatives = 256
  private static let maximumLength = 1024
  private static let maximumDepth = 8
  /// Of all alternatives together: each path is compared with all of them.
  private static let maximumTokens = 4096

  let pattern: String
  private let alternatives: [[Token]]

  /// - Throws: why `pattern` is malformed.
  init(_ pattern: String) throws(GlobError) {
    self.pattern = pattern
    var text = pattern[...]
    if text.hasPrefix("/") { text = text.dropFirst() }
    guard !text.isEmpty else { throw GlobError(description: "a pattern can't be empty") }
    guard text.unicodeScalars.count <= Glob.maximumLength else {
      throw GlobError(description: "it has more than \(Glob.maximumLength) characters")
    }
    var scalars = Array(text.unicodeScalars)[...]
    alternatives = try Glob.parse(&scalars, depth: 0)
    if !scalars.isEmpty { throw GlobError(description: "a '}' has no '{'") }
    guard alternatives.reduce(0, { $0 + $1.count }) <= Glob.maximumTokens else {
      throw GlobError(
        description: "its braces stand for patterns of more than \(Glob.maximumTokens) characters")
    }
  }

  func matches(_ path: String) -> Bool {
    // Most paths differ in how they end: that is told without looking at the rest.
    let possible = alternatives.filter { Glob.endsAlike($0, path) }
    guard !possible.isEmpty else { return false }
    let text = Array(path.unicodeScalars)
    return possible.contains { Glob.matches($0, text) }
  }

  /// Whether a path ends with the characters that the tokens end with.
  private static func endsAlike(_ tokens: [Token], _ path: String) -> Bool {
    var rest = path.unicodeScalars[...]
    for token in tokens.reversed() {
      guard case .literal(let scalar) = token else { return true }
      guard rest.popLast() == scalar else { return false }
    }
    return rest.isEmpty
  }

  /// The token lists that a pattern stands for, up to its end or the end of a choice.
  private static func parse(
    _ rest: inout ArraySlice<UnicodeScalar>, depth: Int
  ) throws(GlobError) -> [[Token]] {
    guard depth <= maximumDepth else { throw GlobError(description: "its braces are too deep") }
    var lists: [[Token]] = [[]]
    while let scalar = rest.first {
      if scalar == "}" || (depth > 0 && scalar == ",") { return lists }
      rest = rest.dropFirst()
      var choices: [[Token]]
      switch scalar {
      case "?": choices = [[.one]]
      case "*": choices = [[star(&rest, after: lists[0])]]
      case "[": choices = [[try set(&rest)]]
      case "{": choices = try choice(&rest, depth: depth + 1)
      case "\\":
        guard let escaped = rest.first else {
          throw GlobError(description: "a '\\' stands at the end")
        }
        rest = rest.dropFirst()
        choices = [[.literal(escaped)]]
      default: choices = [[.literal(scalar)]]
      }
      guard lists.count * choices.count <= maximumAlternatives else {
        throw GlobError(
          description: "its braces stand for more than \(maximumAlternatives) patterns")
      }
      lists = lists.flatMap { list in choices.map { list + $0 } }
    }
    return lists
  }

  private static func star(_ rest: inout ArraySlice<UnicodeScalar>, after tokens: [Token]) -> Token
  {
    let startsSegment = tokens.isEmpty || tokens.last == .literal("/") || tokens.last == .folders
    guard rest.first == "*", startsSegment else {
      while rest.first == "*" { rest = rest.dropFirst() }
      return .many
    }
    if rest.dropFirst().first == "/" {
      rest = rest.dropFirst(2)
      return .folders
    }
    if rest.dropFirst().isEmpty {
      rest = rest.dropFirst()
      return .rest
    }
    rest = rest.dropFirst()
    return .many
  }

  private static func set(_ rest: inout ArraySlice<UnicodeScalar>) throws(GlobError) -> Token {
    var ranges: [ClosedRange<UnicodeScalar>] = []
    var negated = false
    if rest.first == "!" || rest.first == "^" {
      negated = true
      rest = rest.dropFirst()
    }
    var isFirst = true
    while let scalar = rest.first {
      rest = rest.dropFirst()
      if scalar == "]", !isFirst { return .set(ranges, negated: negated) }
      isFirst = false
      if rest.first == "-", let end = rest.dropFirst().first, end != "]" {
        guard scalar <= end else {
          throw GlobError(description: "the range '\(scalar)-\(end)' is reversed")
        }
        ranges.append(scalar...end)
        rest = rest.dropFirst(2)
      } else {
        ranges.append(scalar...scalar)
      }
    }
    throw GlobError(description: "a '[' has no ']'")
  }

  private static func choice(
    _ rest: inout ArraySlice<UnicodeScalar>, depth: Int
  ) throws(GlobError) -> [[Token]] {
    var choices: [[Token]] = []
    while true {
      choices += try parse(&rest, depth: depth)
      guard let end = rest.first else { throw GlobError(description: "a '{' has no '}'") }
      rest = rest.dropFirst()
      if end == "}" { return choices }
    }
  }

  /// Whether the tokens match the whole text: for each token, from the last to the first, where in
  /// the text what begins with it would match.
  ///
  /// - Complexity: O(tokens × characters).
  private static func matches(_ tokens: [Token], _ text: [UnicodeScalar]) -> Bool {
    var later = [Bool](repeating: false, count: text.count + 1)
    later[text.count] = true
    for token in tokens.reversed() {
      var here = [Bool](repeating: false, count: text.count + 1)
      // Where the folder that each place stands in ends.
      var slash: Int?
      for place in (0...text.count).reversed() {
        if place < text.count, text[place] == "/" { slash = place }
        // A leading dot of a name is matched by an explicit dot alone.
        let isStart = place == 0 || text[place - 1] == "/"
        let mayBeAny = place < text.count && text[place] != "/" && !(isStart && text[place] == ".")
        switch token {
        case .literal(let scalar):
          here[place] = place < text.count && text[place] == scalar && later[place + 1]
        case .one: here[place] = mayBeAny && later[place + 1]
        case .many: here[place] = later[place] || (mayBeAny && here[place + 1])
        case .set(let ranges, let negated):
          here[place] =
            mayBeAny && ranges.contains { $0.contains(text[place]) } != negated
            && later[place + 1]
        case .folders:
          here[place] = later[place]
          if !here[place], mayBeAny, let slash { here[place] = here[slash + 1] }
        case .rest:
          let names = text[place...].split(separator: "/", omittingEmptySubsequences: false)
          here[place] = place < text.count && names.allSatisfy { $0.first != "." }
        }
      }
      later = here
    }
    return later[0]
  }
}

struct GlobError: Error, Hashable { var description: String }
