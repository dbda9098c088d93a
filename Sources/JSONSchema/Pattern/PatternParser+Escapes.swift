/// Escapes, and classes of characters.
extension PatternParser {
  // MARK: - Escapes

  mutating func escape() throws(PatternError) -> PatternNode {
    let start = place
    guard place + 1 < pattern.count else { throw error("a '\\' stands at the end") }
    switch pattern[place + 1] {
    case "b":
      place += 2
      return .wordBoundary(isNegated: false)
    case "B":
      place += 2
      return .wordBoundary(isNegated: true)
    case "1"..."9":
      place += 1
      var number = 0
      while let digit = next, ("0"..."9").contains(digit) {
        number = min(number * 10 + Int(digit.value - 0x30), 1 << 30)
        place += 1
      }
      usesBackreferences = true
      references.append((number, start))
      return .backreference(number)
    case "k":
      place += 2
      guard skip("<") else { throw error("'\\k' has no name of a group") }
      let name = try groupName()
      usesBackreferences = true
      refersByName = true
      // The first time the names are yet to be found.
      guard let knownNames else { return .backreference(0) }
      guard let number = knownNames[name] else {
        throw PatternError(
          message: "no group is named '\(PatternParser.text(name))'", offset: start)
      }
      return .backreference(number)
    default:
      if let members = try classEscape() { return .set(CharacterSet(members, isNegated: false)) }
      return .character(try characterEscape())
    }
  }

  /// `\d`, `\w`, `\s`, `\p{…}` and their opposites; nil if another escape stands here.
  private mutating func classEscape() throws(PatternError) -> [CharacterSet.Member]? {
    guard place + 1 < pattern.count else { return nil }
    let members: [CharacterSet.Member]
    switch pattern[place + 1] {
    case "d": members = CharacterSet.digits
    case "D": members = CharacterSet.complement(CharacterSet.digits)
    case "w": members = CharacterSet.wordCharacters
    case "W": members = CharacterSet.complement(CharacterSet.wordCharacters)
    case "s": members = CharacterSet.whiteSpace
    case "S": members = CharacterSet.complement(CharacterSet.whiteSpace)
    case "p", "P":
      let isNegated = pattern[place + 1] == "P"
      place += 2
      let start = place
      guard skip("{"), let end = pattern[place...].firstIndex(of: "}") else {
        throw PatternError(message: "'\\p' has no property in braces", offset: start - 2)
      }
      let name = PatternParser.text(pattern[place..<end])
      guard let property = CharacterProperty(name) else {
        throw PatternError(message: "no property is named '\(name)'", offset: start - 2)
      }
      place = end + 1
      return [.property(property, isNegated: isNegated)]
    default: return nil
    }
    place += 2
    return members
  }

  private mutating func characterEscape() throws(PatternError) -> UInt32 {
    let start = place
    let scalar = pattern[place + 1]
    place += 2
    switch scalar {
    case "t": return 0x09
    case "n": return 0x0a
    case "v": return 0x0b
    case "f": return 0x0c
    case "r": return 0x0d
    case "0":
      guard next.map({ !("0"..."9").contains($0) }) ?? true else { break }
      return 0
    case "c":
      guard let letter = next, letter.isASCII, UInt8(ascii: letter).isASCIILetter else { break }
      place += 1
      return letter.value & 31
    case "x": if let value = hexadecimal(2) { return value }
    case "u": if let value = try unicodeEscape() { return value }
    default:
      // A sign stands for itself; a letter that means nothing may be meant to mean something.
      let isWord = CharacterSet.isWord(scalar.value) && scalar != "_"
      if !isWord, scalar.isASCII { return scalar.value }
    }
    throw PatternError(
      message: "'\\\(PatternParser.text([scalar]))' is no escape of ECMA-262", offset: start)
  }

  private mutating func hexadecimal(_ digits: Int) -> UInt32? {
    guard place + digits <= pattern.count else { return nil }
    let text = PatternParser.text(pattern[place..<(place + digits)])
    guard text.utf8.count == digits, text.utf8.allSatisfy(\.isASCIIHexDigit) else { return nil }
    place += digits
    return UInt32(text, radix: 16)
  }

  /// After `\u`.
  mutating func unicodeEscape() throws(PatternError) -> UInt32? {
    if skip("{") {
      guard let end = pattern[place...].firstIndex(of: "}") else { return nil }
      let text = PatternParser.text(pattern[place..<end])
      guard !text.isEmpty, text.utf8.allSatisfy(\.isASCIIHexDigit),
        let value = UInt32(text, radix: 16), value <= 0x10ffff
      else { return nil }
      place = end + 1
      return value
    }
    guard let value = hexadecimal(4) else { return nil }
    // Two escapes may write one character.
    let back = place
    if (0xd800..<0xdc00).contains(value), skip("\\u"), let low = hexadecimal(4),
      (0xdc00..<0xe000).contains(low)
    {
      return 0x10000 + (value - 0xd800) << 10 + (low - 0xdc00)
    }
    if (0xd800..<0xdc00).contains(value) { place = back }
    return value
  }

  // MARK: - Classes

  mutating func characterClass() throws(PatternError) -> PatternNode {
    let open = place
    place += 1
    let isNegated = skip("^")
    var members: [CharacterSet.Member] = []
    while let scalar = next {
      if scalar == "]" {
        place += 1
        return .set(CharacterSet(members, isNegated: isNegated))
      }
      let first = try classAtom()
      guard next == "-", place + 1 < pattern.count, pattern[place + 1] != "]" else {
        members += first
        continue
      }
      let dash = place
      place += 1
      let last = try classAtom()
      if case .range(let low)? = first.first, case .range(let high)? = last.first,
        first.count == 1, last.count == 1, low.count == 1, high.count == 1
      {
        guard low.lowerBound <= high.lowerBound else {
          throw PatternError(message: "the range is reversed", offset: dash)
        }
        members.append(.range(low.lowerBound...high.lowerBound))
      } else {
        members += first + [.range(0x2d...0x2d)] + last
      }
    }
    throw PatternError(message: "a '[' is not closed", offset: open)
  }

  private mutating func classAtom() throws(PatternError) -> [CharacterSet.Member] {
    guard let scalar = next else { throw error("a '[' is not closed") }
    guard scalar == "\\" else {
      place += 1
      return [.range(scalar.value...scalar.value)]
    }
    guard place + 1 < pattern.count else { throw error("a '\\' stands at the end") }
    if let members = try classEscape() { return members }
    if pattern[place + 1] == "b" {
      place += 2
      return [.range(0x08...0x08)]
    }
    let value = try characterEscape()
    return [.range(value...value)]
  }
}
