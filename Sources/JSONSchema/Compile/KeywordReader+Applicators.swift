import ConfigModel

/// Keywords that look into maps and lists, or hand a value on to other schemas.
extension KeywordReader {
  // MARK: - Maps

  private mutating func names(_ value: ConfigValue) -> [String]? {
    guard case .sequence(let items) = value.content else { return nil }
    let names = items.compactMap { item -> String? in
      if case .string(let name) = item.content { name } else { nil }
    }
    return names.count == items.count ? names : nil
  }

  mutating func readRequired() {
    if let member = member("required") {
      guard let names = names(member.value) else { return malformed(member, "a list of keys") }
      add(member, .required(names))
    }
    guard !isDraft7, let member = member("dependentRequired") else { return }
    guard case .map(let entries) = member.value.content else {
      return malformed(member, "a map of keys, each with a list of keys")
    }
    var rules: [(String, [String])] = []
    for entry in entries {
      guard let names = names(entry.value) else { return malformed(entry, "a list of keys") }
      rules.append((entry.key, names))
    }
    add(member, .dependentRequired(rules))
  }

  private mutating func schemas(_ member: ConfigValue.Member) -> [ConfigValue.Member] {
    guard case .map(let entries) = member.value.content else {
      malformed(member, "a map of schemas")
      return []
    }
    return entries
  }

  mutating func readProperties() {
    var rules = PropertyRules()
    var first: ConfigValue.Member?
    if let member = member("properties") {
      first = member
      for entry in schemas(member) {
        rules.properties[Array(entry.key.utf8)] = node(entry.value, "properties", entry.key)
        rules.names.append(entry.key)
      }
    }
    if let member = member("patternProperties") {
      first = first ?? member
      for entry in schemas(member) {
        let inner = node(entry.value, "patternProperties", entry.key)
        if let pattern = pattern(entry.key, at: entry.keySpan) {
          rules.patterns.append((pattern, inner))
        }
      }
    }
    if let member = member("additionalProperties") {
      first = first ?? member
      rules.additional = node(member.value, member.key)
      rules.additionalKeyword = member.keySpan
    }
    if let first { add(first, .properties(rules)) }
    if let member = member("propertyNames") {
      add(member, .propertyNames(node(member.value, member.key)))
    }
    readDependencies()
  }

  private mutating func readDependencies() {
    if !isDraft7, let member = member("dependentSchemas") {
      var dependencies: [(String, Int)] = []
      for entry in schemas(member) {
        dependencies.append((entry.key, node(entry.value, member.key, entry.key)))
      }
      add(member, .dependentSchemas(dependencies))
    }
    guard let member = member("dependencies") else { return }
    var required: [(String, [String])] = []
    var dependencies: [(String, Int)] = []
    for entry in schemas(member) {
      if let names = names(entry.value) {
        required.append((entry.key, names))
      } else {
        dependencies.append((entry.key, node(entry.value, member.key, entry.key)))
      }
    }
    if !required.isEmpty { add(member, .dependentRequired(required)) }
    if !dependencies.isEmpty { add(member, .dependentSchemas(dependencies)) }
  }

  // MARK: - Lists

  private mutating func list(_ member: ConfigValue.Member) -> [Int] {
    guard case .sequence(let items) = member.value.content, !items.isEmpty else {
      malformed(member, "a list of schemas, at least one")
      return []
    }
    var nodes: [Int] = []
    for (index, item) in items.enumerated() {
      nodes.append(node(item, member.key, String(index)))
    }
    return nodes
  }

  mutating func readItems() {
    var rules = ItemRules()
    var first: ConfigValue.Member?
    if let member = member("prefixItems"), !isDraft7 {
      first = member
      rules.prefix = list(member)
    }
    if let member = member("items") {
      first = first ?? member
      if isDraft7, case .sequence(let items) = member.value.content {
        // Unlike the other lists of schemas this one may be empty.
        rules.prefix = items.isEmpty ? [] : list(member)
        if let other = self.member("additionalItems") {
          rules.rest = node(other.value, other.key)
          rules.restKeyword = other.keySpan
        }
      } else {
        rules.rest = node(member.value, member.key)
        rules.restKeyword = member.keySpan
      }
    }
    if let first { add(first, .items(rules)) }
    guard let member = member("contains") else { return }
    var rule = ContainsRule(
      node: node(member.value, member.key), least: 1, leastKeyword: member.keySpan,
      marksItems: !isDraft7)
    if !isDraft7, has(.validation) {
      if let least = self.member("minContains") {
        rule.least = count(least) ?? 1
        rule.leastKeyword = least.keySpan
      }
      if let most = self.member("maxContains") {
        rule.most = count(most)
        rule.mostKeyword = most.keySpan
      }
    }
    add(member, .contains(rule))
  }

  // MARK: - Combinations

  mutating func readCombinations() {
    if let member = member("allOf") { add(member, .all(list(member))) }
    if let member = member("anyOf") { add(member, .any(list(member))) }
    if let member = member("oneOf") { add(member, .one(list(member))) }
    if let member = member("not") { add(member, .not(node(member.value, member.key))) }
    guard let condition = member("if") else { return }
    let then = member("then").map { node($0.value, $0.key) }
    let otherwise = member("else").map { node($0.value, $0.key) }
    let test = node(condition.value, condition.key)
    add(condition, .condition(test, then: then, otherwise: otherwise))
  }

  mutating func readUnevaluated() {
    if let member = member("unevaluatedItems") {
      add(member, .unevaluatedItems(node(member.value, member.key)))
    }
    if let member = member("unevaluatedProperties") {
      add(member, .unevaluatedProperties(node(member.value, member.key)))
    }
  }
}
