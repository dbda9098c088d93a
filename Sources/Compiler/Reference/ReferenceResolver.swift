import ConfigModel

/// Puts the values in the places of the references, once every key of the configuration is known.
///
/// - Complexity: O(*n*) in the bytes of what is open and of what it becomes, which
///   `CompilerLimits.resolvedBytes` bounds; O(*n* log *n*) in keys if something is wrong.
struct ReferenceResolver {
  /// What a key turned out to hold.
  enum Outcome {
    case value(ConfigValue)
    /// A folder or a map: no value.
    case map(SourceSpan)
    /// A file whose bytes are no text.
    case bytes
    case missing
    /// It was reported already.
    case failed
  }

  /// A key that is being looked at, and the reference in it that leads on.
  private struct Step {
    var path: ConfigPath
    var span: SourceSpan
  }

  let keys: MergedKeys
  private let settings: Settings
  private(set) var diagnostics: [Diagnostic] = []
  var outcomes: [ConfigPath: Outcome] = [:]
  /// From the key that was begun with to the one that is looked at.
  private var steps: [Step] = []
  /// Documents that were read again, since something refers into them.
  var documents: [ConfigPath: [ConfigPath: ConfigValue]] = [:]
  /// Looking for a near key costs more than finding that one is not there.
  private var suggestionsLeft = CompilerLimits.suggestions
  /// Of keys with references, how many lead on from them one after the other at most.
  private var ranks: [ConfigPath: Int] = [:]
  /// Where those begin that were reported.
  private var cycles: Set<SourceSpan> = []
  /// Lists and references inside each other on the way to what is looked at.
  private var nesting = 0
  /// The most of them at once since the value that is looked at was begun.
  private var deepest = 0
  /// Of keys with references, how many of them lie between it and the last value that it leads to.
  private var heights: [ConfigPath: Int] = [:]
  /// Of each item with references, the keys that they name, and the documents that those lie in.
  private(set) var reads: [ConfigPath: Set<ConfigPath>] = [:]
  private var bytesLeft = CompilerLimits.resolvedBytes

  init(_ keys: MergedKeys, _ settings: Settings) {
    self.keys = keys
    self.settings = settings
  }

  /// Bytes that were made so far.
  var bytesMade: Int { CompilerLimits.resolvedBytes - bytesLeft }

  /// The keys with the bytes of all; those that have none were reported.
  mutating func resolve() -> MergedKeys {
    let open = keys.special.map(\.value).filter { $0.open != nil }
    let done = resolve(open)
    diagnostics = diagnostics.uniqueByPlace()
    return done
  }

  /// - Parameter open: sorted by key.
  mutating func resolve(_ open: [CompiledItem]) -> MergedKeys {
    var done: [(key: ConfigPath, value: KeySpace.Item?)] = []
    for item in open {
      guard let value = resolve(item) else { continue }
      var item = item
      item.open = nil
      item.value = value.published(as: item.form)
      // A text that is nothing but a reference is what it refers to.
      if item.form == .text, !value.isText { item.form = .json }
      guard check(item.value.count, item.path, item.origin) else { continue }
      done.append((item.path, item.published))
    }
    var resolved = keys
    resolved.items = keys.items.applying(done)
    return resolved
  }

  /// The document with the values in the places of its references; nil if one of them has none, and then that
  /// is reported.
  mutating func resolved(_ document: Document) -> Document? {
    guard case .value(let value) = document.content,
      let found = resolve(value, at: document.path, in: OpenValue(value, document.references))
    else { return nil }
    var document = document
    document.content = .value(found)
    return document
  }

  private mutating func resolve(_ item: CompiledItem) -> ConfigValue? {
    guard let open = item.open else { return nil }
    if item.form == .document { return resolve(open.value, at: item.path, in: open) }
    if case .value(let value) = outcome(of: item.path) { return value }
    return nil
  }

  /// A document, every value of which is a key of its own to references.
  private mutating func resolve(
    _ value: ConfigValue, at path: ConfigPath, in open: OpenValue
  ) -> ConfigValue? {
    if case .null = value.content { return value }
    guard case .map(let members) = value.content else {
      if case .value(let found) = outcome(of: path, value, open) { return found }
      return nil
    }
    var resolved = value
    var isWhole = true
    resolved.content = .map(
      members.map { member in
        var member = member
        if let found = resolve(member.value, at: path.appending(member.key), in: open) {
          member.value = found
        } else {
          isWhole = false
        }
        return member
      })
    return isWhole ? resolved : nil
  }

  private mutating func check(_ count: Int, _ path: ConfigPath, _ place: SourceSpan) -> Bool {
    bytesLeft -= count
    guard count <= settings.maximumValueBytes else {
      diagnostics.append(
        Diagnostic(
          .limitValueBytes, at: place, key: path,
          "the value has \(count) bytes, more than \(settings.maximumValueBytes)",
          hint: Flattener.tooLargeHint))
      return false
    }
    guard bytesLeft >= 0 else {
      diagnostics.append(
        Diagnostic(
          .limitReferences, at: place, key: path,
          "references make more than \(CompilerLimits.resolvedBytes) bytes in all",
          hint: "a large value that many keys refer to is published as often"))
      return false
    }
    return true
  }

  // MARK: - Resolving

  /// What an open value becomes.
  mutating func outcome(
    of path: ConfigPath, _ value: ConfigValue, _ open: OpenValue
  ) -> Outcome {
    if let known = outcomes[path] { return known }
    // Said once already: nothing more is made.
    guard bytesLeft >= 0 else { return remember(.failed, path) }
    steps.append(Step(path: path, span: value.span))
    let outer = deepest
    deepest = nesting
    defer {
      steps.removeLast()
      heights[path] = deepest - nesting
      deepest = max(deepest, outer)
    }
    guard let resolved = expand(value, open), fits(resolved, at: value.span) else {
      return remember(.failed, path)
    }
    return remember(.value(resolved), path)
  }

  /// Whether a value is one that a file could hold: else the next that refers to it would be larger still.
  private mutating func fits(_ value: ConfigValue, at place: SourceSpan) -> Bool {
    var left = settings.maximumValueBytes
    guard ReferenceResolver.isWithin(CompilerLimits.depth, &left, value) else {
      report(
        .limitReferences, place,
        "with its references it has more than \(settings.maximumValueBytes) bytes, or lists deeper than "
          + "\(CompilerLimits.depth)")
      return false
    }
    return check(settings.maximumValueBytes - left, key, place)
  }

  /// - Complexity: O(*n*) in what is within.
  private static func isWithin(_ depth: Int, _ bytes: inout Int, _ value: ConfigValue) -> Bool {
    guard depth >= 0 else { return false }
    switch value.content {
    case .null, .boolean: bytes -= 4
    case .number(let digits): bytes -= digits.utf8.count
    case .string(let text): bytes -= text.utf8.count
    case .sequence(let items):
      bytes -= 2
      for item in items where bytes >= 0 {
        guard isWithin(depth - 1, &bytes, item) else { return false }
      }
    case .map(let members):
      bytes -= 2
      for member in members where bytes >= 0 {
        bytes -= member.key.utf8.count
        guard isWithin(depth - 1, &bytes, member.value) else { return false }
      }
    }
    return bytes >= 0
  }

  /// Whether so many levels more are still allowed; if not that is reported.
  private mutating func isShallow(_ levels: Int, _ span: SourceSpan) -> Bool {
    deepest = max(deepest, nesting + levels)
    guard nesting + levels > CompilerLimits.nesting else { return true }
    report(
      .limitReferences, span,
      "lists and references lead more than \(CompilerLimits.nesting) levels deep")
    return false
  }

  /// The value of the key that is looked at, or a part of it; nil if something is wrong in it.
  private mutating func expand(_ value: ConfigValue, _ open: OpenValue) -> ConfigValue? {
    var expanded = value
    nesting += 1
    defer { nesting -= 1 }
    guard isShallow(0, value.span) else { return nil }
    switch value.content {
    case .string(let text):
      guard ReferenceText.isCandidate(text) else { return value }
      return expand(text, of: value, open)
    case .sequence(let items):
      let found = items.map { expand($0, open) }
      guard !found.contains(nil) else { return nil }
      expanded.content = .sequence(found.compactMap(\.self))
    case .map(let members):
      let found = members.map { member -> ConfigValue.Member? in
        var member = member
        guard let value = expand(member.value, open) else { return nil }
        member.value = value
        return member
      }
      guard !found.contains(nil) else { return nil }
      expanded.content = .map(found.compactMap(\.self))
    case .null, .boolean, .number: break
    }
    return expanded
  }

  private mutating func expand(
    _ text: String, of value: ConfigValue, _ open: OpenValue
  ) -> ConfigValue? {
    let parts = ReferenceText.parts(of: text)
    var places = (open.references[value.span] ?? [])[...]
    var joined = ""
    var isWhole = true
    for part in parts {
      switch part {
      case .text(let text): joined += text
      case .reference(let reference):
        let span = places.popFirst() ?? value.span
        guard let (found, place) = target(of: reference, at: span) else {
          isWhole = false
          continue
        }
        if parts.count == 1 { return found.moved(to: value.span) }
        guard let inserted = inserted(found, from: place, of: reference, at: span) else {
          isWhole = false
          continue
        }
        joined += inserted
        guard joined.utf8.count <= settings.maximumValueBytes else {
          _ = check(joined.utf8.count, key, value.span)
          return nil
        }
      }
    }
    return isWhole ? ConfigValue(.string(joined), at: value.span) : nil
  }

  private var key: ConfigPath { steps.last?.path ?? .root }

  /// The text that stands for a value inside another text.
  private mutating func inserted(
    _ value: ConfigValue, from place: SourceSpan, of reference: Reference, at span: SourceSpan
  ) -> String? {
    switch value.content {
    case .string(let text): return text
    case .number(let digits): return digits
    case .boolean(let flag): return flag ? "true" : "false"
    case .null, .sequence, .map:
      report(
        .referenceType, span, "'\(reference.text)' is a list, which has no place in a text",
        hint: "a reference that is the whole text keeps the type",
        related: .init(place, "the list is here"))
      return nil
    }
  }

  private mutating func report(
    _ code: DiagnosticCode, _ span: SourceSpan, _ message: String, hint: String? = nil,
    related: Diagnostic.Related? = nil
  ) {
    guard diagnostics.count < CompilerLimits.referenceFindings else { return }
    diagnostics.append(
      Diagnostic(
        code, at: span, key: key, message, hint: hint, related: related.map { [$0] } ?? []))
  }

  /// The value that a reference means, and where it stands; nil if there is none, and then that is reported,
  /// once.
  private mutating func target(
    of reference: Reference, at span: SourceSpan
  ) -> (ConfigValue, SourceSpan)? {
    guard let target = reference.target(from: key) else {
      report(
        .referenceUnknown, span, "'\(reference.text)' leads to no key",
        hint: "'${/a/b}' is a key, '${./b}' one of the same map, '${../b}' one of the map above")
      return nil
    }
    noteRead(of: target)
    steps[steps.count - 1].span = span
    if let first = steps.firstIndex(where: { $0.path == target }) {
      reportCycle(Array(steps[first...]))
      return nil
    }
    guard steps.count < CompilerLimits.referenceChain else { return reportLongChain(span) }
    switch outcome(of: target) {
    case .value(let value):
      // Whichever end of a chain is looked at first, it is as long.
      let rank = (ranks[target] ?? 0) + 1
      guard rank < CompilerLimits.referenceChain else { return reportLongChain(span) }
      ranks[key] = max(ranks[key] ?? 0, rank)
      guard isShallow(heights[target] ?? 0, span) else { return nil }
      return (value, keys[target]?.origin ?? value.span)
    case .bytes:
      report(
        .referenceType, span, "'\(target)' is a file that is no text",
        related: keys[target].map { .init($0.origin, "the file is here") })
      return nil
    case .failed: return nil
    case .map(let place):
      report(
        .referenceMap, span, "'\(target)' is a map, which is not one value",
        hint: "refer to one of the keys below it", related: .init(place, "its values begin here"))
      return nil
    case .missing:
      suggestionsLeft -= 1
      let near = suggestionsLeft >= 0 ? keys.near(target, besides: key) : nil
      report(
        .referenceUnknown, span, "'\(key)' refers to '\(target)', which is not there",
        hint: near.map { "did you mean '\($0)'?" } ?? "it has no value, after all layers")
      return nil
    }
  }

  private mutating func noteRead(of target: ConfigPath) {
    guard let item = keys.holder(of: key) else { return }
    reads[item, default: []].insert(target)
    if let document = keys.holder(of: target), document != target {
      reads[item, default: []].insert(document)
    }
  }

  private mutating func reportLongChain(_ span: SourceSpan) -> (ConfigValue, SourceSpan)? {
    report(
      .limitReferences, span,
      "\(CompilerLimits.referenceChain) references or more lead on to each other",
      hint: "refer to where the value is given")
    return nil
  }

  /// Once, from its first key on.
  private mutating func reportCycle(_ cycle: [Step]) {
    guard let least = cycle.indices.min(by: { cycle[$0].path < cycle[$1].path }) else { return }
    guard cycles.insert(cycle[least].span).inserted else { return }
    let ordered = Array(cycle[least...] + cycle[..<least])
    let chain = (ordered + ordered.prefix(1)).map(\.path.text).joined(separator: " → ")
    diagnostics.append(
      Diagnostic(
        .referenceCycle, at: ordered[0].span, key: ordered[0].path,
        "the references lead back to where they began: \(chain)",
        hint: "give one of them a value",
        related: ordered.dropFirst().map { .init($0.span, "'\($0.path)' refers on from here") }))
  }
}

extension ConfigValue {
  /// The value as if it stood at a place, with all that is in it.
  fileprivate func moved(to place: SourceSpan) -> ConfigValue {
    switch content {
    case .sequence(let items):
      ConfigValue(.sequence(items.map { $0.moved(to: place) }), at: place)
    case .map(let members):
      ConfigValue(
        .map(
          members.map { member in
            .init(key: member.key, keySpan: place, value: member.value.moved(to: place))
          }), at: place)
    default: ConfigValue(content, at: place)
    }
  }

  fileprivate var isText: Bool { if case .string = content { true } else { false } }
}
