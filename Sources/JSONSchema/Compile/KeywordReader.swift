import ConfigModel

/// Reads the keywords of one schema.
struct KeywordReader {
  let compiler: SchemaCompiler
  private(set) var checks: [SchemaCheck] = []
  private let target: SchemaTarget
  private let members: [ConfigValue.Member]
  private let dialect: Dialect

  init(
    _ compiler: SchemaCompiler, _ target: SchemaTarget, _ members: [ConfigValue.Member]
  ) {
    self.compiler = compiler
    self.target = target
    self.members = members
    dialect = compiler.registry.resources[target.resource].dialect
  }

  var isDraft7: Bool { dialect.draft == .draft7 }

  mutating func read() {
    if isDraft7, let reference = member("$ref") {
      // Everything beside it is ignored.
      return readReference(reference)
    }
    for name in ["$ref", "$dynamicRef"] where !isDraft7 || name == "$ref" {
      guard let reference = member(name) else { continue }
      if name == "$ref" { readReference(reference) } else { readDynamicReference(reference) }
    }
    if has(.validation) {
      readValues()
      readNumbers()
      readSizes()
      readRequired()
    }
    readFormat()
    if has(.applicator) {
      readProperties()
      readItems()
      readCombinations()
    }
    if !isDraft7, has(.unevaluated) { readUnevaluated() }
    warnOfUnknown()
  }

  // MARK: - Access

  func has(_ vocabulary: Dialect.Vocabulary) -> Bool {
    dialect.vocabularies.contains(vocabulary)
  }

  func member(_ name: String) -> ConfigValue.Member? {
    members.first { $0.key.utf8.elementsEqual(name.utf8) }
  }

  mutating func add(_ member: ConfigValue.Member, _ rule: SchemaCheck.Rule) {
    checks.append(SchemaCheck(keyword: member.keySpan, rule: rule))
  }

  mutating func malformed(_ member: ConfigValue.Member, _ expected: String) {
    compiler.report(.malformed, member.value.span, "'\(member.key)' is \(expected)")
  }

  mutating func node(_ value: ConfigValue, _ tokens: String...) -> Int {
    var location = target.location
    for token in tokens { location = location.appending(token) }
    var inner = SchemaTarget(location: location, value: value, resource: target.resource)
    inner.resource = compiler.registry.resource(at: location) ?? target.resource
    return compiler.node(for: inner)
  }

  // MARK: - References

  private mutating func readReference(_ member: ConfigValue.Member) {
    guard let found = resolve(member) else { return }
    add(member, .reference(compiler.node(for: found)))
  }

  private mutating func resolve(_ member: ConfigValue.Member) -> SchemaTarget? {
    guard case .string(let reference) = member.value.content else {
      malformed(member, "a reference, a text")
      return nil
    }
    guard let found = compiler.registry.target(of: reference, from: target.resource) else {
      compiler.report(
        .unresolved, member.value.span, "'\(reference)' leads to no schema",
        hint:
          "a reference names an '$id' or '$anchor', a file at a relative path, or '#/…' in this one; "
          + "nothing is fetched")
      return nil
    }
    return found
  }

  private mutating func readDynamicReference(_ member: ConfigValue.Member) {
    guard let found = resolve(member), case .string(let text) = member.value.content else { return }
    let fragment = URIReference(text).fragment ?? ""
    let isDynamic = found.value["$dynamicAnchor"]?.content == .string(fragment)
    let node = compiler.node(for: found)
    add(
      member, isDynamic ? .dynamicReference(node, anchor: Array(fragment.utf8)) : .reference(node))
  }

  // MARK: - Values

  private mutating func readValues() {
    if let member = member("type") { readType(member) }
    if let member = member("enum") {
      guard case .sequence(let values) = member.value.content else {
        return malformed(member, "a list of values")
      }
      add(member, .values(AllowedValues(values)))
    }
    if let member = member("const") { add(member, .values(AllowedValues([member.value]))) }
  }

  private mutating func readType(_ member: ConfigValue.Member) {
    var types: TypeSet = []
    var names: [ConfigValue] = [member.value]
    if case .sequence(let items) = member.value.content { names = items }
    for name in names {
      guard case .string(let text) = name.content,
        let known = TypeSet.names.first(where: { $0.name == text })
      else {
        let known = TypeSet.names.map(\.name).joined(separator: ", ")
        return malformed(member, "one of \(known), or a list of them")
      }
      types.insert(known.type)
    }
    add(member, .type(types))
  }

  private mutating func readNumbers() {
    let bounds: [(String, SchemaCheck.Bound)] = [
      ("minimum", .minimum), ("maximum", .maximum), ("exclusiveMinimum", .exclusiveMinimum),
      ("exclusiveMaximum", .exclusiveMaximum),
    ]
    for (name, bound) in bounds {
      guard let member = member(name) else { continue }
      guard case .number(let text) = member.value.content, let number = ExactNumber(json: text)
      else {
        malformed(member, "a number")
        continue
      }
      add(member, .bound(bound, number, text: text))
    }
    if let member = member("multipleOf") {
      guard case .number(let text) = member.value.content, let number = ExactNumber(json: text),
        number > ExactNumber(0)
      else { return malformed(member, "a number above 0") }
      add(member, .multiple(of: number, text: text))
    }
  }

  mutating func count(_ member: ConfigValue.Member) -> Int? {
    guard case .number(let text) = member.value.content, let number = ExactNumber(json: text),
      number >= ExactNumber(0), let count = number.count
    else {
      malformed(member, "an integer that is not negative")
      return nil
    }
    return count
  }

  private mutating func readSizes() {
    let sizes: [SchemaCheck.Size] = [
      .minLength, .maxLength, .minItems, .maxItems, .minProperties, .maxProperties,
    ]
    for size in sizes {
      guard let member = member(size.rawValue), let count = count(member) else { continue }
      add(member, .size(size, count))
    }
    if let member = member("pattern") {
      guard let pattern = pattern(member.value) else { return }
      add(member, .pattern(pattern))
    }
    if let member = member("uniqueItems"), member.value.content == .boolean(true) {
      add(member, .uniqueItems)
    }
  }

  mutating func pattern(_ value: ConfigValue) -> Pattern? {
    guard case .string(let text) = value.content else {
      compiler.report(.malformed, value.span, "a pattern is a text")
      return nil
    }
    return pattern(text, at: value.span)
  }

  mutating func pattern(_ text: String, at span: SourceSpan) -> Pattern? {
    do {
      return try Pattern(text)
    } catch {
      compiler.report(
        .malformed, span,
        "the pattern is no regular expression of ECMA-262: \(error.message), at character "
          + "\(error.offset + 1)")
      return nil
    }
  }

  // MARK: - Formats

  private mutating func readFormat() {
    let isAsserted =
      compiler.formats == .always || has(.formatAssertion)
    if isAsserted, let member = member("format"), case .string(let name) = member.value.content,
      let format = Format(rawValue: name), !isDraft7 || format.isInDraft7
    {
      add(member, .format(format))
    }
    // In 2020-12 content is described, not checked (validation §8.1).
    guard isDraft7, compiler.formats == .always else { return }
    let encoding = self.member("contentEncoding")
    let type = self.member("contentMediaType")
    let rule = ContentRule(
      isBase64: encoding?.value.content == .string("base64"),
      isJSON: type?.value.content == .string("application/json"))
    if let member = encoding ?? type, rule.isBase64 || rule.isJSON { add(member, .content(rule)) }
  }

  // MARK: - Slips

  /// A keyword that means nothing is ignored (2020-12 core §6.5), so that a slip would check nothing.
  private mutating func warnOfUnknown() {
    for member in members where !Keywords.all.contains(member.key) {
      guard compiler.hintsLeft > 0 else { return }
      compiler.hintsLeft -= 1
      guard let near = Keywords.near(member.key) else { continue }
      compiler.report(
        .suspicious, member.keySpan, "'\(member.key)' is no keyword, and checks nothing",
        hint: "did you mean '\(near)'?")
    }
  }
}

extension AllowedValues {
  init(_ values: [ConfigValue]) {
    canonical = Set(values.map(\.canonicalBytes))
    shown = values.map { $0.shown() }
    texts = values.compactMap { value in
      if case .string(let text) = value.content { text } else { nil }
    }
  }
}

extension Format {
  /// 2020-12 has more of them.
  var isInDraft7: Bool { self != .duration && self != .uuid }
}
