public import ConfigModel

/// What configsync.yaml says, or its defaults.
public struct Settings: Sendable {
  public enum Encoding: String, Hashable, Sendable, CaseIterable { case leaf, document, raw }

  struct FileRule: Hashable, Sendable {
    var match: Glob
    var encoding: Encoding?
    var isIgnored = false
    var schema: NamedSchema?
  }

  /// A directory whose files lie below those of a namespace.
  struct Layer: Hashable, Sendable {
    /// Under the root, without slashes at its ends.
    var directory: String
    var span: SourceSpan
  }

  /// A namespace with the layers below it.
  struct NamespaceLayers: Sendable {
    var namespace: String
    /// Lowest first.
    var layers: [Layer]

    /// Lowest first, its own last.
    var directories: [String] { layers.map(\.directory) + [namespace] }
  }

  /// The name of the file, at the root of the repository.
  public static let fileName = "configsync.yaml"
  /// The file that says who may do what in the store.
  static let accessFileName = "access.yaml"

  /// The source's name in the store.
  public internal(set) var name = "default"
  /// Where the namespaces are: without slashes at its ends, empty for the root.
  var root = ""
  /// What stands before every key: empty, or a path without a slash at its end.
  public internal(set) var prefix = ConfigPath.root
  var encoding = Encoding.leaf
  var files: [FileRule] = []
  /// In the order of the file.
  var layers: [NamespaceLayers] = []
  /// Patterns of policies, relative to configsync.yaml.
  var policies: [(pattern: Glob, span: SourceSpan)] = []
  var owners = OwnerTable()
  var prune: PruneLimits?
  var protected: [ProtectedKeys] = []
  /// Whether each commit has to be signed by somebody who is trusted.
  public internal(set) var requiresSignatures = false
  public internal(set) var freezes: [FreezeWindow] = []
  var maximumValueBytes = 1 << 20
  var maximumKeys = 1_000_000

  public init() {}

  /// Whether what is valid depends on what was before.
  public var looksBack: Bool {
    !policies.isEmpty || !owners.isEmpty || prune != nil || !protected.isEmpty
  }
}

/// Reads configsync.yaml, reporting everything that is wrong with it.
struct SettingsReader {
  private static let known: Set<String> = [
    "apiVersion", "name", "root", "prefix", "encode", "files", "layers", "limits",
    "policies", "owners", "prune", "protect", "signatures", "freeze",
  ]

  var settings = Settings()
  private var diagnostics: [Diagnostic] = []

  static func read(_ tree: SourceTree, _ diagnostics: inout [Diagnostic]) -> Settings {
    guard let file = tree.file(at: Settings.fileName) else {
      return Settings()
    }
    var reader = SettingsReader()
    guard file.kind == .file else {
      diagnostics.append(
        Diagnostic(
          .fileSymlink, at: SourceSpan(file: file.path), "configsync.yaml can't be a link"))
      return Settings()
    }
    defer { diagnostics += reader.diagnostics }
    guard let bytes = FileParser.load(file, &reader.diagnostics),
      let text = SourceText.decode(bytes, file: file.path, &reader.diagnostics),
      let value = YAMLComposer.parse(text, &reader.diagnostics), !reader.diagnostics.hasErrors
    else { return Settings() }
    reader.read(value)
    return reader.settings
  }

  mutating func invalid(_ span: SourceSpan, _ message: String, hint: String? = nil) {
    diagnostics.append(Diagnostic(.configInvalid, at: span, message, hint: hint))
  }

  private mutating func read(_ value: ConfigValue) {
    guard case .map(let members) = value.content else {
      return invalid(value.span, "configsync.yaml is a map of settings")
    }
    if !members.contains(where: { $0.key == "apiVersion" }) {
      invalid(
        SourceSpan(file: Settings.fileName), "apiVersion is missing",
        hint: "begin with 'apiVersion: configsync/v1'")
    }
    for member in members { read(member) }
    checkOwners()
    checkProtected()
  }

  private mutating func read(_ member: ConfigValue.Member) {
    let value = member.value
    switch member.key {
    case "apiVersion":
      if value.content != .string("configsync/v1") {
        invalid(value.span, "apiVersion is 'configsync/v1'")
      }
    case "name": readName(value)
    case "root": readRoot(value)
    case "prefix": readPrefix(value)
    case "encode": settings.encoding = encoding(value) ?? settings.encoding
    case "files": readFiles(value)
    case "layers": readLayers(value)
    case "limits": readLimits(value)
    case "policies": readPolicies(value)
    case "owners": readOwners(value)
    case "prune": readPrune(value)
    case "protect": readProtect(value)
    case "signatures": readSignatures(value)
    case "freeze": readFreeze(value)
    default: unknown(member, among: SettingsReader.known)
    }
  }

  mutating func unknown(_ member: ConfigValue.Member, among known: Set<String>) {
    let near = known.sorted().first { Spelling.isNear($0, member.key) }
    diagnostics.append(
      Diagnostic(
        .configUnknownKey, at: member.keySpan, "unknown key '\(member.key)'",
        hint: near.map { "did you mean '\($0)'?" }
          ?? "known: \(known.sorted().joined(separator: ", "))"
      ))
  }

  private mutating func readName(_ value: ConfigValue) {
    guard case .string(let name) = value.content, SourceName.isValid(name) else {
      return invalid(value.span, "name is \(SourceName.rule)")
    }
    settings.name = name
  }

  private mutating func readRoot(_ value: ConfigValue) {
    guard case .string(let root) = value.content, !root.isEmpty, !root.hasPrefix("/") else {
      return invalid(value.span, "root is a folder of the repository, relative to its top")
    }
    let parts = root.split(separator: "/").filter { $0 != "." }
    guard !parts.contains("..") else {
      return invalid(value.span, "root can't lead out of the repository")
    }
    settings.root = parts.joined(separator: "/")
  }

  private mutating func readPrefix(_ value: ConfigValue) {
    guard case .string(let prefix) = value.content, prefix.hasPrefix("/") else {
      return invalid(value.span, "prefix is a key that begins with '/'")
    }
    let trimmed = ConfigPath(escaped: prefix).folder.text
    let parts = ConfigPath.segments(of: trimmed).dropFirst()
    guard !parts.contains("") else {
      return invalid(value.span, "prefix has an empty segment")
    }
    guard parts.allSatisfy(SettingsReader.isSegment),
      !trimmed.unicodeScalars.contains(where: {
        $0.value < 0x20 || $0.value == 0x7f
      })
    else {
      return invalid(
        value.span, "prefix holds what no key can", hint: SettingsReader.segmentHint)
    }
    guard !ConfigPath(escaped: trimmed).isReserved else {
      return invalid(value.span, "keys under '\(ConfigPath.reserved)' are the program's own")
    }
    guard trimmed.utf8.count <= CompilerLimits.pathBytes else {
      return invalid(value.span, "prefix has more than \(CompilerLimits.pathBytes) bytes")
    }
    settings.prefix = ConfigPath(escaped: trimmed)
  }

  private mutating func encoding(_ value: ConfigValue) -> Settings.Encoding? {
    guard case .string(let text) = value.content, let encoding = Settings.Encoding(rawValue: text)
    else {
      invalid(value.span, "encode is leaf, document or raw")
      return nil
    }
    return encoding
  }

  private mutating func readFiles(_ value: ConfigValue) {
    guard case .sequence(let rules) = value.content else {
      return invalid(value.span, "files is a list of rules")
    }
    guard rules.count <= CompilerLimits.patterns else {
      return invalid(
        value.span, "files has more than \(CompilerLimits.patterns) rules",
        hint: "a pattern such as '**/*.conf' or '{a,b}/*.yaml' says what several do")
    }
    for rule in rules { readRule(rule) }
  }

  private mutating func readRule(_ value: ConfigValue) {
    guard case .map(let members) = value.content else {
      return invalid(value.span, "a rule is a map with 'match'")
    }
    var match: Glob?
    var encoding: Settings.Encoding?
    var isIgnored = false
    var schema: NamedSchema?
    if value["match"] == nil { invalid(value.span, "the rule has no 'match'") }
    for member in members {
      switch (member.key, member.value.content) {
      case ("match", .string(let pattern)):
        do {
          match = try Glob(pattern)
        } catch {
          invalid(member.value.span, "the pattern is malformed: \(error.description)")
        }
      case ("match", _): invalid(member.value.span, "match is a pattern, a text")
      case ("encode", _): encoding = self.encoding(member.value)
      case ("ignore", .boolean(let flag)): isIgnored = flag
      case ("ignore", _): invalid(member.value.span, "ignore is true or false")
      case ("schema", _): schema = namedSchema(member.value)
      default: unknown(member, among: ["match", "encode", "ignore", "schema"])
      }
    }
    if let schema, encoding == .raw || isIgnored {
      invalid(
        schema.span, "a file that is \(isIgnored ? "ignored" : "raw") is not checked by a schema",
        hint: "encode it as leaf or document, or leave the schema out")
    }
    if let match {
      settings.files.append(
        Settings.FileRule(
          match: match, encoding: encoding, isIgnored: isIgnored, schema: schema))
    }
  }

  private mutating func readLimits(_ value: ConfigValue) {
    guard case .map(let members) = value.content else {
      return invalid(value.span, "limits is a map")
    }
    for member in members {
      switch member.key {
      case "maxValueBytes":
        if let bytes = Spelling.byteCount(member.value), bytes <= 8 << 20 {
          settings.maximumValueBytes = bytes
        } else {
          invalid(member.value.span, "maxValueBytes is a size up to 8MiB, as 512KiB or 1MiB")
        }
      case "maxKeys":
        if case .number(let digits) = member.value.content, let keys = Int(digits), keys > 0 {
          settings.maximumKeys = keys
        } else {
          invalid(member.value.span, "maxKeys is a positive integer")
        }
      default: unknown(member, among: ["maxValueBytes", "maxKeys"])
      }
    }
  }
}

extension Spelling {
  /// `1048576`, `512KiB` or `1MiB`.
  static func byteCount(_ value: ConfigValue) -> Int? {
    switch value.content {
    case .number(let digits): return Int(digits).flatMap { $0 > 0 ? $0 : nil }
    case .string(let text):
      for (unit, scale) in [("KiB", 1 << 10), ("MiB", 1 << 20), ("B", 1)]
      where text.hasSuffix(unit) {
        let digits = text.dropLast(unit.count)
        guard digits.utf8.first != UInt8(ascii: "+"), let count = Int(digits), count > 0,
          count < 1 << 30
        else { return nil }
        return count * scale
      }
      return nil
    default: return nil
    }
  }
}

/// The settings of a tree; nil if its configsync.yaml can't be read.
public func readSettings(_ tree: SourceTree) -> Settings? {
  var diagnostics: [Diagnostic] = []
  let settings = SettingsReader.read(tree, &diagnostics)
  return diagnostics.hasErrors ? nil : settings
}
