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
    guard items.count <= CompilerLimits.patterns else {
      return invalid(value.span, "policies has more than \(CompilerLimits.patterns) patterns")
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

  /// How many keys one commit may delete.
  mutating func readPrune(_ value: ConfigValue) {
    guard case .map(let members) = value.content else {
      return invalid(
        value.span, "prune is a map", hint: "for instance '{maxDeletes: 100, maxDeletePercent: 30}'"
      )
    }
    var prune = PruneLimits(span: value.span)
    for member in members {
      switch member.key {
      case "maxDeletes":
        prune.maximumDeletes = count(member.value, upTo: Int.max)
        if prune.maximumDeletes == nil {
          invalid(member.value.span, "maxDeletes is a number of keys: 0 or more")
        }
      case "maxDeletePercent":
        prune.maximumPercent = count(member.value, upTo: 100)
        if prune.maximumPercent == nil {
          invalid(member.value.span, "maxDeletePercent is a whole number from 0 to 100")
        }
      default: unknown(member, among: ["maxDeletes", "maxDeletePercent"])
      }
    }
    if members.isEmpty { invalid(value.span, "prune has neither maxDeletes nor maxDeletePercent") }
    settings.prune = prune
  }

  private func count(_ value: ConfigValue, upTo most: Int) -> Int? {
    guard case .number(let digits) = value.content, let count = Int(digits), 0...most ~= count
    else { return nil }
    return count
  }

  mutating func readSignatures(_ value: ConfigValue) {
    switch value.content {
    case .string("none"): settings.requiresSignatures = false
    case .string("required"): settings.requiresSignatures = true
    default: invalid(value.span, "signatures is none or required")
    }
  }

  /// Who may change what: of each prefix a list of addresses.
  mutating func readOwners(_ value: ConfigValue) {
    guard case .map(let members) = value.content else {
      return invalid(
        value.span, "owners is a map of prefixes, each with a list of addresses",
        hint: "for instance '/production/payments/: [alice@example.com]'")
    }
    guard members.count <= CompilerLimits.owners else {
      return invalid(value.span, "more than \(CompilerLimits.owners) prefixes have owners")
    }
    for member in members { readOwners(of: member) }
  }

  static let segmentHint = "'/' and '%' inside a part are written %2F and %25, and nothing else is"

  /// Whether a part of a path is written as the program writes it.
  static func isSegment(_ part: String) -> Bool {
    ConfigPath.unescape(part).map(ConfigPath.escape) == part
  }

  private mutating func readOwners(of member: ConfigValue.Member) {
    let prefix = ConfigPath(escaped: member.key)
    let segments = ConfigPath.segments(of: prefix.folder.text)
    guard member.key.utf8.first == UInt8(ascii: "/"), !segments.dropFirst().contains("") else {
      return invalid(
        member.keySpan,
        "a prefix is a key, or a folder of keys: it begins with '/', and has no empty part")
    }
    // Anything else is the prefix of no key, and would protect nothing.
    guard segments.allSatisfy(SettingsReader.isSegment) else {
      return invalid(
        member.keySpan, "'\(member.key)' can't be the prefix of a key",
        hint: SettingsReader.segmentHint)
    }
    guard case .sequence(let items) = member.value.content, !items.isEmpty else {
      return invalid(
        member.value.span, "the owners of '\(member.key)' are a list of addresses, at least one")
    }
    var people: Set<MailAddress> = []
    for item in items {
      guard case .string(let address) = item.content, SettingsReader.isAddress(address) else {
        invalid(item.span, "an owner is the address of an author, as alice@example.com")
        continue
      }
      people.insert(MailAddress(address))
    }
    if !settings.owners.add(Owners(prefix: prefix, span: member.keySpan, people: people)) {
      invalid(member.keySpan, "'\(member.key)' has owners already")
    }
  }

  private static func isAddress(_ text: String) -> Bool {
    let parts = text.utf8.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
    return parts.count == 2 && parts.allSatisfy { !$0.isEmpty }
      && !text.utf8.contains { $0 <= 0x20 || "<>,;".utf8.contains($0) }
  }

  /// Owners of what the source does not publish would protect nothing. Known once the whole file is read.
  mutating func checkOwners() {
    let prefix = settings.prefix
    for (folder, owners) in settings.owners.entries
    where folder != prefix && !folder.isInside(prefix) && !prefix.isInside(folder) {
      invalid(
        owners.span,
        "'\(owners.prefix)' is outside of '\(prefix)', where the keys of this source live",
        hint: "owners are named by the whole key, with its prefix")
    }
  }
}
