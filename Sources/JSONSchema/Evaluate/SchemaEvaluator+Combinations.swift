import ConfigModel

extension SchemaEvaluator {
  mutating func combine(
    _ check: SchemaCheck, _ value: ConfigValue, _ evaluated: inout Evaluated
  ) -> Bool {
    switch check.rule {
    case .all(let nodes):
      var isValid = true
      for node in nodes where !self.check(node, value, &evaluated) {
        isValid = false
        if wanted == .first { return false }
      }
      return isValid
    case .any(let nodes): return checkAny(check, nodes, value, &evaluated)
    case .one(let nodes): return checkOne(check, nodes, value, &evaluated)
    case .not(let node):
      var inner = Evaluated()
      guard isValid(node, value, &inner), !isExhausted else { return !isExhausted }
      return fail(
        .mismatch, at: value.span, check, "\(value.shown()) is what the schema excludes",
        hint: "see 'not' in the schema")
    case .condition(let test, let then, let otherwise):
      var inner = Evaluated()
      let holds = isValid(test, value, &inner)
      if holds { evaluated.merge(inner) }
      guard !isExhausted, let next = holds ? then : otherwise else { return !isExhausted }
      return self.check(next, value, &evaluated)
    default: return true
    }
  }

  private mutating func checkAny(
    _ check: SchemaCheck, _ nodes: [Int], _ value: ConfigValue, _ evaluated: inout Evaluated
  ) -> Bool {
    var isAny = false
    for node in nodes {
      guard isValid(node, value, &evaluated) else { continue }
      isAny = true
      // All of them may have looked at something.
      if !program.tracksEvaluated { return true }
    }
    return isAny || explain(check, nodes, value)
  }

  private mutating func checkOne(
    _ check: SchemaCheck, _ nodes: [Int], _ value: ConfigValue, _ evaluated: inout Evaluated
  ) -> Bool {
    var matching: [Int] = []
    for (index, node) in nodes.enumerated() where isValid(node, value, &evaluated) {
      matching.append(index)
      if matching.count > 1 { break }
    }
    if matching.count == 1 { return true }
    guard let first = matching.first, let second = matching.last else {
      return explain(check, nodes, value)
    }
    return fail(
      .mismatch, at: value.span, check,
      "\(value.shown()) is valid by two of the alternatives, of which only one may hold",
      hint: "they are number \(first + 1) and \(second + 1) of 'oneOf'")
  }

  /// Reports why none of the alternatives holds: what is wrong by the one that was meant, if that can be told.
  private mutating func explain(
    _ check: SchemaCheck, _ nodes: [Int], _ value: ConfigValue
  ) -> Bool {
    guard wanted == .all, !isExhausted else { return false }
    let found = nodes.map { findings(of: $0, value) }
    let meant = found.filter { !isForAnother($0) }
    if meant.count == 1 || nodes.count == 1 {
      findings += (meant.first ?? found[0]).prefix(SchemaProgram.findings - findings.count)
      return false
    }
    let reasons = found.compactMap(\.first?.message)
    var seen: Set<String> = []
    let distinct = reasons.filter { seen.insert($0).inserted }
    return fail(
      .mismatch, at: value.span, check, "\(value.shown()) is valid by none of the alternatives",
      hint: SchemaEvaluator.join(distinct))
  }

  private static func join(_ reasons: [String]) -> String {
    let shown = reasons.prefix(3).joined(separator: "; or ")
    return reasons.count > 3 ? shown + "; …" : shown
  }

  /// Whether an alternative is not about such a value: the type is another one, or a key right in it has a value
  /// that tells alternatives apart.
  private func isForAnother(_ findings: [SchemaFinding]) -> Bool {
    findings.contains { finding in
      switch finding.kind {
      case .type: finding.path.count == level
      case .value: finding.path.count <= level + 1
      case .mismatch: finding.path.count == level
      default: false
      }
    }
  }
}
