import ConfigModel

/// Checks one value by a program.
///
/// A value is valid or not by `check` alone; what is wrong is collected only if somebody asks for `all`.
struct SchemaEvaluator {
  enum Wanted { case first, all }

  let program: SchemaProgram
  private(set) var wanted: Wanted
  var findings: [SchemaFinding] = []
  var stepsLeft: Int
  private var depth = 0
  private(set) var isTooDeep = false
  private var hintsLeft = SchemaEvaluator.hints
  /// Words that are looked for among others in one check.
  private static let hints = 50
  /// Words among which one is looked for.
  static let hintWords = 500
  /// The resources of the schemas that led here, outermost first.
  private var scope: [Int] = []
  /// From the root to what is looked at.
  private var path: [SchemaFinding.Step] = []
  /// The key of each step, where it has one.
  private var keys: [SourceSpan?] = []

  init(_ program: SchemaProgram, _ wanted: Wanted, steps: Int) {
    stepsLeft = steps
    self.program = program
    self.wanted = wanted
  }

  /// Whether the limits ended the check.
  var isExhausted: Bool { stepsLeft <= 0 || isTooDeep }

  func result(for value: ConfigValue) -> [SchemaFinding] {
    guard isExhausted else { return findings }
    let message =
      isTooDeep
      ? "its schemas lead on to each other more than \(SchemaProgram.depth) times"
      : "checking it takes too many steps"
    return [
      SchemaFinding(
        kind: .limit, span: value.span, keyword: program.nodes[0].span, path: [],
        message: message, hint: "simplify the schema: what can't be checked is not valid")
    ]
  }

  // MARK: - One schema

  /// Whether the value is valid by a schema; adds what it looks at to `evaluated` if so.
  mutating func check(
    _ index: Int, _ value: ConfigValue, _ evaluated: inout Evaluated
  ) -> Bool {
    let node = program.nodes[index]
    stepsLeft -= 1
    guard stepsLeft > 0, depth < SchemaProgram.depth else {
      if stepsLeft > 0 { isTooDeep = true }
      return false
    }
    if node.isNever { return reportNever(node, value) }
    if node.checks.isEmpty { return true }
    depth += 1
    let entersResource = scope.last != node.resource
    if entersResource { scope.append(node.resource) }
    defer {
      depth -= 1
      if entersResource { scope.removeLast() }
    }
    var own = Evaluated()
    var isValid = true
    for check in node.checks {
      // What is left over can't be told if something else failed.
      if !isValid, check.isLast { continue }
      if !apply(check, value, &own) {
        isValid = false
        if wanted == .first { return false }
      }
    }
    if isValid, program.tracksEvaluated { evaluated.merge(own) }
    return isValid
  }

  private mutating func apply(
    _ check: SchemaCheck, _ value: ConfigValue, _ evaluated: inout Evaluated
  ) -> Bool {
    switch check.rule {
    case .reference(let node): return self.check(node, value, &evaluated)
    case .dynamicReference(let node, let anchor):
      let resource = scope.first { program.dynamicAnchors[$0]?[anchor] != nil }
      let outermost = resource.flatMap { program.dynamicAnchors[$0]?[anchor] }
      return self.check(outermost ?? node, value, &evaluated)
    case .all, .any, .one, .not, .condition: return combine(check, value, &evaluated)
    case .items, .contains, .uniqueItems, .unevaluatedItems:
      guard case .sequence(let items) = value.content else { return true }
      return checkItems(check, value, items, &evaluated)
    case .properties, .propertyNames, .required, .dependentRequired, .dependentSchemas,
      .unevaluatedProperties:
      guard case .map(let members) = value.content else { return true }
      return checkMembers(check, value, members, &evaluated)
    case .type, .values, .bound, .multiple, .size, .pattern, .format, .content:
      return checkScalar(check, value)
    }
  }

  // MARK: - Going on

  /// Checks a value inside the one that is looked at.
  mutating func descend(
    _ node: Int, _ value: ConfigValue, _ step: SchemaFinding.Step, key: SourceSpan? = nil
  ) -> Bool {
    // Only findings need to know where they are.
    guard wanted == .all else {
      var evaluated = Evaluated()
      return check(node, value, &evaluated)
    }
    path.append(step)
    keys.append(key)
    defer {
      path.removeLast()
      keys.removeLast()
    }
    var evaluated = Evaluated()
    return check(node, value, &evaluated)
  }

  /// Checks without a finding for what fails.
  mutating func isValid(
    _ node: Int, _ value: ConfigValue, _ evaluated: inout Evaluated
  ) -> Bool {
    let before = wanted
    wanted = .first
    defer { wanted = before }
    return check(node, value, &evaluated)
  }

  /// What a schema finds, without reporting it.
  mutating func findings(of node: Int, _ value: ConfigValue) -> [SchemaFinding] {
    let before = findings
    findings = []
    defer { findings = before }
    var evaluated = Evaluated()
    _ = check(node, value, &evaluated)
    return findings
  }

  // MARK: - Findings

  var level: Int { path.count }

  mutating func fail(
    _ kind: SchemaFinding.Kind, at span: SourceSpan, _ check: SchemaCheck,
    _ message: @autoclosure () -> String, hint: @autoclosure () -> String? = nil
  ) -> Bool {
    fail(kind, at: span, keyword: check.keyword, message(), hint: hint())
  }

  /// - Returns: false.
  mutating func fail(
    _ kind: SchemaFinding.Kind, at span: SourceSpan, keyword: SourceSpan,
    _ message: @autoclosure () -> String, hint: @autoclosure () -> String? = nil,
    inside steps: [SchemaFinding.Step] = []
  ) -> Bool {
    // Words are made for those who read them.
    guard wanted == .all, findings.count < SchemaProgram.findings else { return false }
    findings.append(
      SchemaFinding(
        kind: kind, span: span, keyword: keyword, path: path + steps, message: message(),
        hint: hint()))
    return false
  }

  /// A word that may have been meant; looked for a few times only, since it costs more than to see that one is not
  /// allowed.
  mutating func nearest(to word: String, among words: [String]) -> String? {
    guard wanted == .all, hintsLeft > 0, words.count <= SchemaEvaluator.hintWords else {
      return nil
    }
    hintsLeft -= 1
    return Spelling.nearest(to: word, among: words)
  }

  /// The place for a key that is missing: the key that holds the map, or where the map begins.
  func holder(of value: ConfigValue) -> SourceSpan {
    if let key = keys.last ?? nil { return key }
    return SourceSpan(file: value.span.file, start: value.span.start, end: value.span.start)
  }

  private mutating func reportNever(_ node: SchemaNode, _ value: ConfigValue) -> Bool {
    if case .key(let key)? = path.last, let span = keys.last ?? nil {
      return fail(.unknownKey, at: span, keyword: node.span, "the key '\(key)' is not allowed")
    }
    if case .item? = path.last {
      return fail(.items, at: value.span, keyword: node.span, "no item is allowed here")
    }
    return fail(.mismatch, at: value.span, keyword: node.span, "the schema allows no value here")
  }
}

extension SchemaCheck {
  /// Whether the keyword depends on what the others looked at.
  fileprivate var isLast: Bool {
    switch rule {
    case .unevaluatedItems, .unevaluatedProperties: true
    default: false
    }
  }
}
