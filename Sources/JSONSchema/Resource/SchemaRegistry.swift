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
  /// By the bytes of the name: texts that only look alike stay apart.
  var anchors: [[UInt8]: (SchemaLocation, ConfigValue)] = [:]
  var dynamicAnchors: [[UInt8]: (SchemaLocation, ConfigValue)] = [:]
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
  /// Names, by their bytes.
  private var byURI: [[UInt8]: Int] = [:]
  private var roots: [SchemaLocation: Int] = [:]
  private var visited: Set<SchemaLocation> = []
  /// What was asked for, and the resource that came; nil where none did.
  private var requests: [[UInt8]: Int?] = [:]
  private let load: (SchemaRequest) -> SchemaDocument?
  private let undeclared: UndeclaredDraft
  private var isFull = false

  /// Documents that one schema may lead to.
  static let maximumDocuments = 1000

  init(undeclared: UndeclaredDraft, load: @escaping (SchemaRequest) -> SchemaDocument?) {
    self.undeclared = undeclared
    self.load = load
  }

  /// Adds a document and everything in it that has a name; its root is the resource that is returned.
  mutating func add(_ document: SchemaDocument, inheriting dialect: Dialect) -> Int {
    documents.append(document)
    let location = SchemaLocation(document: documents.count - 1, pointer: [])
    let base = URIReference(document.uri).withoutFragment
    byURI[Array(base.text.utf8)] = byURI[Array(base.text.utf8)] ?? resources.count
    let root = register(document.root, at: location, base, dialect)
    visit(document.root, at: location, in: root)
    return root
  }

  private mutating func register(
    _ value: ConfigValue, at location: SchemaLocation, _ base: URIReference, _ inherited: Dialect
  ) -> Int {
    var base = base
    let id = identifier(of: value, in: inherited)
    if let id { base = base.resolving(URIReference(id)).withoutFragment }
    resources.append(
      SchemaResource(location: location, value: value, base: base, dialect: inherited))
    let index = resources.count - 1
    roots[location] = index
    let name = Array(base.text.utf8)
    if id != nil, let other = byURI[name], resources[other].location != location,
      resources[other].location.document == location.document
    {
      problems.append(
        SchemaProblem(
          kind: .malformed, span: value["$id"]?.span ?? value.span,
          message: "'\(base.text)' is the '$id' of two schemas"))
    }
    byURI[name] = byURI[name] ?? index
    // Once it has a name: a metaschema may be written in itself.
    resources[index].dialect = dialect(of: value, base, inherited)
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
    visited.insert(location)
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
    guard case .map = value.content else {
      visited.insert(location)
      return
    }
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
    switch resources[resource].dialect.draft {
    case .draft7:
      guard value["$ref"] == nil, let id = value["$id"], case .string(let text) = id.content,
        let name = URIReference(text).fragment.flatMap(ConfigPath.unescape), !name.isEmpty
      else { return }
      add(name, id.span, (location, value), to: \.anchors, of: resource)
    case .draft2020:
      if let anchor = value["$anchor"], case .string(let name) = anchor.content {
        add(name, anchor.span, (location, value), to: \.anchors, of: resource)
      }
      if let anchor = value["$dynamicAnchor"], case .string(let name) = anchor.content {
        add(name, anchor.span, (location, value), to: \.dynamicAnchors, of: resource)
      }
    }
  }

  private mutating func add(
    _ name: String, _ span: SourceSpan, _ place: (SchemaLocation, ConfigValue),
    to table: WritableKeyPath<SchemaResource, [[UInt8]: (SchemaLocation, ConfigValue)]>,
    of resource: Int
  ) {
    let key = Array(name.utf8)
    guard resources[resource][keyPath: table].updateValue(place, forKey: key) != nil else { return }
    problems.append(
      SchemaProblem(
        kind: .malformed, span: span, message: "two schemas have the anchor '\(name)'"))
  }

  // MARK: - Following references

  /// The dialect of a document's root.
  func dialect(ofDocumentAt uri: String) -> Dialect {
    resources.first { documents[$0.location.document].uri == uri && $0.location.pointer.isEmpty }?
      .dialect ?? .draft2020
  }

  /// The resource whose root is at a place; nil if none is.
  func resource(at location: SchemaLocation) -> Int? { roots[location] }

  /// Whether a schema stands at a place where a keyword has one.
  func isVisited(_ location: SchemaLocation) -> Bool { visited.contains(location) }

  /// The resource that a URI names: one of the same document; what is loaded for it; or one that came with others.
  private mutating func resource(
    for request: SchemaRequest, in document: Int? = nil, inheriting dialect: Dialect
  ) -> Int? {
    let known = byURI[Array(request.uri.utf8)]
    if let known, resources[known].location.document == document { return known }
    // What a relative reference means depends on who refers.
    let key = Array("\(request.source)\0\(request.reference)\0\(request.uri)".utf8)
    if let answer = requests[key] { return answer ?? known }
    guard documents.count < SchemaRegistry.maximumDocuments else {
      if documents.count == SchemaRegistry.maximumDocuments, !isFull {
        isFull = true
        problems.append(
          SchemaProblem(
            kind: .limit, span: SourceSpan(file: documents[0].root.span.file),
            message: "the schema leads to more than \(SchemaRegistry.maximumDocuments) files"))
      }
      return nil
    }
    var found: Int?
    if let loaded = Metaschemas.document(for: request.uri) ?? load(request) {
      let name = Array(URIReference(loaded.uri).withoutFragment.text.utf8)
      let there = byURI[name].flatMap { resources[$0].location.pointer.isEmpty ? $0 : nil }
      found = there ?? add(loaded, inheriting: undeclared == .inherited ? dialect : .draft2020)
    }
    requests.updateValue(found, forKey: key)
    return found ?? known
  }

  /// Where a reference in a resource leads; nil if nowhere.
  mutating func target(of reference: String, from resource: Int) -> SchemaTarget? {
    let written = URIReference(reference)
    let uri = resources[resource].base.resolving(written)
    let document = resources[resource].location.document
    let request = SchemaRequest(
      uri: uri.withoutFragment.text, reference: written.withoutFragment.text,
      source: documents[document].uri)
    let dialect = resources[resource].dialect
    guard let found = self.resource(for: request, in: document, inheriting: dialect) else {
      return nil
    }
    let fragment = uri.fragment.flatMap(ConfigPath.unescape) ?? ""
    if fragment.isEmpty {
      let root = resources[found]
      return SchemaTarget(location: root.location, value: root.value, resource: found)
    }
    if fragment.utf8.first == UInt8(ascii: "/") { return follow(fragment, from: found) }
    guard
      let (location, value) = resources[found].anchors[Array(fragment.utf8)]
        ?? resources[found].dynamicAnchors[Array(fragment.utf8)]
    else { return nil }
    return SchemaTarget(location: location, value: value, resource: found)
  }

  private func follow(_ pointer: String, from resource: Int) -> SchemaTarget? {
    var target = SchemaTarget(
      location: resources[resource].location, value: resources[resource].value, resource: resource)
    for token in ConfigPath.segments(of: pointer).dropFirst() {
      let name = SchemaRegistry.unescaped(token)
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

  /// A token of a pointer as the key is written; by bytes, since to Swift's characters `~1` before a combining mark
  /// is another text.
  private static func unescaped(_ token: String) -> String {
    guard token.utf8.contains(UInt8(ascii: "~")) else { return token }
    var bytes: [UInt8] = []
    var rest = Array(token.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "~"), let next = rest.first, "01".utf8.contains(next) {
        rest = rest.dropFirst()
        bytes.append(next == UInt8(ascii: "1") ? UInt8(ascii: "/") : byte)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
