import ConfigModel

extension SchemaEvaluator {
  mutating func checkItems(
    _ check: SchemaCheck, _ value: ConfigValue, _ items: [ConfigValue],
    _ evaluated: inout Evaluated
  ) -> Bool {
    switch check.rule {
    case .items(let rules): return checkItems(rules, check, items, &evaluated)
    case .contains(let rule): return checkContains(rule, check, value, items, &evaluated)
    case .uniqueItems: return checkUnique(check, items)
    case .unevaluatedItems(let node):
      var isValid = true
      for (index, item) in items.enumerated() where !evaluated.hasItem(index) {
        if !checkLeftOver(node, check, item, index) { isValid = false }
        // One more is as wrong as many.
        if !isValid, program.nodes[node].isNever || wanted == .first { return false }
      }
      evaluated.allItems = true
      return isValid
    default: return true
    }
  }

  private mutating func checkItems(
    _ rules: ItemRules, _ check: SchemaCheck, _ items: [ConfigValue],
    _ evaluated: inout Evaluated
  ) -> Bool {
    var isValid = true
    for (index, item) in items.enumerated() {
      if index < rules.prefix.count {
        if !descend(rules.prefix[index], item, .item(index)) { isValid = false }
      } else if let rest = rules.rest {
        var check = check
        check.keyword = rules.restKeyword ?? check.keyword
        if !checkLeftOver(rest, check, item, index) { isValid = false }
        if !isValid, program.nodes[rest].isNever { return false }
      } else {
        break
      }
      if !isValid, wanted == .first { return false }
    }
    if rules.rest != nil { evaluated.allItems = true }
    evaluated.itemPrefix = max(evaluated.itemPrefix, rules.prefix.count)
    return isValid
  }

  private mutating func checkLeftOver(
    _ node: Int, _ check: SchemaCheck, _ item: ConfigValue, _ index: Int
  ) -> Bool {
    guard program.nodes[node].isNever, wanted == .all else {
      return descend(node, item, .item(index))
    }
    return fail(
      .items, at: item.span, keyword: check.keyword,
      index == 0 ? "no item is allowed" : "no more than \(index) item\(index == 1 ? "" : "s")",
      inside: [.item(index)])
  }

  private mutating func checkContains(
    _ rule: ContainsRule, _ check: SchemaCheck, _ value: ConfigValue, _ items: [ConfigValue],
    _ evaluated: inout Evaluated
  ) -> Bool {
    var count = 0
    for (index, item) in items.enumerated() {
      var inner = Evaluated()
      guard isValid(rule.node, item, &inner) else { continue }
      count += 1
      if rule.marksItems { evaluated.items.insert(index) }
    }
    if count < rule.least {
      return fail(
        .items, at: value.span, keyword: rule.leastKeyword,
        "\(count == 0 ? "no item is" : "\(count) items are") as the schema wants at least "
          + "\(rule.least) to be")
    }
    if let most = rule.most, count > most {
      return fail(
        .items, at: value.span, keyword: rule.mostKeyword ?? check.keyword,
        "\(count) items are as the schema wants at most \(most) to be")
    }
    return true
  }

  private mutating func checkUnique(_ check: SchemaCheck, _ items: [ConfigValue]) -> Bool {
    var seen: [[UInt8]: Int] = [:]
    for (index, item) in items.enumerated() {
      let bytes = item.canonicalBytes
      stepsLeft -= bytes.count / 8
      guard let first = seen.updateValue(index, forKey: bytes) else { continue }
      return fail(
        .items, at: item.span, keyword: check.keyword,
        "\(item.shown()) is in the list twice, as item \(first + 1) and \(index + 1)",
        inside: [.item(index)])
    }
    return true
  }
}
