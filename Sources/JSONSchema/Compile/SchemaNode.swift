import ConfigModel

/// One schema, compiled: what it checks, in the order in which it's checked.
struct SchemaNode: Sendable {
  /// Where the schema stands.
  var span: SourceSpan
  var resource: Int
  var checks: [SchemaCheck] = []
  /// `false`: nothing is valid.
  var isNever = false
}

struct TypeSet: OptionSet, Sendable {
  var rawValue: UInt8
  static let null = TypeSet(rawValue: 1)
  static let boolean = TypeSet(rawValue: 2)
  static let number = TypeSet(rawValue: 4)
  static let integer = TypeSet(rawValue: 8)
  static let string = TypeSet(rawValue: 16)
  static let array = TypeSet(rawValue: 32)
  static let object = TypeSet(rawValue: 64)

  static let names: [(name: String, type: TypeSet)] = [
    ("null", .null), ("boolean", .boolean), ("number", .number), ("integer", .integer),
    ("string", .string), ("array", .array), ("object", .object),
  ]

  var names: [String] { TypeSet.names.filter { contains($0.type) }.map(\.name) }
}

/// A keyword, or several that are checked together.
struct SchemaCheck: Sendable {
  /// Where the keyword stands.
  var keyword: SourceSpan
  var rule: Rule

  enum Rule: Sendable {
    case type(TypeSet)
    case values(AllowedValues)
    case bound(Bound, ExactNumber, text: String)
    case multiple(of: ExactNumber, text: String)
    case size(Size, Int)
    case uniqueItems
    case pattern(Pattern)
    case format(Format)
    case content(ContentRule)
    case required([String])
    case dependentRequired([(key: String, required: [String])])
    case dependentSchemas([(key: String, node: Int)])
    case propertyNames(Int)
    case properties(PropertyRules)
    case items(ItemRules)
    case contains(ContainsRule)
    case all([Int])
    case any([Int])
    case one([Int])
    case not(Int)
    case condition(Int, then: Int?, otherwise: Int?)
    case reference(Int)
    /// The node of the outermost schema that has the anchor, or that one.
    case dynamicReference(Int, anchor: [UInt8])
    case unevaluatedItems(Int)
    case unevaluatedProperties(Int)
  }

  enum Bound: Sendable { case minimum, maximum, exclusiveMinimum, exclusiveMaximum }

  enum Size: String, Sendable {
    case minLength, maxLength, minItems, maxItems, minProperties, maxProperties

    var isLeast: Bool { self == .minLength || self == .minItems || self == .minProperties }
  }
}

/// `enum` and `const`.
struct AllowedValues: Sendable {
  var canonical: Set<[UInt8]>
  /// As a person reads them, in the order of the schema.
  var shown: [String]
  /// Those that are texts.
  var texts: [String]
}

struct PropertyRules: Sendable {
  var properties: [[UInt8]: Int] = [:]
  /// In the order of the schema, for suggestions.
  var names: [String] = []
  var patterns: [(pattern: Pattern, node: Int)] = []
  var additional: Int?
  var additionalKeyword: SourceSpan?
}

struct ItemRules: Sendable {
  var prefix: [Int] = []
  var rest: Int?
  var restKeyword: SourceSpan?
}

struct ContainsRule: Sendable {
  var node: Int
  var least: Int
  var most: Int?
  var leastKeyword: SourceSpan
  var mostKeyword: SourceSpan?
  /// Whether items that are found count as evaluated: since 2020-12.
  var marksItems: Bool
}

struct ContentRule: Sendable {
  var isBase64: Bool
  var isJSON: Bool
}
