/// A property of `\p{…}` (ECMA-262 tables 67–69): general categories and binary properties, as this
/// program's Unicode tables have them, and the scripts of `ScriptTable`.
enum CharacterProperty: Sendable {
  case categories(Set<Unicode.GeneralCategory>)
  case binary(@Sendable (Unicode.Scalar.Properties) -> Bool)
  case script([ClosedRange<UInt32>])
  case any
  case ascii
  case assigned

  /// - Parameter text: what stands between the braces; nil if no such property is known.
  init?(_ text: String) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      .map(String.init)
    if parts.count == 2 {
      switch parts[0] {
      case "General_Category", "gc":
        guard let categories = CharacterProperty.categories(parts[1]) else { return nil }
        self = .categories(categories)
      case "Script", "sc", "Script_Extensions", "scx":
        guard let ranges = ScriptTable.ranges(of: parts[1]) else { return nil }
        self = .script(ranges)
      default: return nil
      }
      return
    }
    switch text {
    case "Any": self = .any
    case "ASCII": self = .ascii
    case "Assigned": self = .assigned
    default:
      if let categories = CharacterProperty.categories(text) {
        self = .categories(categories)
      } else if let test = CharacterProperty.binaries[text] {
        self = .binary(test)
      } else if let ranges = ScriptTable.ranges(ofProperty: text) {
        self = .script(ranges)
      } else {
        return nil
      }
    }
  }

  func contains(_ value: UInt32) -> Bool {
    switch self {
    case .any: return true
    case .ascii: return value < 0x80
    case .script(let ranges):
      var (low, high) = (0, ranges.count)
      while low < high {
        let middle = (low + high) / 2
        if ranges[middle].upperBound < value { low = middle + 1 } else { high = middle }
      }
      return low < ranges.count && ranges[low].contains(value)
    case .categories(let categories):
      guard let scalar = Unicode.Scalar(value) else { return categories.contains(.surrogate) }
      return categories.contains(scalar.properties.generalCategory)
    case .assigned:
      guard let scalar = Unicode.Scalar(value) else { return true }
      return scalar.properties.generalCategory != .unassigned
    case .binary(let test):
      guard let scalar = Unicode.Scalar(value) else { return false }
      return test(scalar.properties)
    }
  }

  private static let names: [(names: [String], categories: Set<Unicode.GeneralCategory>)] = [
    (["Lu", "Uppercase_Letter"], [.uppercaseLetter]),
    (["Ll", "Lowercase_Letter"], [.lowercaseLetter]),
    (["Lt", "Titlecase_Letter"], [.titlecaseLetter]),
    (["LC", "Cased_Letter"], [.uppercaseLetter, .lowercaseLetter, .titlecaseLetter]),
    (["Lm", "Modifier_Letter"], [.modifierLetter]),
    (["Lo", "Other_Letter"], [.otherLetter]),
    (
      ["L", "Letter"],
      [.uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter]
    ),
    (["Mn", "Nonspacing_Mark"], [.nonspacingMark]),
    (["Mc", "Spacing_Mark"], [.spacingMark]),
    (["Me", "Enclosing_Mark"], [.enclosingMark]),
    (["M", "Mark", "Combining_Mark"], [.nonspacingMark, .spacingMark, .enclosingMark]),
    (["Nd", "Decimal_Number", "digit"], [.decimalNumber]),
    (["Nl", "Letter_Number"], [.letterNumber]),
    (["No", "Other_Number"], [.otherNumber]),
    (["N", "Number"], [.decimalNumber, .letterNumber, .otherNumber]),
    (["Pc", "Connector_Punctuation"], [.connectorPunctuation]),
    (["Pd", "Dash_Punctuation"], [.dashPunctuation]),
    (["Ps", "Open_Punctuation"], [.openPunctuation]),
    (["Pe", "Close_Punctuation"], [.closePunctuation]),
    (["Pi", "Initial_Punctuation"], [.initialPunctuation]),
    (["Pf", "Final_Punctuation"], [.finalPunctuation]),
    (["Po", "Other_Punctuation"], [.otherPunctuation]),
    (
      ["P", "Punctuation", "punct"],
      [
        .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
        .initialPunctuation, .finalPunctuation, .otherPunctuation,
      ]
    ),
    (["Sm", "Math_Symbol"], [.mathSymbol]),
    (["Sc", "Currency_Symbol"], [.currencySymbol]),
    (["Sk", "Modifier_Symbol"], [.modifierSymbol]),
    (["So", "Other_Symbol"], [.otherSymbol]),
    (["S", "Symbol"], [.mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol]),
    (["Zs", "Space_Separator"], [.spaceSeparator]),
    (["Zl", "Line_Separator"], [.lineSeparator]),
    (["Zp", "Paragraph_Separator"], [.paragraphSeparator]),
    (["Z", "Separator"], [.spaceSeparator, .lineSeparator, .paragraphSeparator]),
    (["Cc", "Control", "cntrl"], [.control]),
    (["Cf", "Format"], [.format]),
    (["Cs", "Surrogate"], [.surrogate]),
    (["Co", "Private_Use"], [.privateUse]),
    (["Cn", "Unassigned"], [.unassigned]),
    (["C", "Other"], [.control, .format, .surrogate, .privateUse, .unassigned]),
  ]

  private static func categories(_ name: String) -> Set<Unicode.GeneralCategory>? {
    names.first { $0.names.contains(name) }?.categories
  }

  private static let binaries: [String: @Sendable (Unicode.Scalar.Properties) -> Bool] = {
    let tests: [([String], @Sendable (Unicode.Scalar.Properties) -> Bool)] = [
      (["Alphabetic", "Alpha"], { $0.isAlphabetic }),
      (["ASCII_Hex_Digit", "AHex"], { $0.isASCIIHexDigit }),
      (["Bidi_Control", "Bidi_C"], { $0.isBidiControl }),
      (["Bidi_Mirrored", "Bidi_M"], { $0.isBidiMirrored }),
      (["Case_Ignorable", "CI"], { $0.isCaseIgnorable }),
      (["Cased"], { $0.isCased }),
      (["Changes_When_Lowercased", "CWL"], { $0.changesWhenLowercased }),
      (["Changes_When_Uppercased", "CWU"], { $0.changesWhenUppercased }),
      (["Changes_When_Titlecased", "CWT"], { $0.changesWhenTitlecased }),
      (["Changes_When_Casefolded", "CWCF"], { $0.changesWhenCaseFolded }),
      (["Changes_When_Casemapped", "CWCM"], { $0.changesWhenCaseMapped }),
      (["Changes_When_NFKC_Casefolded", "CWKCF"], { $0.changesWhenNFKCCaseFolded }),
      (["Dash"], { $0.isDash }),
      (["Default_Ignorable_Code_Point", "DI"], { $0.isDefaultIgnorableCodePoint }),
      (["Deprecated", "Dep"], { $0.isDeprecated }),
      (["Diacritic", "Dia"], { $0.isDiacritic }),
      (["Emoji"], { $0.isEmoji }),
      (["Emoji_Modifier", "EMod"], { $0.isEmojiModifier }),
      (["Emoji_Modifier_Base", "EBase"], { $0.isEmojiModifierBase }),
      (["Emoji_Presentation", "EPres"], { $0.isEmojiPresentation }),
      (["Extender", "Ext"], { $0.isExtender }),
      (["Grapheme_Base", "Gr_Base"], { $0.isGraphemeBase }),
      (["Grapheme_Extend", "Gr_Ext"], { $0.isGraphemeExtend }),
      (["Hex_Digit", "Hex"], { $0.isHexDigit }),
      (["ID_Continue", "IDC"], { $0.isIDContinue }),
      (["ID_Start", "IDS"], { $0.isIDStart }),
      (["IDS_Binary_Operator", "IDSB"], { $0.isIDSBinaryOperator }),
      (["IDS_Trinary_Operator", "IDST"], { $0.isIDSTrinaryOperator }),
      (["Ideographic", "Ideo"], { $0.isIdeographic }),
      (["Join_Control", "Join_C"], { $0.isJoinControl }),
      (["Logical_Order_Exception", "LOE"], { $0.isLogicalOrderException }),
      (["Lowercase", "Lower"], { $0.isLowercase }),
      (["Math"], { $0.isMath }),
      (["Noncharacter_Code_Point", "NChar"], { $0.isNoncharacterCodePoint }),
      (["Pattern_White_Space", "Pat_WS"], { $0.isPatternWhitespace }),
      (["Quotation_Mark", "QMark"], { $0.isQuotationMark }),
      (["Radical"], { $0.isRadical }),
      (["Sentence_Terminal", "STerm"], { $0.isSentenceTerminal }),
      (["Soft_Dotted", "SD"], { $0.isSoftDotted }),
      (["Terminal_Punctuation", "Term"], { $0.isTerminalPunctuation }),
      (["Unified_Ideograph", "UIdeo"], { $0.isUnifiedIdeograph }),
      (["Uppercase", "Upper"], { $0.isUppercase }),
      (["Variation_Selector", "VS"], { $0.isVariationSelector }),
      (["White_Space", "space"], { $0.isWhitespace }),
      (["XID_Continue", "XIDC"], { $0.isXIDContinue }),
      (["XID_Start", "XIDS"], { $0.isXIDStart }),
    ]
    var table: [String: @Sendable (Unicode.Scalar.Properties) -> Bool] = [:]
    for (names, test) in tests {
      for name in names { table[name] = test }
    }
    return table
  }()
}
