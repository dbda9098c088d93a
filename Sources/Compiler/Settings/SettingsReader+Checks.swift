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

  /// Who may change what: of each prefix a list of addresses.
  mutating func readOwners(_ value: ConfigValue) {
    guard case .map(let members) = value.content else {
      return invalid(
        value.span, "owners is a map of prefixes, each with a list of addresses",
        hint: "for instance '/production/payments/: [alice@example.com]'")
    }
    for member in members {
      let prefix = ConfigPath(escaped: member.key)
      let parts = ConfigPath.segments(of: member.key).dropFirst()
      guard member.key.utf8.first == UInt8(ascii: "/"), !parts.dropLast().contains("") else {
        invalid(member.keySpan, "a prefix is a key, or a folder of keys: it begins with '/'")
        continue
      }
      guard case .sequence(let items) = member.value.content else {
        invalid(member.value.span, "the owners of '\(member.key)' are a list of addresses")
        continue
      }
      var people: Set<String> = []
      for item in items {
        guard case .string(let address) = item.content, address.contains("@") else {
          invalid(item.span, "an owner is the address of an author, as alice@example.com")
          continue
        }
        people.insert(address.lowercased())
      }
      let owners = Owners(prefix: prefix, span: member.keySpan, people: people)
      if settings.owners.contains(where: { $0.folder == owners.folder }) {
        invalid(member.keySpan, "'\(member.key)' has owners already")
      }
      settings.owners.append(owners)
    }
  }
}
