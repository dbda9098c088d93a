public import ConfigModel

/// A schema that is compiled once, and checks any number of values.
public struct SchemaProgram: Sendable {
  /// Steps that a check may take, those of patterns among them: so many, and more for each byte of the value.
  public static let steps = 1_000_000
  public static let stepsPerByte = 200
  /// Findings of one check; what follows is not looked for.
  public static let findings = 200
  /// Schemas that lead on to each other, for one value and all those that it is in.
  static let depth = 400

  let nodes: [SchemaNode]
  let dynamicAnchors: [Int: [[UInt8]: Int]]
  /// Whether anything asks which keys and items were looked at.
  let tracksEvaluated: Bool

  /// Compiles a schema and all that it refers to, and checks them by their metaschema.
  ///
  /// - Parameter load: a document by its URI; nil if there is none. Asked once for each URI.
  /// - Returns: nil with what is wrong with the schema; else what it checks, with what looks like a slip.
  /// - Complexity: O(*n*) in the schemas that are reached.
  public static func compile(
    _ document: SchemaDocument, formats: FormatAssertion = .always,
    undeclared: UndeclaredDraft = .draft2020,
    load: @escaping (SchemaRequest) -> SchemaDocument?
  ) -> (program: SchemaProgram?, problems: [SchemaProblem]) {
    let compiler = SchemaCompiler(load: load, formats: formats, undeclared: undeclared)
    compiler.compile(document)
    var problems = compiler.problems
    for document in compiler.registry.documents where !Metaschemas.contains(document.uri) {
      let dialect = compiler.registry.dialect(ofDocumentAt: document.uri)
      problems += Metaschemas.check(document.root, dialect)
    }
    for (value, dialect) in compiler.strays { problems += Metaschemas.check(value, dialect) }
    var seen: Set<SourceSpan> = []
    // What the compiler says of a place is more to the point than what the metaschema says.
    problems = problems.filter { seen.insert($0.span).inserted }
    guard problems.allSatisfy({ $0.kind == .suspicious }) else { return (nil, problems) }
    return (SchemaProgram(compiler), problems)
  }

  init(_ compiler: SchemaCompiler) {
    nodes = compiler.nodes
    dynamicAnchors = compiler.dynamicAnchors
    tracksEvaluated = nodes.contains { node in
      node.checks.contains { check in
        switch check.rule {
        case .unevaluatedItems, .unevaluatedProperties: true
        default: false
        }
      }
    }
  }

  /// What came of a check.
  public struct Verdict: Sendable {
    /// What the value does not keep, in the order of the schema; one of `limit` alone, if that can't be told.
    public var findings: [SchemaFinding]
    /// What it took.
    public var steps: Int
  }

  public func check(_ value: ConfigValue) -> Verdict {
    check(value, steps: SchemaProgram.steps + SchemaProgram.stepsPerByte * value.weight)
  }

  func check(_ value: ConfigValue, steps: Int) -> Verdict {
    var evaluator = SchemaEvaluator(self, .first, steps: steps)
    var evaluated = Evaluated()
    if evaluator.check(0, value, &evaluated), !evaluator.isExhausted {
      return Verdict(findings: [], steps: steps - evaluator.stepsLeft)
    }
    guard !evaluator.isExhausted else {
      return Verdict(findings: evaluator.result(for: value), steps: steps)
    }
    // Most values are valid: only of the others it's worked out what is wrong.
    let used = steps - evaluator.stepsLeft
    evaluator = SchemaEvaluator(self, .all, steps: steps)
    _ = evaluator.check(0, value, &evaluated)
    return Verdict(
      findings: evaluator.result(for: value), steps: used + steps - evaluator.stepsLeft)
  }
}
