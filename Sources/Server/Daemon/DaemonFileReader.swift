import Compiler
public import ConfigModel
import GitSource
import Reconciler

/// Reads the daemon's file, reporting everything that is wrong with it.
public struct DaemonFileReader {
  private static let maximumSources = 1000

  private let name: String
  var file = DaemonFile()
  private var diagnostics: [Diagnostic] = []

  private init(name: String) { self.name = name }

  /// - Returns: nil if there is an error.
  public static func read(
    _ bytes: [UInt8], named name: String
  ) -> (file: DaemonFile?, diagnostics: [Diagnostic]) {
    var reader = DaemonFileReader(name: name)
    let parsed = readYAML(bytes, named: name)
    reader.diagnostics = parsed.diagnostics
    if let value = parsed.value { reader.read(value) }
    return (reader.diagnostics.hasErrors ? nil : reader.file, reader.diagnostics.sortedByPlace())
  }

  mutating func invalid(_ span: SourceSpan, _ message: String, hint: String? = nil) {
    diagnostics.append(Diagnostic(.configInvalid, at: span, message, hint: hint))
  }

  mutating func unknown(_ member: ConfigValue.Member, among known: [String]) {
    let near = Spelling.nearest(to: member.key, among: known)
    diagnostics.append(
      Diagnostic(
        .configUnknownKey, at: member.keySpan, "unknown key '\(member.key)'",
        hint: near.map { "did you mean '\($0)'?" } ?? "known: \(known.joined(separator: ", "))"))
  }

  /// The members of a map; an error for anything else.
  mutating func members(_ value: ConfigValue, _ what: String) -> [ConfigValue.Member] {
    if case .map(let members) = value.content { return members }
    invalid(value.span, "\(what) is a map")
    return []
  }

  mutating func items(_ value: ConfigValue, _ what: String) -> [ConfigValue] {
    if case .sequence(let items) = value.content { return items }
    invalid(value.span, "\(what) is a list")
    return []
  }

  mutating func text(_ value: ConfigValue, _ what: String) -> String? {
    if case .string(let text) = value.content, !text.isEmpty { return text }
    invalid(value.span, "\(what) is a text")
    return nil
  }

  // MARK: - The whole

  private mutating func read(_ value: ConfigValue) {
    let members = members(value, "the file")
    if !members.contains(where: { $0.key == "apiVersion" }) {
      invalid(
        SourceSpan(file: name), "apiVersion is missing",
        hint: "begin with 'apiVersion: configsync/v1'")
    }
    var drift = DriftMode.correct
    for member in members {
      switch member.key {
      case "apiVersion":
        if member.value.content != .string("configsync/v1") {
          invalid(member.value.span, "apiVersion is 'configsync/v1'")
        }
      case "drift": drift = self.drift(member.value) ?? drift
      case "signers": readSigners(member.value)
      case "webhooks": readWebhooks(member.value)
      // Those name sources.
      case "sources", "statuses": break
      default:
        unknown(
          member, among: ["apiVersion", "drift", "signers", "sources", "statuses", "webhooks"])
      }
    }
    guard let sources = value["sources"] else {
      return invalid(SourceSpan(file: name), "sources is missing: there is nothing to do")
    }
    let entries = items(sources, "sources")
    guard entries.count <= DaemonFileReader.maximumSources else {
      return invalid(sources.span, "there are more than \(DaemonFileReader.maximumSources) sources")
    }
    for entry in entries { readSource(entry, drift) }
    if entries.isEmpty { invalid(sources.span, "sources is empty: there is nothing to do") }
    checkHooks(value)
    if let statuses = value["statuses"] { readStatuses(statuses) }
  }

  private mutating func drift(_ value: ConfigValue) -> DriftMode? {
    if case .string(let text) = value.content, let mode = DriftMode(rawValue: text) { return mode }
    invalid(value.span, "drift is correct or report")
    return nil
  }

  private mutating func readSigners(_ value: ConfigValue) {
    for member in members(value, "signers") {
      switch member.key {
      case "ssh": file.signers.sshFile = text(member.value, "ssh: the name of a file")
      case "openpgp": file.signers.openPGPFile = text(member.value, "openpgp: the name of a file")
      default: unknown(member, among: ["ssh", "openpgp"])
      }
    }
  }

  // MARK: - Sources

  private mutating func readSource(_ value: ConfigValue, _ drift: DriftMode) {
    var source = DaemonFile.Source(name: "", url: "")
    source.drift = drift
    for key in ["name", "url"] where value["\(key)"] == nil {
      invalid(value.span, "the source has no '\(key)'")
    }
    for member in members(value, "a source") {
      switch member.key {
      case "name": source.name = sourceName(member.value)
      case "url":
        source.url = text(member.value, "url") ?? ""
        do {
          _ = try GitRemote(source.url)
        } catch {
          invalid(member.value.span, error.description)
        }
      case "branch": source.branch = text(member.value, "branch") ?? "HEAD"
      case "interval": source.interval = interval(member.value) ?? source.interval
      case "drift": source.drift = self.drift(member.value) ?? drift
      case "history": source.history = history(member.value)
      case "signatures": source.requiresSignatures = signatures(member.value)
      case "credentials": readCredentials(member.value, &source.credentials)
      default:
        unknown(
          member,
          among: [
            "branch", "credentials", "drift", "history", "interval", "name", "signatures", "url",
          ])
      }
    }
    file.sources.append(source)
  }

  private mutating func sourceName(_ value: ConfigValue) -> String {
    guard let name = text(value, "name") else { return "" }
    if !SourceName.isValid(name) { invalid(value.span, "name is \(SourceName.rule)") }
    if file.sources.contains(where: { $0.name == name }) {
      invalid(value.span, "there is a source '\(name)' already")
    }
    return name
  }

  private mutating func interval(_ value: ConfigValue) -> Duration? {
    if case .string(let text) = value.content,
      let unit = ["s": 1.0, "m": 60, "h": 3600][String(text.suffix(1))],
      let count = Double(text.dropLast()), count * unit >= 0.1, count * unit <= 86_400
    {
      return .seconds(count * unit)
    }
    invalid(value.span, "interval is a time up to a day, as 30s, 5m or 1h")
    return nil
  }

  private mutating func history(_ value: ConfigValue) -> HistoryMode {
    switch value.content {
    case .string("head"): return .head
    case .string("full"): return .full
    case .string(let text) where text.hasPrefix("since=") && text.count > 6:
      return .since(String(text.dropFirst(6)))
    default:
      invalid(value.span, "history is head, full, or since=COMMIT")
      return .head
    }
  }

  /// The file may be stricter than the repository, never weaker.
  private mutating func signatures(_ value: ConfigValue) -> Bool {
    if value.content == .string("required") { return true }
    invalid(
      value.span, "signatures is 'required', or left out",
      hint: "what a repository asks for can't be switched off here")
    return false
  }

  private mutating func readCredentials(_ value: ConfigValue, _ credentials: inout GitCredentials) {
    for member in members(value, "credentials") {
      let text = { (reader: inout DaemonFileReader) in
        reader.text(member.value, "\(member.key): the name of a file")
      }
      switch member.key {
      case "user": credentials.user = self.text(member.value, "user") ?? credentials.user
      case "passwordFile": credentials.passwordFile = text(&self)
      case "caFile": credentials.authoritiesFile = text(&self)
      case "certFile": credentials.certificateFile = text(&self)
      case "keyFile": credentials.certificateKeyFile = text(&self)
      case "sshKeyFile": credentials.sshKeyFile = text(&self)
      case "knownHostsFile": credentials.knownHostsFile = text(&self)
      case "password", "token":
        invalid(
          member.keySpan, "a secret does not stand in this file",
          hint: "write it into a file that only the reconciler can read: 'passwordFile'")
      default:
        unknown(
          member,
          among: [
            "caFile", "certFile", "keyFile", "knownHostsFile", "passwordFile", "sshKeyFile", "user",
          ])
      }
    }
  }

  // MARK: - Webhooks

  private mutating func readWebhooks(_ value: ConfigValue) {
    for member in members(value, "webhooks") {
      switch member.key {
      case "listen": file.webhookAddress = text(member.value, "listen: HOST:PORT")
      case "hooks": for item in items(member.value, "hooks") { readHook(item) }
      default: unknown(member, among: ["hooks", "listen"])
      }
    }
    if file.webhookAddress == nil { invalid(value.span, "webhooks has no 'listen'") }
  }

  private mutating func readHook(_ value: ConfigValue) {
    var (source, kind, secret) = ("", ForgeKind?.none, "")
    for key in ["source", "forge", "secretFile"] where value["\(key)"] == nil {
      invalid(value.span, "the hook has no '\(key)'")
    }
    for member in members(value, "a hook") {
      switch member.key {
      case "source": source = text(member.value, "source: its name") ?? ""
      case "secretFile": secret = text(member.value, "secretFile: the name of a file") ?? ""
      case "forge":
        kind = text(member.value, "forge").flatMap(ForgeKind.init)
        if kind == nil {
          let kinds = ForgeKind.allCases.map(\.rawValue).joined(separator: ", ")
          invalid(member.value.span, "forge is one of \(kinds)")
        }
      default: unknown(member, among: ["forge", "secretFile", "source"])
      }
    }
    if let kind { file.hooks.append(.init(source: source, kind: kind, secretFile: secret)) }
  }

  /// Known once the whole file is read.
  private mutating func checkHooks(_ value: ConfigValue) {
    let names = Set(file.sources.map(\.name))
    for hook in file.hooks where !hook.source.isEmpty && !names.contains(hook.source) {
      invalid(value["webhooks"]?.span ?? value.span, "there is no source '\(hook.source)'")
    }
  }
}
