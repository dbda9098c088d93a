import ConfigModel

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
  static func near(_ name: String) -> String? { Spelling.nearest(to: name, among: checking) }
}
