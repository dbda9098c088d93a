import ConfigModel

/// Makes nodes of a schema and of everything that it refers to; used once.
final class SchemaCompiler {
  /// Schemas of one program, those that are referred to among them.
  static let maximumNodes = 200_000
  private static let hints = 1000

  private struct Work {
    var target: SchemaTarget
    var node: Int
  }

  var registry: SchemaRegistry
  let formats: FormatAssertion
  private(set) var nodes: [SchemaNode] = []
  var problems: [SchemaProblem] = []
  /// Unknown keywords that are looked at: most are extensions, and no slips.
  var hintsLeft = SchemaCompiler.hints
  /// Schemas that a reference reaches where no keyword has one, with the dialect that they are written in.
  private(set) var strays: [(value: ConfigValue, dialect: Dialect)] = []
  /// By resource and name.
  private(set) var dynamicAnchors: [Int: [[UInt8]: Int]] = [:]
  private var indices: [SchemaLocation: Int] = [:]
  private var work: [Work] = []
  private var entered: Set<Int> = []

  init(
    load: @escaping (SchemaRequest) -> SchemaDocument?, formats: FormatAssertion,
    undeclared: UndeclaredDraft
  ) {
    registry = SchemaRegistry(undeclared: undeclared, load: load)
    self.formats = formats
  }

  func compile(_ document: SchemaDocument) {
    let root = registry.add(document, inheriting: .draft2020)
    _ = node(
      for: SchemaTarget(
        location: SchemaLocation(document: 0, pointer: []), value: document.root, resource: root))
    while let next = work.popLast() { compile(next) }
    problems = registry.problems + problems
  }

  /// The node of a schema, which is compiled in its turn.
  func node(for target: SchemaTarget) -> Int {
    if let known = indices[target.location] { return known }
    guard nodes.count < SchemaCompiler.maximumNodes else {
      if nodes.count == SchemaCompiler.maximumNodes {
        nodes.append(SchemaNode(span: target.value.span, resource: target.resource))
        report(
          .limit, target.value.span,
          "the schema has more than \(SchemaCompiler.maximumNodes) schemas in it")
      }
      return SchemaCompiler.maximumNodes
    }
    let index = nodes.count
    indices[target.location] = index
    nodes.append(SchemaNode(span: target.value.span, resource: target.resource))
    work.append(Work(target: target, node: index))
    return index
  }

  func report(
    _ kind: SchemaProblem.Kind, _ span: SourceSpan, _ message: String, hint: String? = nil
  ) {
    problems.append(SchemaProblem(kind: kind, span: span, message: message, hint: hint))
  }

  private func compile(_ work: Work) {
    enter(work.target.resource)
    if !registry.isVisited(work.target.location) {
      strays.append(
        (work.target.value, registry.resources[work.target.resource].dialect))
    }
    switch work.target.value.content {
    case .boolean(let isValid): nodes[work.node].isNever = !isValid
    case .map(let members):
      var keywords = KeywordReader(self, work.target, members)
      keywords.read()
      nodes[work.node].checks = keywords.checks
    default:
      report(
        .malformed, work.target.value.span, "a schema is a map, or true or false",
        hint: "see https://json-schema.org/understanding-json-schema")
    }
  }

  /// Whatever has a dynamic anchor may be meant by a reference from anywhere.
  private func enter(_ resource: Int) {
    guard entered.insert(resource).inserted else { return }
    let anchors = registry.resources[resource].dynamicAnchors
    for (name, (location, value)) in anchors.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }
    ) {
      let target = SchemaTarget(location: location, value: value, resource: resource)
      dynamicAnchors[resource, default: [:]][name] = node(for: target)
    }
  }
}
