public import ConfigModel
import Jsonnet

/// Where the value of a key comes from: the layers that it went through, and what it refers to.
public struct Explanation: Sendable {
  /// What one file says of the key.
  public struct Step: Hashable, Sendable {
    public enum Verdict: String, Hashable, Sendable {
      /// This is the value.
      case wins
      /// It would be, but for a higher layer.
      case overridden
      /// It takes away what lies below.
      case removes
      /// It is a map: its members have keys, it has none.
      case folder
    }

    public var span: SourceSpan
    /// As it is written, on one line; a text without quotes.
    public var text: String
    public var verdict: Verdict
  }

  /// A reference in the value that wins.
  public struct Link: Hashable, Sendable {
    public var text: String
    public var span: SourceSpan
    public var target: ConfigPath
  }

  public var key: ConfigPath
  /// nil if the key is not published.
  public var value: [UInt8]?
  /// From the highest layer down.
  public var steps: [Step]
  public var links: [Link]
}

/// What made the value of `key`, and then of each key that it refers to, each once.
///
/// - Returns: nothing if no file says anything of the key, or `compilation` has no key space.
/// - Complexity: that of reading the files that may hold the keys.
public func explain(
  _ key: ConfigPath, in tree: SourceTree, _ compilation: Compilation
) -> [Explanation] {
  guard let keySpace = compilation.keySpace else { return [] }
  let explainer = Explainer(tree: tree, settings: compilation.settings, keySpace: keySpace)
  var explained: [Explanation] = []
  var open = [key]
  var seen: Set<ConfigPath> = [key]
  while !open.isEmpty, explained.count < CompilerLimits.referenceChain {
    let explanation = explainer.explain(open.removeFirst())
    guard !explanation.steps.isEmpty else { continue }
    explained.append(explanation)
    open += explanation.links.map(\.target).filter { seen.insert($0).inserted }
  }
  return explained
}

struct Explainer {
  let tree: SourceTree
  let settings: Settings
  let keySpace: KeySpace
  private let jsonnet: JsonnetStage

  init(tree: SourceTree, settings: Settings, keySpace: KeySpace) {
    self.tree = tree
    self.settings = settings
    self.keySpace = keySpace
    jsonnet = JsonnetStage(tree, settings, CompileCache(), by: JsonnetDeadline())
  }

  func explain(_ key: ConfigPath) -> Explanation {
    var explanation = Explanation(
      key: key, value: keySpace[key]?.value, steps: [], links: [])
    for file in candidates(for: key) {
      let parsed = FileReader.read(
        file.file, named: file.name, encoding: file.encoding, settings, jsonnet)
      switch parsed.content {
      case .nothing: continue
      case .raw(let bytes):
        add("\(bytes.count) bytes", SourceSpan(file: file.file.path), to: &explanation)
      case .value(let value):
        let rest = key.segments(below: file.key)
        guard let found = Explainer.find(rest[...], in: value) else { continue }
        let isFirst = explanation.steps.isEmpty
        add(found, to: &explanation)
        if isFirst, found.isWhole {
          explanation.links = links(in: found.value, of: key, parsed.references)
        }
      }
    }
    return explanation
  }

  private func add(_ found: Found, to explanation: inout Explanation) {
    let value = found.value
    let text: String =
      if case .string(let text) = value.content { text } else {
        String(decoding: value.canonicalJSON(nulls: .kept), as: UTF8.self)
      }
    let takesAway = value.isNothing || !found.isWhole
    // In a document a map is a value, or a part of one.
    let isFolder = value.isMap && explanation.value == nil
    let verdict: Explanation.Step.Verdict =
      !explanation.steps.isEmpty
      ? .overridden : takesAway ? .removes : isFolder ? .folder : .wins
    explanation.steps.append(.init(span: found.place, text: text, verdict: verdict))
  }

  private func add(_ text: String, _ place: SourceSpan, to explanation: inout Explanation) {
    let verdict: Explanation.Step.Verdict = explanation.steps.isEmpty ? .wins : .overridden
    explanation.steps.append(.init(span: place, text: text, verdict: verdict))
  }

  private func links(
    in value: ConfigValue, of key: ConfigPath, _ references: ReferencePlaces
  ) -> [Explanation.Link] {
    switch value.content {
    case .string(let text):
      var places = (references[value.span] ?? [])[...]
      return ReferenceText.parts(of: text).compactMap { part in
        guard case .reference(let reference) = part else { return nil }
        let span = places.popFirst() ?? value.span
        return reference.target(from: key).map {
          .init(text: reference.text, span: span, target: $0)
        }
      }
    case .sequence(let items): return items.flatMap { links(in: $0, of: key, references) }
    case .map(let members):
      return members.flatMap { links(in: $0.value, of: key.appending($0.key), references) }
    case .null, .boolean, .number: return []
    }
  }

  /// What a file says of a key.
  private struct Found {
    var value: ConfigValue
    var place: SourceSpan
    /// False if a folder of the key is a value here: what lies below has no place.
    var isWhole = true
  }

  /// The value at the end of some segments, or what stands in its way.
  private static func find(
    _ segments: ArraySlice<String>, in value: ConfigValue, at place: SourceSpan? = nil
  ) -> Found? {
    guard let first = segments.first else { return Found(value: value, place: place ?? value.span) }
    guard case .map(let members) = value.content else {
      return Found(value: value, place: place ?? value.span, isWhole: false)
    }
    let member = members.first { ConfigPath.escape($0.key).utf8.elementsEqual(first.utf8) }
    return member.flatMap { find(segments.dropFirst(), in: $0.value, at: $0.keySpan) }
  }

  // MARK: - Files

  private struct Candidate {
    var file: SourceTree.File
    var name: String
    var encoding: Settings.Encoding
    /// The key of the whole file.
    var key: ConfigPath
  }

  /// The files that may say something of a key, from the highest layer down.
  private func candidates(for key: ConfigPath) -> [Candidate] {
    let directories = LayerDirectories(settings.layers)
    let rules = PublishingRules(settings: settings)
    let first = key.segments(below: settings.prefix).first ?? ""
    let layers = settings.layers.first {
      ConfigPath.escape($0.namespace).utf8.elementsEqual(first.utf8)
    }
    // Highest first; nil stands for a file outside of all layers.
    let order: [String?] =
      layers.map { [$0.namespace] + $0.layers.reversed().map(\.directory) } ?? [nil]
    return order.flatMap { directory in
      tree.files.compactMap { file -> Candidate? in
        guard let name = rules.name(of: file), directories.directory(of: name) == directory,
          file.kind == .file, let encoding = rules.encoding(of: name)
        else { return nil }
        let placed =
          directory.map { directory in
            let file = PublishedFile(file: file, name: name, encoding: encoding)
            return (layers?.namespace ?? directory) + "/" + file.path(in: directory)
          } ?? name
        let own = Flattener.path(of: placed, encoding: encoding, under: settings.prefix)
        guard own == key || key.isInside(own) else { return nil }
        return Candidate(file: file, name: name, encoding: encoding, key: own)
      }
    }
  }
}
