/// The keywords that a schema may have.
enum Keywords {
  static let all: Set<String> = [
    "$schema", "$id", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary",
    "$comment", "$defs", "definitions", "dependencies", "prefixItems", "items", "additionalItems",
    "contains", "additionalProperties", "properties", "patternProperties", "dependentSchemas",
    "propertyNames", "if", "then", "else", "allOf", "anyOf", "oneOf", "not", "unevaluatedItems",
    "unevaluatedProperties", "type", "const", "enum", "multipleOf", "maximum", "exclusiveMaximum",
    "minimum", "exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems",
    "uniqueItems", "maxContains", "minContains", "maxProperties", "minProperties", "required",
    "dependentRequired", "title", "description", "default", "deprecated", "readOnly", "writeOnly",
    "examples", "format", "contentEncoding", "contentMediaType", "contentSchema",
    "$recursiveRef", "$recursiveAnchor",
  ]

  /// Those that check something, and whose slip would let something pass.
  private static let checking = all.subtracting([
    "$comment", "title", "description", "default", "deprecated", "readOnly", "writeOnly",
    "examples", "$recursiveRef", "$recursiveAnchor", "if", "not",
  ]).sorted()

  /// A keyword that differs by a slip.
  static func near(_ name: String) -> String? { Slip.nearest(to: name, among: checking) }
}

/// Words that differ by a slip of the fingers.
enum Slip {
  private static let longest = 64

  /// The word with the fewest slips (Levenshtein distance): at most one for short names, two for longer ones.
  static func nearest(to name: String, among words: [String]) -> String? {
    let most = name.utf8.count > 4 ? 2 : 1
    guard name.utf8.count > 1, name.utf8.count <= longest else { return nil }
    return words.map { ($0, distance(name, $0)) }.filter { $0.1 <= most }.min { $0.1 < $1.1 }?.0
  }

  private static func distance(_ left: String, _ right: String) -> Int {
    guard abs(left.utf8.count - right.utf8.count) <= 8, right.utf8.count <= longest else {
      return Int.max
    }
    let (left, right) = (Array(left.lowercased().utf8), Array(right.lowercased().utf8))
    var row = Array(0...right.count)
    for (i, byte) in left.enumerated() {
      var previous = row[0]
      row[0] = i + 1
      for (j, other) in right.enumerated() {
        let cost = byte == other ? previous : previous + 1
        previous = row[j + 1]
        row[j + 1] = min(cost, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[right.count]
  }
}
