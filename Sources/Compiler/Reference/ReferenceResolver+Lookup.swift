import ConfigModel

/// What stands at a key.
extension ReferenceResolver {
  // MARK: - Looking keys up

  mutating func outcome(of path: ConfigPath) -> Outcome {
    if let known = outcomes[path] { return known }
    if let item = keys[path], item.form != .document {
      guard let open = item.open else { return remember(closed(item), path) }
      return outcome(of: path, open.value, open)
    }
    guard let (document, value) = valueInDocument(path) else {
      return remember(
        keys.firstBelow(path).flatMap { keys[$0] }.map { .map($0.origin) } ?? .missing, path)
    }
    switch value.content {
    case .null: return remember(.missing, path)
    case .map: return remember(.map(value.span), path)
    default:
      guard let open = document.open else { return remember(.value(value), path) }
      return outcome(of: path, value, open)
    }
  }

  mutating func remember(_ outcome: Outcome, _ path: ConfigPath) -> Outcome {
    outcomes[path] = outcome
    return outcome
  }

  private mutating func closed(_ item: CompiledItem) -> Outcome {
    if item.form == .text {
      guard let text = String(validating: item.value, as: UTF8.self) else {
        return .bytes
      }
      return .value(ConfigValue(.string(text), at: item.origin))
    }
    guard let value = ReferenceResolver.read(item) else { return .missing }
    return value.isMap ? .map(item.origin) : .value(value)
  }

  /// What a published value says: its bytes are JSON that this program has written.
  private static func read(_ item: CompiledItem) -> ConfigValue? {
    var ignored: [Diagnostic] = []
    let text = SourceText(file: item.origin.file, bytes: item.value)
    guard var value = JSONParser.parse(text, &ignored) else { return nil }
    value.span = item.origin
    return value
  }

  /// The value that stands at a key inside a document.
  private mutating func valueInDocument(_ path: ConfigPath) -> (CompiledItem, ConfigValue)? {
    var next: ConfigPath? = path
    while let folder = next {
      if let item = keys[folder], item.form == .document {
        return values(of: item)[path].map { (item, $0) }
      }
      next = folder.parent
    }
    return nil
  }

  /// Everything in a document by the key that it would have as a leaf, looked for once.
  private mutating func values(of document: CompiledItem) -> [ConfigPath: ConfigValue] {
    if let known = documents[document.path] { return known }
    var values: [ConfigPath: ConfigValue] = [:]
    if let root = (document.open ?? document.document)?.value {
      ReferenceResolver.collect(root, at: document.path, into: &values)
    }
    documents[document.path] = values
    return values
  }

  private static func collect(
    _ value: ConfigValue, at path: ConfigPath, into values: inout [ConfigPath: ConfigValue]
  ) {
    // No reference names a longer key.
    guard path.text.utf8.count <= CompilerLimits.referenceBytes else { return }
    values[path] = value
    guard case .map(let members) = value.content else { return }
    for member in members { collect(member.value, at: path.appending(member.key), into: &values) }
  }
}
