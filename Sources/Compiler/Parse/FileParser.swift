public import ConfigModel

/// From a file of the tree to its value.
enum FileParser {
  enum Format: Hashable, Sendable { case yaml, json, toml }

  static func format(of path: String) -> Format? {
    let formats: [(end: String, format: Format)] = [
      (".yaml", .yaml), (".yml", .yaml), (".json", .json), (".toml", .toml),
    ]
    return formats.first { ConfigPath.name(path, endsIn: $0.end) }?.format
  }

  /// The bytes of a structured file, if there are not too many of them.
  static func load(_ file: SourceTree.File, _ diagnostics: inout [Diagnostic]) -> [UInt8]? {
    guard file.byteCount <= CompilerLimits.fileBytes else {
      diagnostics.append(
        Diagnostic(
          .limitFileBytes, at: SourceSpan(file: file.path),
          "the file has \(file.byteCount) bytes, more than \(CompilerLimits.fileBytes)",
          hint: "split it, or leave it out with 'ignore: true' under 'files'"))
      return nil
    }
    do {
      return try file.bytes()
    } catch {
      diagnostics.append(
        Diagnostic(
          .fileUnreadable, at: SourceSpan(file: file.path), "the file can't be read: \(error)"))
      return nil
    }
  }

  /// The value of a structured file; nil if it is malformed, and then why.
  static func parse(
    _ file: SourceTree.File, _ format: Format, _ diagnostics: inout [Diagnostic]
  ) -> (value: ConfigValue, text: SourceText)? {
    guard let bytes = load(file, &diagnostics),
      let text = SourceText.decode(bytes, file: file.path, &diagnostics)
    else { return nil }
    let value: ConfigValue? =
      switch format {
      case .yaml: YAMLComposer.parse(text, &diagnostics)
      case .json: JSONParser.parse(text, &diagnostics)
      case .toml: TOMLParser.parse(text, &diagnostics)
      }
    return value.map { ($0, text) }
  }
}

/// Reads YAML as configsync.yaml is read: one document, with the places of its values.
///
/// - Returns: no value if there is an error, or nothing in it.
public func readYAML(
  _ bytes: [UInt8], named file: String
) -> (value: ConfigValue?, diagnostics: [Diagnostic]) {
  var diagnostics: [Diagnostic] = []
  guard bytes.count <= CompilerLimits.fileBytes else {
    let finding = Diagnostic(
      .limitFileBytes, at: SourceSpan(file: file),
      "the file has more than \(CompilerLimits.fileBytes) bytes")
    return (nil, [finding])
  }
  guard let text = SourceText.decode(bytes, file: file, &diagnostics) else {
    return (nil, diagnostics)
  }
  let value = YAMLComposer.parse(text, &diagnostics)
  return (diagnostics.hasErrors ? nil : value, diagnostics)
}
