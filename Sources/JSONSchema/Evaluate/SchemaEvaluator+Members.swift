import ConfigModel

extension SchemaEvaluator {
  /// Comparisons of keys beyond which a table of them is made first.
  private static let comparisons = 1000
  /// Keys of a map, and of a list of those it must have, among which one is looked for.
  private static let hintKeys = 200

  mutating func checkMembers(
    _ check: SchemaCheck, _ value: ConfigValue, _ members: [ConfigValue.Member],
    _ evaluated: inout Evaluated
  ) -> Bool {
    switch check.rule {
    case .properties(let rules): return checkProperties(check, rules, members, &evaluated)
    case .propertyNames(let node): return checkNames(node, members)
    case .required(let names): return checkRequired(check, names, value)
    case .dependentRequired(let rules):
      var isValid = true
      stepsLeft -= rules.count * (1 + members.count / 64)
      for rule in rules where stepsLeft > 0 && value[rule.key] != nil {
        if !checkRequired(check, rule.required, value, because: rule.key) { isValid = false }
      }
      return isValid
    case .dependentSchemas(let rules):
      var isValid = true
      stepsLeft -= rules.count * (1 + members.count / 64)
      for rule in rules where stepsLeft > 0 && value[rule.key] != nil {
        if !self.check(rule.node, value, &evaluated) { isValid = false }
      }
      return isValid
    case .unevaluatedProperties(let node):
      var isValid = true
      for (index, member) in members.enumerated() where !evaluated.hasProperty(index) {
        if !checkLeftOver(check, node, member, names: []) { isValid = false }
      }
      evaluated.allProperties = true
      return isValid
    default: return true
    }
  }

  private mutating func checkProperties(
    _ check: SchemaCheck, _ rules: PropertyRules, _ members: [ConfigValue.Member],
    _ evaluated: inout Evaluated
  ) -> Bool {
    var isValid = true
    for (index, member) in members.enumerated() {
      var isKnown = false
      if !rules.properties.isEmpty, let node = rules.properties[Array(member.key.utf8)] {
        isKnown = true
        if !descend(node, member) { isValid = false }
      }
      for rule in rules.patterns {
        guard let isFound = rule.pattern.isFound(in: member.key, steps: &stepsLeft) else {
          return false
        }
        guard isFound else { continue }
        isKnown = true
        if !descend(rule.node, member) { isValid = false }
      }
      if !isKnown, let additional = rules.additional {
        isKnown = true
        var check = check
        check.keyword = rules.additionalKeyword ?? check.keyword
        if !checkLeftOver(check, additional, member, names: rules.names) { isValid = false }
      }
      if isKnown, program.tracksEvaluated { evaluated.properties.insert(index) }
      if !isValid, wanted == .first { return false }
    }
    return isValid
  }

  private mutating func descend(_ node: Int, _ member: ConfigValue.Member) -> Bool {
    descend(node, member.value, .key(member.key), key: member.keySpan)
  }

  /// A member that no other keyword speaks of.
  private mutating func checkLeftOver(
    _ check: SchemaCheck, _ node: Int, _ member: ConfigValue.Member, names: [String]
  ) -> Bool {
    guard program.nodes[node].isNever, wanted == .all else { return descend(node, member) }
    guard findings.count < SchemaProgram.findings else { return false }
    let near = nearest(to: member.key, among: names)
    let known = names.isEmpty ? nil : "known: " + SchemaEvaluator.list(names)
    return fail(
      .unknownKey, at: member.keySpan, keyword: check.keyword, "unknown key '\(member.key)'",
      hint: near.map { "did you mean '\($0)'?" } ?? known, inside: [.key(member.key)])
  }

  private mutating func checkNames(_ node: Int, _ members: [ConfigValue.Member]) -> Bool {
    var isValid = true
    for member in members {
      let name = ConfigValue(.string(member.key), at: member.keySpan)
      var evaluated = Evaluated()
      guard !self.isValid(node, name, &evaluated), !isExhausted else { continue }
      isValid = false
      guard wanted == .all else { return false }
      let first = findings(of: node, name).first
      _ = fail(
        .unknownKey, at: member.keySpan, keyword: first?.keyword ?? program.nodes[node].span,
        "the key is not allowed: \(first?.message ?? "no key is")", hint: first?.hint,
        inside: [.key(member.key)])
    }
    return isValid && !isExhausted
  }

  private mutating func checkRequired(
    _ check: SchemaCheck, _ names: [String], _ value: ConfigValue, because key: String? = nil
  ) -> Bool {
    guard case .map(let members) = value.content else { return true }
    stepsLeft -= names.count + members.count / 8
    // A few are looked for faster one by one.
    let known =
      names.count * members.count > SchemaEvaluator.comparisons
      ? Set(members.map { Array($0.key.utf8) }) : nil
    var isValid = true
    for name in names {
      let isThere = known.map { $0.contains(Array(name.utf8)) } ?? (value[name] != nil)
      guard !isThere else { continue }
      isValid = false
      guard wanted == .all, findings.count < SchemaProgram.findings else { return false }
      let reason = key.map { ", which '\($0)' asks for" } ?? ""
      let near = nearKey(name, members, names)
      _ = fail(
        .missingKey, at: holder(of: value), check, "the key '\(name)' is missing\(reason)",
        hint: near)
    }
    return isValid
  }

  /// A key that may have been meant: one that is there, and not asked for.
  private mutating func nearKey(
    _ name: String, _ members: [ConfigValue.Member], _ names: [String]
  ) -> String? {
    guard names.count <= SchemaEvaluator.hintKeys, members.count <= SchemaEvaluator.hintKeys else {
      return nil
    }
    let others = members.map(\.key).filter { !names.contains($0) }
    return nearest(to: name, among: others).map { "there is '\($0)'" }
  }
}
