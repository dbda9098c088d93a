import ConfigModel
import Foundation

extension SchemaEvaluator {
  mutating func checkScalar(_ check: SchemaCheck, _ value: ConfigValue) -> Bool {
    switch check.rule {
    case .type(let types): return checkType(check, types, value)
    case .values(let allowed): return checkValues(check, allowed, value)
    case .bound(let bound, let limit, let text): return checkBound(check, bound, limit, text, value)
    case .multiple(let divisor, let text):
      guard case .number(let digits) = value.content, let number = ExactNumber(json: digits) else {
        return true
      }
      guard let isMultiple = number.isMultiple(of: divisor, steps: &stepsLeft) else { return false }
      return isMultiple
        || fail(.range, at: value.span, check, "\(value.shown()) is no multiple of \(text)")
    case .size(let size, let limit): return checkSize(check, size, limit, value)
    case .pattern(let pattern):
      guard case .string(let text) = value.content else { return true }
      guard let isFound = pattern.isFound(in: text, steps: &stepsLeft) else { return false }
      return isFound
        || fail(
          .pattern, at: value.span, check,
          "\(value.shown()) does not match the pattern '\(pattern.text)'")
    case .format(let format):
      guard case .string(let text) = value.content else { return true }
      stepsLeft -= text.utf8.count
      return format.matches(text)
        || fail(
          .format, at: value.span, check, "\(value.shown()) is no \(format.rawValue)",
          hint: "for instance '\(format.example)'")
    case .content(let rule): return checkContent(check, rule, value)
    default: return true
    }
  }

  private mutating func checkType(
    _ check: SchemaCheck, _ types: TypeSet, _ value: ConfigValue
  ) -> Bool {
    if case .number(let text) = value.content { stepsLeft -= text.utf8.count / 64 }
    guard types.isDisjoint(with: value.types) else { return true }
    guard wanted == .all else { return false }
    let names = types.names.map {
      ["array", "object", "integer"].contains($0) ? "an \($0)" : "a \($0)"
    }
    return fail(
      .type, at: value.span, check,
      "expected \(names.joined(separator: " or ")), found \(value.kindName)",
      hint: SchemaEvaluator.hint(value, types))
  }

  /// What a person may have meant.
  private static func hint(_ value: ConfigValue, _ types: TypeSet) -> String? {
    switch value.content {
    case .string(let text):
      let number = types.contains(.number) || types.contains(.integer)
      if number, !text.isEmpty, text.allSatisfy({ $0.isNumber || $0 == "." }) {
        return "write \(text) without quotes"
      }
      if types.contains(.boolean), ["yes", "no", "on", "off"].contains(text.lowercased()) {
        return "YAML 1.2 has true and false alone"
      }
      return nil
    case .number, .boolean: return types.contains(.string) ? "put it in quotes" : nil
    case .null: return "nothing is written here"
    default: return nil
    }
  }

  private mutating func checkValues(
    _ check: SchemaCheck, _ allowed: AllowedValues, _ value: ConfigValue
  ) -> Bool {
    let bytes = value.canonicalBytes
    stepsLeft -= bytes.count / 16
    guard !allowed.canonical.contains(bytes) else { return true }
    guard wanted == .all else { return false }
    var hint = SchemaEvaluator.list(allowed.shown)
    if case .string(let text) = value.content,
      let near = nearest(to: text, among: allowed.texts)
    {
      hint = "did you mean '\(near)'? " + hint
    }
    let message =
      allowed.shown.count == 1
      ? "\(value.shown()) is not the one value that is allowed"
      : "\(value.shown()) is none of the allowed values"
    return fail(.value, at: value.span, check, message, hint: "allowed: " + hint)
  }

  /// The first few of many.
  static func list(_ texts: [String], limit: Int = 12) -> String {
    let shown = texts.prefix(limit).joined(separator: ", ")
    return texts.count > limit ? shown + ", … \(texts.count - limit) more" : shown
  }

  private mutating func checkBound(
    _ check: SchemaCheck, _ bound: SchemaCheck.Bound, _ limit: ExactNumber, _ text: String,
    _ value: ConfigValue
  ) -> Bool {
    guard case .number(let digits) = value.content, let number = ExactNumber(json: digits) else {
      return true
    }
    stepsLeft -= digits.utf8.count / 64
    let (isValid, expected) =
      switch bound {
      case .minimum: (number >= limit, "less than \(text)")
      case .maximum: (number <= limit, "more than \(text)")
      case .exclusiveMinimum: (number > limit, "not more than \(text)")
      case .exclusiveMaximum: (number < limit, "not less than \(text)")
      }
    return isValid || fail(.range, at: value.span, check, "\(value.shown()) is \(expected)")
  }

  private mutating func checkSize(
    _ check: SchemaCheck, _ size: SchemaCheck.Size, _ limit: Int, _ value: ConfigValue
  ) -> Bool {
    let (count, unit): (Int, String)
    switch (size, value.content) {
    case (.minLength, .string(let text)), (.maxLength, .string(let text)):
      stepsLeft -= text.utf8.count / 16
      (count, unit) = (text.unicodeScalars.count, "character")
    case (.minItems, .sequence(let items)), (.maxItems, .sequence(let items)):
      (count, unit) = (items.count, "item")
    case (.minProperties, .map(let members)), (.maxProperties, .map(let members)):
      (count, unit) = (members.count, "key")
    default: return true
    }
    guard size.isLeast ? count < limit : count > limit else { return true }
    return fail(
      .length, at: value.span, check,
      "it has \(count) \(unit)\(count == 1 ? "" : "s"), \(size.isLeast ? "fewer" : "more") than \(limit)"
    )
  }

  private mutating func checkContent(
    _ check: SchemaCheck, _ rule: ContentRule, _ value: ConfigValue
  ) -> Bool {
    guard case .string(let text) = value.content else { return true }
    stepsLeft -= text.utf8.count
    var bytes = Data(text.utf8)
    if rule.isBase64 {
      guard let decoded = Data(base64Encoded: text) else {
        return fail(.format, at: value.span, check, "\(value.shown()) is no base64")
      }
      bytes = decoded
    }
    let isJSON = rule.isJSON ? SchemaEvaluator.isJSON(bytes) : true
    return isJSON || fail(.format, at: value.span, check, "\(value.shown()) holds no JSON")
  }

  private static func isJSON(_ bytes: Data) -> Bool {
    do {
      _ = try JSONSerialization.jsonObject(with: bytes, options: [.fragmentsAllowed])
      return true
    } catch {
      return false
    }
  }
}
