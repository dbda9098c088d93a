/// A label of an international host name, in Unicode (RFC 5891 §4.2).
enum InternationalLabel {
  static func isValid(_ label: [Unicode.Scalar]) -> Bool {
    guard let first = label.first, !isMark(first), first != "-", label.last != "-" else {
      return false
    }
    if label.count >= 4, label[2] == "-", label[3] == "-" { return false }
    for (index, scalar) in label.enumerated() {
      guard isAllowed(scalar) || isAllowed(scalar, at: index, in: label) else { return false }
    }
    return true
  }

  private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark: true
    default: false
    }
  }

  /// RFC 5892 §2: what may stand anywhere.
  private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    // §2.6, the exceptions.
    case 0xdf, 0x3c2, 0x6fd, 0x6fe, 0xf0b, 0x3007: return true
    case 0x640, 0x7fa, 0x302e, 0x302f, 0x3031...0x3035, 0x303b: return false
    case 0xb7, 0x375, 0x5f3, 0x5f4, 0x30fb, 0x660...0x669, 0x6f0...0x6f9: return false
    case 0x200c, 0x200d: return false
    case 0x2d, 0x30...0x39, 0x61...0x7a: return true
    // Old jamo, and blocks that are ignored (§2.4, §2.9).
    case 0x1100...0x11ff, 0xa960...0xa97c, 0xd7b0...0xd7fb, 0x20d0...0x20ff, 0x1d100...0x1d24f:
      return false
    default: break
    }
    let properties = scalar.properties
    if properties.changesWhenNFKCCaseFolded || properties.isDefaultIgnorableCodePoint
      || properties.isWhitespace || properties.isNoncharacterCodePoint
    {
      return false
    }
    switch properties.generalCategory {
    case .lowercaseLetter, .uppercaseLetter, .otherLetter, .decimalNumber, .modifierLetter,
      .nonspacingMark, .spacingMark:
      return true
    default: return false
    }
  }

  /// RFC 5892 appendix A: what may stand beside certain others alone.
  private static func isAllowed(
    _ scalar: Unicode.Scalar, at index: Int, in label: [Unicode.Scalar]
  ) -> Bool {
    let before = index > 0 ? label[index - 1] : nil
    let after = index + 1 < label.count ? label[index + 1] : nil
    func isIn(_ script: String, _ scalar: Unicode.Scalar?) -> Bool {
      guard let scalar, let ranges = ScriptTable.ranges(of: script) else { return false }
      return ranges.contains { $0.contains(scalar.value) }
    }
    switch scalar.value {
    case 0x200c, 0x200d:
      guard let before else { return false }
      // A virama before it; or, for a non-joiner, letters that would join around it.
      if before.properties.canonicalCombiningClass == Unicode.CanonicalCombiningClass(rawValue: 9) {
        return true
      }
      return scalar.value == 0x200c && isIn("Arabic", before) && isIn("Arabic", after)
    case 0xb7: return before == "l" && after == "l"
    case 0x375: return isIn("Greek", after)
    case 0x5f3, 0x5f4: return isIn("Hebrew", before)
    case 0x30fb:
      return label.contains { isIn("Hiragana", $0) || isIn("Katakana", $0) || isIn("Han", $0) }
    case 0x660...0x669: return !label.contains { (0x6f0...0x6f9).contains($0.value) }
    case 0x6f0...0x6f9: return !label.contains { (0x660...0x669).contains($0.value) }
    default: return false
    }
  }
}

/// The rule for names that are written from the right (RFC 5893 §2), with the classes of characters that a
/// label may have.
enum LabelDirection {
  private enum Class { case left, right, arabicNumber, europeanNumber, mark, sign }

  /// Whether the labels of a name read the same in whichever direction they are shown.
  static func isClear(_ labels: [[Unicode.Scalar]]) -> Bool {
    let classes = labels.map { $0.map(directionClass) }
    let isBidirectional = classes.contains { $0.contains(.right) || $0.contains(.arabicNumber) }
    return !isBidirectional || classes.allSatisfy(isClear)
  }

  private static func isClear(_ label: [Class]) -> Bool {
    guard let last = label.last(where: { $0 != .mark }) else { return false }
    switch label.first {
    case .right:
      return !label.contains(.left) && [.right, .europeanNumber, .arabicNumber].contains(last)
        && !(label.contains(.europeanNumber) && label.contains(.arabicNumber))
    case .left:
      return !label.contains(.right) && !label.contains(.arabicNumber)
        && [.left, .europeanNumber].contains(last)
    default: return false
    }
  }

  private static func directionClass(_ scalar: Unicode.Scalar) -> Class {
    switch scalar.value {
    case 0x2d, 0xb7, 0x200c, 0x200d: .sign
    case 0x30...0x39, 0x6f0...0x6f9: .europeanNumber
    case 0x660...0x669, 0x66b, 0x66c, 0x10e60...0x10e7e: .arabicNumber
    case _ where scalar.properties.generalCategory == .nonspacingMark: .mark
    // The blocks of scripts from the right (Unicode 14, DerivedBidiClass).
    case 0x590...0x8ff, 0xfb1d...0xfdff, 0xfe70...0xfeff, 0x10800...0x10fff, 0x1e800...0x1efff:
      .right
    default: .left
    }
  }
}
