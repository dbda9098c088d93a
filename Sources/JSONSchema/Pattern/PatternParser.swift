/// Reads a regular expression of ECMA-262 in its Unicode mode, as JSON Schema wants it (2020-12 core §6.4).
///
/// More lenient than that mode where schemas often are: a `]`, `}` or `{` that closes or opens nothing stands
/// for itself, so does an escaped sign that needs no escape, and a `-` beside a class such as `\w`.
struct PatternParser {
  /// Groups inside each other.
  private static let depth = 100
  /// Characters of a pattern.
  private static let length = 1 << 16

  let pattern: [Unicode.Scalar]
  var place = 0
  private var level = 0
  private var captures = 0
  private var names: [[Unicode.Scalar]: Int] = [:]
  var usesBackreferences = false
  var refersByName = false
  /// Where each is that may turn out to lead nowhere.
  var references: [(number: Int, offset: Int)] = []
  /// Names may be referred to before they are defined: what a first reading has found; nil in that one.
  let knownNames: [[Unicode.Scalar]: Int]?

  struct Result {
    var node: PatternNode
    var captureCount: Int
    var usesBackreferences: Bool
  }

  static func parse(_ text: String) throws(PatternError) -> Result {
    var parser = PatternParser(text, names: nil)
    let result = try parser.whole()
    guard parser.refersByName else { return result }
    parser = PatternParser(text, names: parser.names)
    return try parser.whole()
  }

  private init(_ text: String, names: [[Unicode.Scalar]: Int]?) {
    pattern = Array(text.unicodeScalars)
    knownNames = names
  }

  private mutating func whole() throws(PatternError) -> Result {
    guard pattern.count <= PatternParser.length else {
      throw PatternError(
        message: "it has more than \(PatternParser.length) characters", offset: 0)
    }
    let node = try choice()
    if !isAtEnd { throw error("a ')' closes nothing") }
    for reference in references where reference.number > captures {
      throw PatternError(
        message: "there is no group \(reference.number)", offset: reference.offset)
    }
    return Result(node: node, captureCount: captures, usesBackreferences: usesBackreferences)
  }

  static func text(_ scalars: some Sequence<Unicode.Scalar>) -> String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars)
    return String(text)
  }

  // MARK: - Reading

  private var isAtEnd: Bool { place >= pattern.count }
  var next: Unicode.Scalar? { place < pattern.count ? pattern[place] : nil }

  func error(_ message: String) -> PatternError {
    PatternError(message: message, offset: place)
  }

  mutating func skip(_ text: String) -> Bool {
    guard pattern[place...].starts(with: text.unicodeScalars) else { return false }
    place += text.unicodeScalars.count
    return true
  }

  // MARK: - Grammar

  private mutating func choice() throws(PatternError) -> PatternNode {
    level += 1
    defer { level -= 1 }
    guard level <= PatternParser.depth else { throw error("its groups are too deep") }
    var choices = [try sequence()]
    while skip("|") { choices.append(try sequence()) }
    return choices.count == 1 ? choices[0] : .choice(choices)
  }

  private mutating func sequence() throws(PatternError) -> PatternNode {
    var terms: [PatternNode] = []
    while let scalar = next, scalar != "|", scalar != ")" { terms.append(try term()) }
    return terms.count == 1 ? terms[0] : terms.isEmpty ? .empty : .sequence(terms)
  }

  private mutating func term() throws(PatternError) -> PatternNode {
    let start = place
    let atom = try self.atom()
    guard let count = try count() else { return atom }
    switch atom {
    case .look, .start, .end, .wordBoundary:
      throw PatternError(message: "what is repeated matches no character", offset: start)
    default: return .repetition(atom, count)
    }
  }

  private mutating func atom() throws(PatternError) -> PatternNode {
    guard let scalar = next else { return .empty }
    switch scalar {
    case "*", "+", "?": throw error("nothing is there to be repeated")
    case "{":
      guard bounds(at: place) == nil else { throw error("nothing is there to be repeated") }
    case "^":
      place += 1
      return .start
    case "$":
      place += 1
      return .end
    case ".":
      place += 1
      return .set(CharacterSet(CharacterSet.lineEnds, isNegated: true))
    case "[": return try characterClass()
    case "(": return try group()
    case "\\": return try escape()
    default: break
    }
    place += 1
    return .character(scalar.value)
  }

  private mutating func group() throws(PatternError) -> PatternNode {
    let open = place
    place += 1
    var capture: Int?
    var look: (PatternDirection, Bool)?
    if skip("?:") {
    } else if skip("?=") {
      look = (.ahead, false)
    } else if skip("?!") {
      look = (.ahead, true)
    } else if skip("?<=") {
      look = (.behind, false)
    } else if skip("?<!") {
      look = (.behind, true)
    } else if skip("?<") {
      captures += 1
      capture = captures
      let name = try groupName()
      guard names.updateValue(captures, forKey: name) == nil else {
        throw error("two groups are named '\(PatternParser.text(name))'")
      }
    } else if next == "?" {
      throw error("no group begins with '(?' and this")
    } else {
      captures += 1
      capture = captures
    }
    let inner = try choice()
    guard skip(")") else { throw PatternError(message: "a '(' is not closed", offset: open) }
    if let (direction, isNegated) = look {
      return .look(inner, direction: direction, isNegated: isNegated)
    }
    // In a sequence, so that an assertion may be repeated here, which it may not by itself.
    return capture.map { .group(inner, capture: $0) } ?? .sequence([inner])
  }

  mutating func groupName() throws(PatternError) -> [Unicode.Scalar] {
    var name: [Unicode.Scalar] = []
    while let scalar = next, scalar != ">" {
      var character = scalar
      let start = place
      place += 1
      if scalar == "\\" {
        guard skip("u"), let value = try unicodeEscape(), let escaped = Unicode.Scalar(value) else {
          throw PatternError(message: "a name of a group can't hold this", offset: start)
        }
        character = escaped
      }
      let properties = character.properties
      guard
        character == "_" || character == "$"
          || (name.isEmpty ? properties.isIDStart : properties.isIDContinue)
          || (!name.isEmpty && properties.isJoinControl)
      else { throw PatternError(message: "a name of a group can't hold this", offset: start) }
      name.append(character)
    }
    guard !name.isEmpty, !isAtEnd else { throw error("a group has no name") }
    place += 1
    return name
  }

  // MARK: - Counts

  /// `{2}`, `{2,}` or `{2,5}` at a place; nil if none stands there.
  private func bounds(at start: Int) -> (least: Int, most: Int?, end: Int)? {
    var index = start + 1
    func number() -> Int? {
      let first = index
      var value = 0
      while index < pattern.count, ("0"..."9").contains(pattern[index]) {
        value = min(value * 10 + Int(pattern[index].value - 0x30), 1 << 30)
        index += 1
      }
      return index > first ? value : nil
    }
    guard let least = number(), index < pattern.count else { return nil }
    var most: Int? = least
    if pattern[index] == "," {
      index += 1
      most = number()
    }
    guard index < pattern.count, pattern[index] == "}" else { return nil }
    return (least, most, index + 1)
  }

  private mutating func count() throws(PatternError) -> PatternCount? {
    guard let scalar = next else { return nil }
    var count: PatternCount
    switch scalar {
    case "*": count = PatternCount(least: 0, most: nil, isGreedy: true)
    case "+": count = PatternCount(least: 1, most: nil, isGreedy: true)
    case "?": count = PatternCount(least: 0, most: 1, isGreedy: true)
    case "{":
      guard let bounds = bounds(at: place) else { return nil }
      if let most = bounds.most, most < bounds.least {
        throw error("the count is \(bounds.least) to \(most)")
      }
      place = bounds.end - 1
      count = PatternCount(least: bounds.least, most: bounds.most, isGreedy: true)
    default: return nil
    }
    place += 1
    if skip("?") { count.isGreedy = false }
    return count
  }
}
