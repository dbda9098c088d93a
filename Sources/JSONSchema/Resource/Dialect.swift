/// Which keywords a schema has.
struct Dialect: Hashable, Sendable {
  enum Draft: Hashable, Sendable { case draft7, draft2020 }

  /// The vocabularies of 2020-12 that can be left out; draft-07 has them all.
  enum Vocabulary: String, Hashable, Sendable, CaseIterable {
    case core, applicator, unevaluated, validation, content
    case metaData = "meta-data"
    case formatAnnotation = "format-annotation"
    case formatAssertion = "format-assertion"

    static let base = "https://json-schema.org/draft/2020-12/vocab/"
  }

  var draft: Draft
  var vocabularies: Set<Vocabulary>

  static let draft7 = Dialect(
    draft: .draft7, vocabularies: Set(Vocabulary.allCases).subtracting([.formatAssertion]))
  static let draft2020 = Dialect(
    draft: .draft2020, vocabularies: Set(Vocabulary.allCases).subtracting([.formatAssertion]))

  /// The dialect that a URI of `$schema` names by itself; nil if its metaschema must say.
  static func named(_ uri: String) -> Dialect? {
    switch withoutEmptyFragment(uri) {
    case "http://json-schema.org/draft-07/schema", "https://json-schema.org/draft-07/schema":
      draft7
    case "https://json-schema.org/draft/2020-12/schema",
      "http://json-schema.org/draft/2020-12/schema":
      draft2020
    default: nil
    }
  }

  /// What people call a draft that is not understood; nil if the URI is none of the known ones.
  static func foreignName(_ uri: String) -> String? {
    let uri = withoutEmptyFragment(uri)
    for (part, name) in [
      ("json-schema.org/draft-03/", "draft-03"), ("json-schema.org/draft-04/", "draft-04"),
      ("json-schema.org/draft-05/", "draft-05"), ("json-schema.org/draft-06/", "draft-06"),
      ("json-schema.org/draft/2019-09/", "draft 2019-09"), ("json-schema.org/v1", "v1"),
      ("json-schema.org/schema", "a schema without a draft"),
    ] where uri.contains(part) { return name }
    return nil
  }

  static func withoutEmptyFragment(_ uri: String) -> String {
    uri.utf8.last == UInt8(ascii: "#") ? String(uri.dropLast()) : uri
  }

  // MARK: - Where schemas stand inside schemas

  enum Shape { case schema, list, map, schemaOrList, mapOfSchemaOrNames }

  /// The shape of a keyword that holds schemas; nil for one that holds none.
  func shape(of keyword: String) -> Shape? {
    switch keyword {
    case "additionalProperties", "propertyNames", "contains", "not", "if", "then", "else": .schema
    case "allOf", "anyOf", "oneOf": .list
    case "properties", "patternProperties", "definitions": .map
    case "dependencies": .mapOfSchemaOrNames
    case "items": draft == .draft7 ? .schemaOrList : .schema
    case "additionalItems": draft == .draft7 ? .schema : nil
    case "$defs", "dependentSchemas": draft == .draft2020 ? .map : nil
    case "prefixItems": draft == .draft2020 ? .list : nil
    case "unevaluatedItems", "unevaluatedProperties", "contentSchema":
      draft == .draft2020 ? .schema : nil
    default: nil
    }
  }
}
