import ConfigModel

/// A pattern of whole paths with the wildcards of .gitignore: `*.yaml` means files at
/// the top alone, `**/*.yaml` those at any depth.
struct Glob: Hashable, Sendable {
  private indirect enum Token: Hashable, Sendable {
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
    case choice([[Token]])
  }

  let pattern: String
  private let tokens: [Token]

  /// - Throws: why `pattern` is malformed.
  init(_ pattern: String) throws(GlobError) {
    self.pattern = pattern
    var text = pattern[...]
    if text.hasPrefix("/") { text = text.dropFirst() }
    guard !text.isEmpty else { throw GlobError(description: "a pattern can't be empty") }
    var scalars = Array(text.unicodeScalars)[...]
    tokens = try Glob.parse(&scalars, inside: false)
    if !scalars.isEmpty { throw GlobError(description: "a '}' has no '{'") }
  }

  func matches(_ path: String) -> Bool {
    Glob.matches(tokens[...], Array(path.unicodeScalars)[...], atStart: true)
  }

  private static func parse(
    _ rest: inout ArraySlice<UnicodeScalar>, inside: Bool
  ) throws(GlobError) -> [Token] {
    var tokens: [Token] = []
    while let scalar = rest.first {
      if inside, scalar == "," || scalar == "}" { return tokens }
      if scalar == "}" { return tokens }
      rest = rest.dropFirst()
      switch scalar {
      case "?": tokens.append(.one)
      case "*": tokens.append(star(&rest, after: tokens))
      case "[": tokens.append(try set(&rest))
      case "{": tokens.append(try choice(&rest))
      case "\\":
        guard let escaped = rest.first else {
          throw GlobError(description: "a '\\' stands at the end")
        }
        rest = rest.dropFirst()
        tokens.append(.literal(escaped))
      default: tokens.append(.literal(scalar))
      }
    }
    return tokens
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

  private static func choice(_ rest: inout ArraySlice<UnicodeScalar>) throws(GlobError) -> Token {
    var choices: [[Token]] = []
    while true {
      choices.append(try parse(&rest, inside: true))
      guard let end = rest.first else { throw GlobError(description: "a '{' has no '}'") }
      rest = rest.dropFirst()
      if end == "}" { return .choice(choices) }
    }
  }

  /// - Complexity: exponential in the stars of a pattern at worst, and those are few.
  private static func matches(
    _ tokens: ArraySlice<Token>, _ text: ArraySlice<UnicodeScalar>, atStart: Bool
  ) -> Bool {
    guard let token = tokens.first else { return text.isEmpty }
    let later = tokens.dropFirst()
    // A leading dot of a name is matched by an explicit dot alone.
    let mayMatchAny = text.first.map { $0 != "/" && !(atStart && $0 == ".") } ?? false
    switch token {
    case .literal(let scalar):
      guard text.first == scalar else { return false }
      return matches(later, text.dropFirst(), atStart: scalar == "/")
    case .one: return mayMatchAny && matches(later, text.dropFirst(), atStart: false)
    case .many:
      if matches(later, text, atStart: atStart) { return true }
      return mayMatchAny && matches(tokens, text.dropFirst(), atStart: false)
    case .set(let ranges, let negated):
      guard mayMatchAny, let scalar = text.first else { return false }
      let isIn = ranges.contains { $0.contains(scalar) }
      return isIn != negated && matches(later, text.dropFirst(), atStart: false)
    case .folders:
      if matches(later, text, atStart: atStart) { return true }
      guard mayMatchAny, let slash = text.firstIndex(of: "/") else { return false }
      return matches(tokens, text[(slash + 1)...], atStart: true)
    case .rest:
      return !text.isEmpty
        && text.split(separator: "/", omittingEmptySubsequences: false)
          .allSatisfy { $0.first != "." }
    case .choice(let choices):
      return choices.contains { matches($0[...] + later, text, atStart: atStart) }
    }
  }
}

struct GlobError: Error, Hashable { var description: String }
