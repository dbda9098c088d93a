import ConfigModel

/// A place in one of the documents.
struct SchemaLocation: Hashable {
  var document: Int
  /// A JSON pointer (RFC 6901).
  var pointer: [UInt8]

  func appending(_ token: String) -> SchemaLocation {
    var escaped: [UInt8] = [UInt8(ascii: "/")]
    for byte in token.utf8 {
      switch byte {
      case UInt8(ascii: "~"): escaped += "~0".utf8
      case UInt8(ascii: "/"): escaped += "~1".utf8
      default: escaped.append(byte)
      }
    }
    return SchemaLocation(document: document, pointer: pointer + escaped)
  }
}

/// A schema that a URI names, with those inside it that have none of their own (2020-12 core §4.3.5).
struct SchemaResource {
  var location: SchemaLocation
  var value: ConfigValue
  var base: URIReference
  var dialect: Dialect
  var anchors: [String: (SchemaLocation, ConfigValue)] = [:]
  var dynamicAnchors: [String: (SchemaLocation, ConfigValue)] = [:]
}

/// A place that a reference leads to.
struct SchemaTarget {
  var location: SchemaLocation
  var value: ConfigValue
  var resource: Int
}

/// Every schema that is known, by URI, anchor and place.
struct SchemaRegistry {
  private(set) var documents: [SchemaDocument] = []
  private(set) var resources: [SchemaResource] = []
  private(set) var problems: [SchemaProblem] = []
  private var byURI: [String: Int] = [:]
  private var roots: [SchemaLocation: Int] = [:]
  /// URIs that were asked for in vain.
  private var missing: Set<String> = []
  private let load: (SchemaRequest) -> SchemaDocument?

  /// Documents that one schema may lead to.
  static let maximumDocuments = 1000

  init(load: @escaping (SchemaRequest) -> SchemaDocument?) { self.load = load }

  /// Adds a document and everything in it that has a name; its root is the resource that is returned.
  mutating func add(_ document: SchemaDocument, inheriting dialect: Dialect) -> Int {
    documents.append(document)
    let location = SchemaLocation(document: documents.count - 1, pointer: [])
    let base = URIReference(document.uri).withoutFragment
    let root = register(document.root, at: location, base, dialect)
    byURI[base.text] = root
    visit(document.root, at: location, in: root)
    return root
  }

  private mutating func register(
    _ value: ConfigValue, at location: SchemaLocation, _ base: URIReference, _ inherited: Dialect
  ) -> Int {
    var base = base
    if let id = identifier(of: value, in: inherited) {
      base = base.resolving(URIReference(id)).withoutFragment
    }
    let dialect = dialect(of: value, base, inherited)
    resources.append(
      SchemaResource(location: location, value: value, base: base, dialect: dialect))
    let index = resources.count - 1
    roots[location] = index
    byURI[base.text] = byURI[base.text] ?? index
    return index
  }

  /// The `$id` that makes a schema a resource; nil if it has none, or one that is an anchor.
  private func identifier(of value: ConfigValue, in dialect: Dialect) -> String? {
    guard case .string(let id)? = value["$id"]?.content else { return nil }
    let draft = declaredDraft(of: value) ?? dialect.draft
    // Beside `$ref` it means nothing in draft-07.
    if draft == .draft7, value["$ref"] != nil { return nil }
    return id.utf8.first == UInt8(ascii: "#") ? nil : id
  }

  private func declaredDraft(of value: ConfigValue) -> Dialect.Draft? {
    guard case .string(let uri)? = value["$schema"]?.content else { return nil }
    return Dialect.named(uri)?.draft
  }

  private mutating func dialect(
    of value: ConfigValue, _ base: URIReference, _ inherited: Dialect
  ) -> Dialect {
    guard let schema = value["$schema"], case .string(let uri) = schema.content else {
      return inherited
    }
    if let known = Dialect.named(uri) { return known }
    let plain = Dialect.withoutEmptyFragment(uri)
    if Dialect.foreignName(uri) == nil,
      let metaschema = resource(
        for: SchemaRequest(uri: plain, reference: plain, source: base.text), inheriting: inherited)
    {
      return dialect(describedBy: metaschema, at: schema.span)
    }
    let name = Dialect.foreignName(uri) ?? "'\(plain)'"
    problems.append(
      SchemaProblem(
        kind: .draft, span: schema.span, message: "\(name) of JSON Schema is not understood",
        hint: "write it for 2020-12 (https://json-schema.org/draft/2020-12/schema) or draft-07 "
          + "(http://json-schema.org/draft-07/schema#)"))
    return inherited
  }

  private mutating func dialect(describedBy metaschema: Int, at span: SourceSpan) -> Dialect {
    let value = resources[metaschema].value
    var dialect = resources[metaschema].dialect
    guard case .map(let members)? = value["$vocabulary"]?.content else { return dialect }
    dialect.vocabularies = []
    for member in members {
      let name =
        member.key.utf8.starts(with: Dialect.Vocabulary.base.utf8)
        ? String(member.key.dropFirst(Dialect.Vocabulary.base.count)) : ""
      if let vocabulary = Dialect.Vocabulary(rawValue: name) {
        dialect.vocabularies.insert(vocabulary)
      } else if member.value.content == .boolean(true) {
        problems.append(
          SchemaProblem(
            kind: .draft, span: span,
            message:
              "the metaschema requires the vocabulary '\(member.key)', which is not understood",
            hint: "those of 2020-12 are understood"))
      }
    }
    return dialect
  }

  // MARK: - Looking for names

  /// Registers what has a name in a schema and in those inside it.
  private mutating func visit(
    _ value: ConfigValue, at location: SchemaLocation, in resource: Int
  ) {
    guard case .map(let members) = value.content else { return }
    addAnchors(value, at: location, in: resource)
    let dialect = resources[resource].dialect
    for member in members {
      guard let shape = dialect.shape(of: member.key) else { continue }
      let place = location.appending(member.key)
      switch (shape, member.value.content) {
      case (.list, .sequence(let items)), (.schemaOrList, .sequence(let items)):
        for (index, item) in items.enumerated() {
          enter(item, at: place.appending(String(index)), in: resource)
        }
      case (.map, .map(let schemas)), (.mapOfSchemaOrNames, .map(let schemas)):
        for schema in schemas { enter(schema.value, at: place.appending(schema.key), in: resource) }
      case (.schema, _), (.schemaOrList, _): enter(member.value, at: place, in: resource)
      default: break
      }
    }
  }

  private mutating func enter(
    _ value: ConfigValue, at location: SchemaLocation, in resource: Int
  ) {
    guard case .map = value.content else { return }
    let (base, dialect) = (resources[resource].base, resources[resource].dialect)
    if identifier(of: value, in: dialect) != nil {
      visit(value, at: location, in: register(value, at: location, base, dialect))
    } else {
      visit(value, at: location, in: resource)
    }
  }

  private mutating func addAnchors(
    _ value: ConfigValue, at location: SchemaLocation, in resource: Int
  ) {
    let draft = resources[resource].dialect.draft
    switch draft {
    case .draft7:
      guard value["$ref"] == nil, case .string(let id)? = value["$id"]?.content,
        let name = URIReference(id).fragment, !name.isEmpty
      else { return }
      resources[resource].anchors[name] = (location, value)
    case .draft2020:
      if case .string(let name)? = value["$anchor"]?.content {
        resources[resource].anchors[name] = (location, value)
      }
      if case .string(let name)? = value["$dynamicAnchor"]?.content {
        resources[resource].dynamicAnchors[name] = (location, value)
      }
    }
  }

  // MARK: - Following references

  /// The dialect of a document's root.
  func dialect(ofDocumentAt uri: String) -> Dialect {
    resources.first { documents[$0.location.document].uri == uri && $0.location.pointer.isEmpty }?
      .dialect ?? .draft2020
  }

  /// The resource whose root is at a place; nil if none is.
  func resource(at location: SchemaLocation) -> Int? { roots[location] }

  private mutating func resource(
    for request: SchemaRequest, inheriting dialect: Dialect
  ) -> Int? {
    if let known = byURI[request.uri] { return known }
    guard !missing.contains(request.uri), documents.count < SchemaRegistry.maximumDocuments else {
      return nil
    }
    if let builtIn = Metaschemas.document(for: request.uri) ?? load(request) {
      let index = add(builtIn, inheriting: dialect)
      byURI[request.uri] = index
      return index
    }
    missing.insert(request.uri)
    return nil
  }

  /// Where a reference in a resource leads; nil if nowhere.
  mutating func target(of reference: String, from resource: Int) -> SchemaTarget? {
    let written = URIReference(reference)
    let uri = resources[resource].base.resolving(written)
    let request = SchemaRequest(
      uri: uri.withoutFragment.text, reference: written.withoutFragment.text,
      source: documents[resources[resource].location.document].uri)
    // A schema that does not say what it is written for is read as the one that refers to it.
    let dialect = resources[resource].dialect
    guard let found = self.resource(for: request, inheriting: dialect) else { return nil }
    let fragment = uri.fragment.flatMap(URIReference.percentDecoded) ?? ""
    if fragment.isEmpty {
      let root = resources[found]
      return SchemaTarget(location: root.location, value: root.value, resource: found)
    }
    if fragment.utf8.first == UInt8(ascii: "/") { return follow(fragment, from: found) }
    guard
      let (location, value) = resources[found].anchors[fragment]
        ?? resources[found].dynamicAnchors[fragment]
    else { return nil }
    return SchemaTarget(location: location, value: value, resource: found)
  }

  private func follow(_ pointer: String, from resource: Int) -> SchemaTarget? {
    var target = SchemaTarget(
      location: resources[resource].location, value: resources[resource].value, resource: resource)
    for token in ConfigPath.segments(of: pointer).dropFirst() {
      let name = token.replacing("~1", with: "/").replacing("~0", with: "~")
      switch target.value.content {
      case .map:
        guard let value = target.value[name] else { return nil }
        target.value = value
      case .sequence(let items):
        guard let index = Int(name), items.indices.contains(index) else { return nil }
        target.value = items[index]
      default: return nil
      }
      target.location = target.location.appending(name)
      target.resource = roots[target.location] ?? target.resource
    }
    return target
  }
}
