import ConfigModel
import Jsonnet

/// Asks the repository's policies about what is to be published.
///
/// A policy is a Jsonnet function of what is published and of what was before; it returns a list of findings.
struct PolicyStage {
  private let tree: SourceTree
  private let settings: Settings
  private(set) var diagnostics: [Diagnostic] = []

  private let deadline: JsonnetDeadline

  init(_ tree: SourceTree, _ settings: Settings, by deadline: JsonnetDeadline) {
    self.deadline = deadline
    self.tree = tree
    self.settings = settings
  }

  /// - Parameter previous: what the commit before published; nothing if there is none.
  /// - Complexity: O(bytes) of both for each policy, and what the policies do.
  mutating func check(_ config: KeySpace, previous: KeySpace) {
    let files = policies()
    guard !files.isEmpty else { return }
    let sources = JsonnetSources(
      tree,
      extra: [
        PolicyInput.config: PolicyInput.source(of: config),
        PolicyInput.previous: PolicyInput.source(of: previous),
      ])
    let programs = files.map { file in
      JsonnetProgram(
        name: PolicyInput.program,
        source: Array(PolicyInput.call(JsonnetEvaluator.quoted(file.path)).utf8),
        variables: [("namespace", ""), ("file", file.path), ("source", settings.name)])
    }
    // One after the other: each is told apart by its file.
    for (file, program) in zip(files, programs) {
      guard
        let result = JsonnetEvaluator.evaluate([program], by: deadline, load: sources.load).first
      else {
        continue
      }
      read(result, of: file.path, sources, config)
    }
  }

  /// The files that the settings name, each once.
  private mutating func policies() -> [SourceTree.File] {
    guard !settings.policies.isEmpty else { return [] }
    var found: [SourceTree.File] = []
    var used = Set<Int>()
    for file in tree.files where JsonnetStage.isJsonnet(file.path) && !PolicyTests.isTest(file.path)
    {
      let matching = settings.policies.indices.filter {
        settings.policies[$0].pattern.matches(file.path)
      }
      guard !matching.isEmpty else { continue }
      used.formUnion(matching)
      found.append(file)
    }
    for (index, policy) in settings.policies.enumerated() where !used.contains(index) {
      diagnostics.append(
        Diagnostic(
          .configInvalid, at: policy.span,
          "no policy matches '\(policy.pattern.pattern)', so that nothing would be checked",
          hint: "patterns are relative to configsync.yaml; a policy is a '.jsonnet' file"))
    }
    return found
  }

  // MARK: - Answers

  private mutating func read(
    _ result: JsonnetResult, of file: String, _ sources: JsonnetSources, _ config: KeySpace
  ) {
    switch result.value {
    case .failure where sources.unread != nil:
      if let unread = sources.unread { diagnostics.append(unread) }
    case .failure(let failure):
      let report = JsonnetReport(sources: sources, imports: result.imports)
      var diagnostic = report.diagnostic(of: failure, in: file)
      if failure.kind != .limit, failure.kind != .unavailable { diagnostic.code = .policyInvalid }
      if let known = PolicyInput.meaning(of: failure) { diagnostic.message = known }
      diagnostics.append(diagnostic)
    case .success(let json):
      let output = JsonnetOutput.read(json, file: file)
      guard case .sequence(let findings)? = output.value?.content else {
        return invalid(file, "a policy returns a list of findings, this one \(found(output.value))")
      }
      for finding in findings.prefix(CompilerLimits.policyFindings) {
        read(finding, of: file, config)
      }
      if findings.count > CompilerLimits.policyFindings {
        invalid(
          file,
          "it finds \(findings.count) things, of which \(CompilerLimits.policyFindings) are shown")
      }
    }
  }

  private func found(_ value: ConfigValue?) -> String {
    switch value?.content {
    case .map: "a map"
    case .string: "a text"
    case .number: "a number"
    case .boolean: "a boolean"
    case .null: "null"
    case .sequence, nil: "something that can't be read"
    }
  }

  private mutating func invalid(_ file: String, _ message: String) {
    diagnostics.append(
      Diagnostic(
        .policyInvalid, at: SourceSpan(file: file), message,
        hint: "for instance [{key: '/a/b', message: 'too large', severity: 'error'}]"))
  }

  private mutating func read(_ finding: ConfigValue, of file: String, _ config: KeySpace) {
    guard case .map(let members) = finding.content else {
      return invalid(file, "a finding is a map with 'key' and 'message'")
    }
    if let other = members.first(where: { !["key", "message", "severity"].contains($0.key) }) {
      return invalid(file, "a finding has no '\(other.key)': it has key, message and severity")
    }
    guard case .string(let key)? = finding["key"]?.content,
      case .string(let message)? = finding["message"]?.content, !message.isEmpty
    else { return invalid(file, "a finding has a 'key' and a 'message', both texts") }
    var severity = Diagnostic.Severity.error
    switch finding["severity"]?.content {
    case nil, .string("error"): break
    case .string("warning"): severity = .warning
    default: return invalid(file, "severity is 'error' or 'warning'")
    }
    let path = ConfigPath(escaped: key)
    let place = config[path]?.origin ?? PolicyStage.firstPlace(below: path, in: config)
    diagnostics.append(
      Diagnostic(
        .policyViolation, severity, at: place ?? SourceSpan(file: file), key: path, message,
        related: place == nil ? [] : [.init(SourceSpan(file: file), "the policy is here")]))
  }

  /// Where a folder begins.
  private static func firstPlace(below path: ConfigPath, in config: KeySpace) -> SourceSpan? {
    // Keys are sorted by their bytes: those inside follow each other.
    guard let first = config.items.first(from: path.appending("")), first.key.isInside(path) else {
      return nil
    }
    return first.value.origin
  }
}
