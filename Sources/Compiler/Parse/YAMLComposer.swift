import ConfigModel

/// Composes libyaml's events into a value: YAML 1.2 by the core schema, one document.
struct YAMLComposer {
  private struct Node {
    var value: ConfigValue
    /// How many values it is with every alias in it expanded.
    var size: Int
    /// The text of a scalar as written: what a key made of it is called.
    var text: String?
    var isPlainUntagged = false
    /// `.inf` or `.nan`: the text of a key, perhaps, but no value.
    var isNotFinite = false
    /// An alias of nothing, already reported.
    var isUnknown = false
  }

  private let text: SourceText
  private let reader: YAMLEventReader
  private var anchors: [String: Node] = [:]
  private var diagnostics: [Diagnostic] = []
  /// A `%TAG` directive has an escape in what its handle stands for.
  private var hasEscapedHandles = false

  /// The value of a file, as far as it can be read; nil if it is malformed. An empty file is null.
  static func parse(_ text: SourceText, _ diagnostics: inout [Diagnostic]) -> ConfigValue? {
    var composer = YAMLComposer(text: text)
    defer { diagnostics += composer.diagnostics }
    do {
      return try composer.document()
    } catch {
      composer.add(error)
      return nil
    }
  }

  private init(text: SourceText) {
    self.text = text
    self.reader = YAMLEventReader(text)
  }

  private mutating func add(_ problem: YAMLProblem) {
    let span = SourceSpan(file: text.file, start: problem.position, end: problem.position)
    diagnostics.append(Diagnostic(problem.code, at: span, problem.message, hint: problem.hint))
  }

  private mutating func report(
    _ code: DiagnosticCode, _ span: SourceSpan, _ message: String, hint: String? = nil
  ) {
    report(Diagnostic(code, at: span, message, hint: hint))
  }

  private mutating func report(_ finding: Diagnostic) {
    guard diagnostics.count < CompilerLimits.diagnosticsPerFile else { return }
    diagnostics.append(finding)
  }

  private func span(_ event: YAMLEvent) -> SourceSpan {
    SourceSpan(file: text.file, start: event.start, end: event.end)
  }

  private mutating func document() throws(YAMLProblem) -> ConfigValue {
    var value: ConfigValue?
    while true {
      let event = try reader.next()
      switch event.kind {
      case .streamStart, .documentEnd: continue
      case .streamEnd: return value ?? ConfigValue(.null, at: text.span(0, 0))
      case .documentStart(let version):
        if let version, version != (1, 2) { throw .version(at: event.start) }
        hasEscapedHandles = text.hasEscapedDirective(before: event.end)
        guard value == nil else {
          throw YAMLProblem(
            code: .yamlDocuments, position: event.start,
            message: "a file holds one document, and a second begins here",
            hint: "put it into a file of its own")
        }
        value = try valueNode(try reader.next(), depth: 1).value
      default: throw unexpected(event)
      }
    }
  }

  private func unexpected(_ event: YAMLEvent) -> YAMLProblem {
    YAMLProblem(code: .yamlSyntax, position: event.start, message: "unexpected content")
  }

  private mutating func node(_ event: YAMLEvent, depth: Int) throws(YAMLProblem) -> Node {
    guard depth <= CompilerLimits.depth + 1 else {
      throw YAMLProblem(
        code: .limitDepth, position: event.start,
        message: "nested more than \(CompilerLimits.depth) deep")
    }
    let anchor: String?
    let node: Node
    switch event.kind {
    case .alias(let name): return alias(name, event)
    case .scalar(let text, let isPlain, let tag, let name):
      anchor = name
      node = scalar(text, isPlain: isPlain, tag: tag, event)
    case .sequenceStart(let tag, let name):
      anchor = name
      checkTag(tag, is: "seq", event)
      node = try sequence(event, depth: depth)
    case .mapStart(let tag, let name):
      anchor = name
      checkTag(tag, is: "map", event)
      node = try map(event, depth: depth)
    default: throw unexpected(event)
    }
    if let anchor { anchors[anchor] = node }
    return node
  }

  private mutating func alias(_ name: String, _ event: YAMLEvent) -> Node {
    guard var node = anchors[name] else {
      report(
        .yamlAlias, span(event), "no anchor '&\(name)' stands before this alias",
        hint: "an anchor can't hold itself, and must come first")
      return Node(value: ConfigValue(.null, at: span(event)), size: 1, isUnknown: true)
    }
    node.isPlainUntagged = false
    return node
  }

  private mutating func sequence(
    _ start: YAMLEvent, depth: Int
  ) throws(YAMLProblem) -> Node {
    var items: [ConfigValue] = []
    var size = 1
    while true {
      let event = try reader.next()
      if case .sequenceEnd = event.kind {
        let span = SourceSpan(file: text.file, start: start.start, end: event.end)
        return Node(value: ConfigValue(.sequence(items), at: span), size: size)
      }
      let item = try valueNode(event, depth: depth + 1)
      size = try grown(size, by: item, event)
      items.append(item.value)
    }
  }

  private func grown(
    _ size: Int, by node: Node, _ event: YAMLEvent
  ) throws(YAMLProblem) -> Int {
    guard size + node.size <= CompilerLimits.expandedValues else {
      throw YAMLProblem(
        code: .limitAliases, position: event.start,
        message: "with its aliases expanded the file has over "
          + "\(CompilerLimits.expandedValues) values, or \(CompilerLimits.expandedBytes) times as many bytes",
        hint: "aliases inside aliases multiply: write less of them")
    }
    return size + node.size
  }

  // MARK: - Maps

  private mutating func map(_ start: YAMLEvent, depth: Int) throws(YAMLProblem) -> Node {
    var members: [ConfigValue.Member] = []
    var places: [[UInt8]: SourceSpan] = [:]
    var merged: [ConfigValue] = []
    var mergePlace: SourceSpan?
    var size = 1
    while true {
      let event = try reader.next()
      if case .mapEnd = event.kind {
        for map in merged { add(map, to: &members, &places) }
        let span = SourceSpan(file: text.file, start: start.start, end: event.end)
        return Node(value: ConfigValue(.map(members), at: span), size: size)
      }
      let key = try node(event, depth: depth + 1)
      let keySpan = span(event)
      let valueEvent = try reader.next()
      let value = try valueNode(valueEvent, depth: depth + 1)
      size = try grown(size + key.size - 1, by: value, valueEvent)
      if key.isPlainUntagged, key.text == "<<" {
        if let first = mergePlace {
          report(.duplicateKey("<<", at: keySpan, first: first))
        }
        mergePlace = keySpan
        if !value.isUnknown { merged += maps(toMerge: value.value, at: span(valueEvent)) }
        continue
      }
      guard let name = key.text else {
        let place = key.isUnknown ? nil : isAlias(event) ? keySpan : key.value.span
        guard let place else { continue }
        report(
          .keyComplex, place, "a key is a map or a sequence",
          hint: "only texts, numbers, booleans and null can be keys")
        continue
      }
      if let first = places[Array(name.utf8)] {
        report(.duplicateKey(name, at: keySpan, first: first))
        continue
      }
      places[Array(name.utf8)] = keySpan
      members.append(ConfigValue.Member(key: name, keySpan: keySpan, value: value.value))
    }
  }

  private func isAlias(_ event: YAMLEvent) -> Bool {
    if case .alias = event.kind { true } else { false }
  }

  /// The maps that a merge key names: one map, or a list of them.
  private mutating func maps(toMerge value: ConfigValue, at span: SourceSpan) -> [ConfigValue] {
    if case .map = value.content { return [value] }
    if case .sequence(let items) = value.content {
      for item in items {
        guard case .map = item.content else {
          report(
            .yamlMerge, item.span, "'<<' merges maps, and this is none",
            hint: "quote the key if it is meant as a name")
          return []
        }
      }
      return items
    }
    report(
      .yamlMerge, span, "'<<' merges a map or a list of maps, and this is neither",
      hint: "quote the key if it is meant as a name")
    return []
  }

  /// What stands in the map itself wins, then what was merged first.
  private func add(
    _ map: ConfigValue, to members: inout [ConfigValue.Member],
    _ places: inout [[UInt8]: SourceSpan]
  ) {
    guard case .map(let additions) = map.content else { return }
    for member in additions where places[Array(member.key.utf8)] == nil {
      places[Array(member.key.utf8)] = member.keySpan
      members.append(member)
    }
  }

  // MARK: - Scalars and tags

  private static let coreTags = "tag:yaml.org,2002:"

  private mutating func checkTag(_ tag: String?, is name: String, _ event: YAMLEvent) {
    guard let tag else { return }
    if isEscaped(tag, event) || tag != "!" && tag != YAMLComposer.coreTags + name {
      reportTag(tag, event)
    }
  }

  /// Whether a tag, or what its handle stands for, is written with `%`: libyaml's texts end at the first NUL, so that
  /// nobody can tell what `!!str%00x` is.
  private func isEscaped(_ tag: String, _ event: YAMLEvent) -> Bool {
    hasEscapedHandles || text.slice(tagSpan(event)).utf8.contains(UInt8(ascii: "%"))
  }

  private mutating func reportTag(_ tag: String, _ event: YAMLEvent) {
    let place = tagSpan(event)
    let written =
      isEscaped(tag, event)
      ? text.slice(place)
      : tag.hasPrefix(YAMLComposer.coreTags)
        ? "!!" + tag.dropFirst(YAMLComposer.coreTags.count) : tag
    if written == "!sealed" {
      report(
        .featureUnsupported, place, "sealed values are not supported by this version",
        hint: "nothing is published, so that no secret leaks")
    } else {
      report(
        .yamlTag, place, "the tag '\(written)' does not fit here",
        hint: "only the tags of the YAML core schema are known")
    }
  }

  /// libyaml's events begin at the anchor or tag, whichever comes first.
  private func tagSpan(_ event: YAMLEvent) -> SourceSpan {
    var start = text.offset(event.start)
    let end = text.bytes.count
    func skip(while condition: (UInt8) -> Bool) {
      while start < end, condition(text.bytes[start]) { start += 1 }
    }
    if start < end, text.bytes[start] == UInt8(ascii: "&") {
      skip { $0 > 0x20 }
      skip { $0 <= 0x20 }
    }
    let first = start
    let isVerbatim = text.bytes[start...].starts(with: "!<".utf8)
    skip { $0 > 0x20 && (isVerbatim || $0 != UInt8(ascii: ",")) }
    return text.span(first, start)
  }

  private mutating func scalar(
    _ value: String, isPlain: Bool, tag: String?, _ event: YAMLEvent
  ) -> Node {
    if value.utf8.contains(0) {
      report(.textNUL, span(event), "a NUL character can't be published")
    }
    var node = Node(
      value: ConfigValue(.string(value), at: span(event)),
      size: 1 + value.utf8.count / CompilerLimits.expandedBytes, text: value)
    node.isPlainUntagged = isPlain && tag == nil
    let type: String
    if let tag {
      guard !isEscaped(tag, event) else {
        reportTag(tag, event)
        return node
      }
      guard tag != "!" else { return node }
      guard tag.hasPrefix(YAMLComposer.coreTags) else {
        reportTag(tag, event)
        return node
      }
      type = String(tag.dropFirst(YAMLComposer.coreTags.count))
    } else {
      type = isPlain ? "" : "str"
    }
    if type == "str" { return node }
    switch (CoreSchema.resolve(value), type) {
    case (.null, ""), (.null, "null"): node.value.content = .null
    case (.boolean(let flag), ""), (.boolean(let flag), "bool"):
      node.value.content = .boolean(flag)
    case (.number(let digits), ""), (.number(let digits), "float"):
      node.value.content = .number(digits)
    case (.number(let digits), "int") where !digits.contains(where: { ".eE".contains($0) }):
      node.value.content = .number(digits)
    case (.notFinite, ""), (.notFinite, "float"):
      node.isNotFinite = true
      node.value.content = .null
    case (.string, ""): break
    default: reportTag(tag ?? "", event)
    }
    return node
  }

  /// The node as a value of the document.
  private mutating func valueNode(_ event: YAMLEvent, depth: Int) throws(YAMLProblem) -> Node {
    let node = try node(event, depth: depth)
    if node.isNotFinite {
      report(
        .numberNotFinite, span(event), "JSON has no number like this",
        hint: "quote it if it is meant as a text")
    }
    return node
  }
}
