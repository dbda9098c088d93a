/// A regular expression as it is written (ECMA-262 §22.2.1).
indirect enum PatternNode {
  case empty
  case set(CharacterSet)
  case character(UInt32)
  case sequence([PatternNode])
  case choice([PatternNode])
  case group(PatternNode, capture: Int)
  case backreference(Int)
  case look(PatternNode, direction: PatternDirection, isNegated: Bool)
  case start
  case end
  case wordBoundary(isNegated: Bool)
  case repetition(PatternNode, PatternCount)
}

enum PatternDirection: Sendable { case ahead, behind }

struct PatternCount {
  var least: Int
  /// nil: as often as there is.
  var most: Int?
  var isGreedy: Bool
}

/// Why a text is no regular expression.
struct PatternError: Error, Hashable {
  var message: String
  /// In characters of the pattern, from 0.
  var offset: Int
}
