import ConfigModel
import GitSource

extension DaemonFileReader {
  private static let statusKeys = [
    "api", "caFile", "context", "forge", "repository", "secretFile", "source", "tokenFile", "url",
  ]
  private static let maximumStatuses = 1000

  /// Known once the sources are read.
  mutating func readStatuses(_ value: ConfigValue) {
    let entries = items(value, "statuses")
    guard entries.count <= DaemonFileReader.maximumStatuses else {
      return invalid(value.span, "there are more than \(DaemonFileReader.maximumStatuses) statuses")
    }
    for entry in entries { readStatus(entry) }
  }

  private mutating func readStatus(_ value: ConfigValue) {
    var texts: [String: String] = [:]
    for member in members(value, "a status") {
      switch member.key {
      case "token", "secret":
        invalid(
          member.keySpan, "a secret does not stand in this file",
          hint: "write it into a file that only the reconciler can read: '\(member.key)File'")
      case _ where DaemonFileReader.statusKeys.contains(member.key):
        texts[member.key] = text(member.value, member.key)
      default: unknown(member, among: DaemonFileReader.statusKeys)
      }
    }
    if let name = texts["source"], !file.sources.contains(where: { $0.name == name }) {
      return invalid(value["source"]?.span ?? value.span, "there is no source '\(name)'")
    }
    guard let forge = texts["forge"] else {
      return invalid(value.span, "the status has no 'forge'")
    }
    do {
      if forge == ForgeKind.generic.rawValue {
        try readWebhookStatus(value, texts)
      } else if let kind = ForgeKind(rawValue: forge), StatusAddress.kinds.contains(kind) {
        try readForgeStatus(value, kind, texts)
      } else {
        let kinds = (StatusAddress.kinds + [.generic]).map(\.rawValue).joined(separator: ", ")
        invalid(value["forge"]?.span ?? value.span, "forge is one of \(kinds)")
      }
    } catch {
      invalid((value["api"] ?? value["url"] ?? value).span, error.description)
    }
  }

  private mutating func readWebhookStatus(
    _ value: ConfigValue, _ texts: [String: String]
  ) throws(OutgoingError) {
    guard
      isWhole(
        value, texts, needed: ["url", "secretFile"],
        unfit: ["api", "context", "repository", "tokenFile"])
    else { return }
    let webhook = try SignedWebhook(url: texts["url"] ?? "")
    var status = FeedbackDestination(
      source: texts["source"], address: .webhook(webhook), secretFile: texts["secretFile"] ?? "")
    status.authoritiesFile = texts["caFile"]
    file.statuses.append(status)
  }

  private mutating func readForgeStatus(
    _ value: ConfigValue, _ kind: ForgeKind, _ texts: [String: String]
  ) throws(OutgoingError) {
    guard
      isWhole(value, texts, needed: ["source", "tokenFile"], unfit: ["url", "secretFile"]),
      let source = file.sources.first(where: { $0.name == texts["source"] })
    else { return }
    var status = FeedbackDestination(
      source: source.name,
      address: .status(
        try StatusAddress(
          kind, api: texts["api"], repository: texts["repository"], ofRepositoryAt: source.url),
        context: texts["context"] ?? FeedbackDestination.context(of: source.name)),
      secretFile: texts["tokenFile"] ?? "")
    status.authoritiesFile = texts["caFile"]
    file.statuses.append(status)
  }

  private mutating func isWhole(
    _ value: ConfigValue, _ texts: [String: String], needed: [String], unfit: [String]
  ) -> Bool {
    let missing = needed.filter { value[$0] == nil }
    for key in missing { invalid(value.span, "the status has no '\(key)'") }
    let unknown = unfit.filter { value[$0] != nil }
    for key in unknown {
      invalid(
        value[key]?.span ?? value.span, "'\(key)' means nothing to '\(texts["forge"] ?? "")'")
    }
    return missing.isEmpty && unknown.isEmpty && needed.allSatisfy { texts[$0] != nil }
  }
}
