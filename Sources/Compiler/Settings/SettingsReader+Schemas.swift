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
}
