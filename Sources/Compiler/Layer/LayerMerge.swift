import ConfigModel

/// Lays one document over another.
enum LayerMerge {
  /// The document of a higher layer; what it does not say is the lower one's.
  static func lay(_ high: Document, over low: Document) -> Document {
    guard case .value(let below) = low.content, case .value(let above) = high.content else {
      return high
    }
    if high.isUnwritten || low.isUnwritten { return written(of: high, low) }
    var document = high
    document.content = .value(lay(above, over: below))
    document.references.merge(low.references) { own, _ in own }
    document.add(schemasOf: low)
    return document
  }

  /// Two files of one place in one layer.
  static func join(
    _ first: Document, _ second: Document, _ diagnostics: inout [Diagnostic]
  ) -> Document {
    guard case .value(let known) = first.content, case .value(let value) = second.content else {
      return second
    }
    if first.isUnwritten || second.isUnwritten { return written(of: second, first) }
    guard first.encoding == second.encoding else {
      diagnostics.append(
        Diagnostic(
          .configInvalid, at: SourceSpan(file: second.file), key: second.path,
          "the file is encoded as \(second.encoding.rawValue), and another of the same place as "
            + first.encoding.rawValue,
          hint: "encode both alike under 'files', or rename one of them",
          related: [.init(SourceSpan(file: first.file), "the other file")]))
      return first
    }
    var document = second
    document.content = .value(join(known, value, at: second.path, &diagnostics))
    document.references.merge(first.references) { own, _ in own }
    document.add(schemasOf: first)
    return document
  }

  /// The one of two documents that says something, with the schemas of both.
  private static func written(of one: Document, _ other: Document) -> Document {
    var document = one.isUnwritten ? other : one
    document.add(schemasOf: one.isUnwritten ? one : other)
    return document
  }

  /// Maps are joined member by member, null removes, and anything else replaces what lies below. Every value
  /// keeps the place that it comes from.
  static func lay(_ high: ConfigValue, over low: ConfigValue) -> ConfigValue {
    guard case .map(let above) = high.content, case .map(let below) = low.content else {
      return high
    }
    var members = below
    var places = places(of: below)
    for member in above {
      if let place = places[Array(member.key.utf8)] {
        let value = lay(member.value, over: members[place].value)
        // A map that goes on keeps its place: no value comes from here yet.
        let isJoined = value.isMap && members[place].value.isMap && member.value.isMap
        members[place].value = value
        if !isJoined { members[place].keySpan = member.keySpan }
      } else {
        places[Array(member.key.utf8)] = members.count
        members.append(member)
      }
    }
    return ConfigValue(.map(members), at: high.span)
  }

  /// Joins files of one layer, which may not say anything twice.
  ///
  /// - Parameter path: the key of the two values.
  static func join(
    _ first: ConfigValue, _ second: ConfigValue, at path: ConfigPath,
    _ diagnostics: inout [Diagnostic]
  ) -> ConfigValue {
    guard case .map(let old) = first.content, case .map(let new) = second.content else {
      if first.isNothing { return second }
      if second.isNothing { return first }
      diagnostics.append(conflict(first.span, second.span, path))
      return first
    }
    var members = old
    var places = places(of: old)
    for member in new {
      guard let place = places[Array(member.key.utf8)] else {
        places[Array(member.key.utf8)] = members.count
        members.append(member)
        continue
      }
      let (known, key) = (members[place], path.appending(member.key))
      if known.value.isMap || member.value.isMap || known.value.isNothing || member.value.isNothing
      {
        members[place].value = join(known.value, member.value, at: key, &diagnostics)
      } else {
        diagnostics.append(conflict(known.keySpan, member.keySpan, key))
      }
    }
    return ConfigValue(.map(members), at: first.span)
  }

  private static func conflict(
    _ first: SourceSpan, _ second: SourceSpan, _ key: ConfigPath
  ) -> Diagnostic {
    Diagnostic(
      .keyConflict, at: second, key: key, "the key '\(key)' is given by two places of one layer",
      hint: "remove one of them", related: [.init(first, "given here first")])
  }

  /// By the bytes of the key: texts that only look alike stay apart.
  private static func places(of members: [ConfigValue.Member]) -> [[UInt8]: Int] {
    Dictionary(
      members.enumerated().map { (Array($0.element.key.utf8), $0.offset) },
      uniquingKeysWith: { first, _ in first })
  }
}

extension Document {
  /// What made a part of it asks for is asked of the whole.
  fileprivate mutating func add(schemasOf other: Document) {
    isJoined = true
    for schema in other.schemas where !schemas.contains(where: { $0.target == schema.target }) {
      schemas.append(schema)
    }
  }
}
