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

  /// A part of an alternative before it is known what stands around it.
  private enum Piece {
    case star
    case token(Token)
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
  /// Characters and wildcards of all that the pattern stands for.
  let length: Int
  private let names: Names

  /// What a leading dot of a name means.
  enum Names: Hashable, Sendable {
    /// Hidden, as of files: only an explicit dot matches it.
    case files
    /// Nothing, as of keys.
    case keys
  }

  /// - Throws: why `pattern` is malformed.
  init(_ pattern: String, of names: Names = .files) throws(GlobError) {
    self.pattern = pattern
    self.names = names
    // By scalars: to Swift's characters a slash before a combining mark is another one.
    var text = pattern.unicodeScalars[...]
    if text.first == "/" { text = text.dropFirst() }
    guard !text.isEmpty else { throw GlobError(description: "a pattern can't be empty") }
    guard text.count <= Glob.maximumLength else {
      throw GlobError(description: "it has more than \(Glob.maximumLength) characters")
    }
    var scalars = Array(text)[...]
    alternatives = try Glob.parse(&scalars, depth: 0).map(Glob.tokens)
    length = alternatives.reduce(0) { $0 + $1.count }
    if !scalars.isEmpty { throw GlobError(description: "a '}' has no '{'") }
    guard length <= Glob.maximumTokens else {
      throw GlobError(
        description: "its braces stand for patterns of more than \(Glob.maximumTokens) characters")
    }
  }

  func matches(_ path: String) -> Bool {
    // Most paths differ in how they end: that is told without looking at the rest.
    let possible = alternatives.filter { Glob.endsAlike($0, path) }
    guard !possible.isEmpty else { return false }
    let text = Array(path.unicodeScalars)
    return possible.contains { Glob.matches($0, text, hiding: names == .files ? "." : nil) }
  }

  /// What every path that matches begins with, after a slash: up to the first character with a meaning.
  var fixedStart: String {
    let scalars = pattern.unicodeScalars
    let text = scalars.first == "/" ? scalars[...] : ("/" + pattern).unicodeScalars[...]
    let special: Set<UnicodeScalar> = ["?", "*", "[", "{", "\\"]
    return String(String.UnicodeScalarView(text.prefix { !special.contains($0) }))
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

  /// The lists that a pattern stands for, up to its end or the end of a choice.
  private static func parse(
    _ rest: inout ArraySlice<UnicodeScalar>, depth: Int
  ) throws(GlobError) -> [[Piece]] {
    guard depth <= maximumDepth else { throw GlobError(description: "its braces are too deep") }
    var lists: [[Piece]] = [[]]
    while let scalar = rest.first {
      if scalar == "}" || (depth > 0 && scalar == ",") { return lists }
      rest = rest.dropFirst()
      var choices: [[Piece]]
      switch scalar {
      case "?": choices = [[.token(.one)]]
      case "*": choices = [[.star]]
      case "[": choices = [[.token(try set(&rest))]]
      case "{": choices = try choice(&rest, depth: depth + 1)
      case "\\":
        guard let escaped = rest.first else {
          throw GlobError(description: "a '\\' stands at the end")
        }
        rest = rest.dropFirst()
        choices = [[.token(.literal(escaped))]]
      default: choices = [[.token(.literal(scalar))]]
      }
      guard lists.count * choices.count <= maximumAlternatives else {
        throw GlobError(
          description: "its braces stand for more than \(maximumAlternatives) patterns")
      }
      lists = lists.flatMap { list in choices.map { list + $0 } }
    }
    return lists
  }

  /// What the stars of an alternative mean: `**` is more than `*` where it is a whole name, which its braces may hide.
  private static func tokens(_ pieces: [Piece]) -> [Token] {
    var tokens: [Token] = []
    var rest = pieces[...]
    while let piece = rest.popFirst() {
      if case .token(let token) = piece {
        tokens.append(token)
        continue
      }
      let isStart = tokens.isEmpty || tokens.last == .literal("/") || tokens.last == .folders
      var stars = 1
      while case .star? = rest.first {
        stars += 1
        rest = rest.dropFirst()
      }
      guard isStart, stars == 2 else {
        tokens.append(.many)
        continue
      }
      switch rest.first {
      case nil: tokens.append(.rest)
      case .token(.literal("/")):
        rest = rest.dropFirst()
        tokens.append(.folders)
      default: tokens.append(.many)
      }
    }
    return tokens
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
  ) throws(GlobError) -> [[Piece]] {
    var choices: [[Piece]] = []
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
  /// - Parameter dot: a name that begins with it is matched by an explicit one alone.
  /// - Complexity: O(tokens × characters).
  private static func matches(
    _ tokens: [Token], _ text: [UnicodeScalar], hiding dot: UnicodeScalar?
  ) -> Bool {
    var later = [Bool](repeating: false, count: text.count + 1)
    later[text.count] = true
    for token in tokens.reversed() {
      var here = [Bool](repeating: false, count: text.count + 1)
      // Where the folder that each place stands in ends, and whether a name after it is hidden.
      var slash: Int?
      var isHidden = false
      for place in (0...text.count).reversed() {
        if place < text.count, text[place] == "/" { slash = place }
        let isStart = place == 0 || text[place - 1] == "/"
        let mayBeAny = place < text.count && text[place] != "/" && !(isStart && text[place] == dot)
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
          here[place] = place < text.count && text[place] != dot && !isHidden
        }
        if place < text.count, isStart, text[place] == dot { isHidden = true }
      }
      later = here
    }
    return later[0]
  }
}

struct GlobError: Error, Hashable { var description: String }
