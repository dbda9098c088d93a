import ConfigModel

extension SettingsReader {
  /// A schema's file, relative to configsync.yaml.
  mutating func namedSchema(_ value: ConfigValue) -> NamedSchema? {
    guard case .string(let text) = value.content, !text.isEmpty else {
      invalid(value.span, "schema is a file of the repository, a text")
      return nil
    }
    guard let path = RepositoryPath.resolve(text, from: "") else {
      invalid(
        value.span, "schema is a file of the repository, relative to its top",
        hint: "a URL is never fetched: keep the schema in the repository")
      return nil
    }
    return NamedSchema(target: .file(ConfigPath(escaped: path)), text: text, span: value.span)
  }

  /// Patterns of files, relative to configsync.yaml.
  mutating func readPolicies(_ value: ConfigValue) {
    guard case .sequence(let items) = value.content else {
      return invalid(
        value.span, "policies is a list of patterns", hint: "for instance '[policies/*.jsonnet]'")
    }
    for item in items {
      guard case .string(let text) = item.content else {
        invalid(item.span, "a pattern is a text")
        continue
      }
      do {
        settings.policies.append((try Glob(text), item.span))
      } catch {
        invalid(item.span, "the pattern is malformed: \(error.description)")
      }
    }
  }
}
