public import ArgumentParser
import Compiler
import ConfigModel
import Foundation
import GitSource
public import Reconciler
import Server

/// `--history head|full|since=REV`.
extension HistoryMode: ExpressibleByArgument {
  public init?(argument: String) {
    switch argument {
    case "head": self = .head
    case "full": self = .full
    case _ where argument.hasPrefix("since="):
      let revision = argument.dropFirst("since=".count)
      guard !revision.isEmpty else { return nil }
      self = .since(String(revision))
    default: return nil
    }
  }
}

extension DriftMode: ExpressibleByArgument {}

struct ReconcileArguments: ParsableArguments {
  @Option(help: "The source's name in the store. Default: the one in configsync.yaml.")
  var name: String?

  @Option(help: "What the first sync takes: head, full, or since=REVISION.")
  var history = HistoryMode.head

  @Flag(help: "Go on although the branch was rewritten.")
  var acceptRewrite = false

  @Flag(
    help: """
      With --accept-rewrite: go on although the clone does not hold the commit that the store holds, so that \
      nobody can tell what its settings asked for.
      """)
  var acceptLostHead = false

  @Option(
    help: "What to do where somebody else has changed a key of the source: correct or report.")
  var drift = DriftMode.correct

  @Flag(help: "Refuse commits that are not signed, whatever configsync.yaml says.")
  var requireSignatures = false

  func validate() throws {
    if let name, !SourceName.isValid(name) {
      throw ValidationError("--name is \(SourceName.rule)")
    }
  }

  func options() -> ReconcileOptions {
    var options = ReconcileOptions(
      name: name, history: history, acceptsRewrite: acceptRewrite,
      requiresSignatures: requireSignatures, drift: drift)
    options.acceptsLostHead = acceptLostHead
    return options
  }
}

struct ApplyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply", abstract: "Reconcile a repository into the store once.",
    discussion: """
      Each commit becomes one transaction, in first-parent order. Exit code 1: the
      newest commit was refused, and the store keeps the last good one; or changes
      wait, or somebody else's are left.

      Example:
        configsync apply --repo my-config --history full
        configsync plan --repo my-config --out change.plan
        configsync apply --repo my-config change.plan
        configsync apply --repo ssh://git@git.example.com/config.git --ssh-key key
      """)

  @Argument(
    help:
      "A plan that 'plan --out' has made of the same --rev: it is applied as it is, or not at all.")
  var plan: String?

  @OptionGroup var source: SourceOptions
  @OptionGroup var cache: CacheOptions

  @Option(help: "A branch, tag or commit. Default: HEAD.")
  var rev: String?

  @Option(help: "Apply although changes are frozen, and why: it is recorded with the commit.")
  var duringFreeze: String?

  @OptionGroup var arguments: ReconcileArguments
  @OptionGroup var trust: TrustOptions
  @OptionGroup var cluster: ClusterOptions
  @OptionGroup var color: ColorOptions

  func validate() throws {
    if let duringFreeze, duringFreeze.trimmingCharacters(in: .whitespaces).isEmpty {
      throw ValidationError("--during-freeze says why")
    }
  }

  func run() async throws {
    let plan = try plan.map(PlanFile.read)
    let source = try source.open(
      branch: rev ?? "HEAD", history: arguments.history, trusting: trust.signers)
    let cache = try cache.makeCache()
    var options = arguments.options()
    if let duringFreeze {
      options.freezeOverride = .init(by: cluster.operatorName, reason: duringFreeze)
    }
    let chosen = options
    let style = color.style(of: STDERR_FILENO)
    let report = try await cluster.withClient { client in
      try await source.refresh()
      let progress = ProgressLine("applying")
      defer { progress.clear() }
      let reconciler = SourceReconciler(
        source: source, target: EtcdConfigTarget(client), calendar: .system, cache: cache)
      let finished = { (facts: CommitFacts, result: CommitResult) in
        progress.clear()
        printResult(facts, result, source.repository, style)
        progress.advance()
      }
      guard let plan else {
        return try await reconciler.run(chosen, began: progress.begin, finished: finished)
      }
      return try await reconciler.apply(plan, chosen, began: progress.begin, finished: finished)
    }
    print(
      "source \(report.source): \(report.applied) applied, \(report.refused) refused, head "
        + (report.head?.short ?? "none"))
    try show(report)
  }

  /// What else there is to say.
  ///
  /// - Throws: `CommandFailure` where the answer is no.
  private func show(_ report: ReconcileReport) throws {
    for (keys, what) in [
      (report.drift.corrected, "put back"), (report.drift.reported, "drifted"),
      (report.drift.contested, "left alone after too many corrections"),
    ] {
      for key in keys {
        let change = key.revision.map { "changed at revision \($0)" } ?? "deleted"
        print("\(what)  \(printableLine(key.path.text))  \(change)")
      }
    }
    if let suspension = report.suspension {
      throw CommandFailure(
        .no,
        "source \(report.source) is suspended by \(printableLine(suspension.by)) since "
          + "\(suspension.time): \(printableLine(suspension.reason))")
    }
    if let freeze = report.freeze {
      throw CommandFailure(
        .no,
        "changes are frozen until \(freeze.endText) by '\(freeze.window)' of configsync.yaml: "
          + "nothing newer is applied before")
    }
    let isOpen = !report.drift.reported.isEmpty || !report.drift.contested.isEmpty
    if report.tipFindings != nil || isOpen { throw CommandFailure(.no, "") }
  }
}

/// Tells what became of a commit: one line, and the findings of a refused one.
func printResult(
  _ facts: CommitFacts, _ result: CommitResult, _ repository: GitRepository,
  _ style: HumanRenderer.Style
) {
  let subject = printableLine(facts.subject)
  switch result {
  case .applied(let revision, let plan):
    print(
      "revision \(revision)  \(facts.commit.short)  +\(plan.puts.count) -\(plan.deletes.count)  "
        + "\(printableLine(facts.author.name))  \(subject)")
  case .refused(let diagnostics):
    print("refused  \(facts.commit.short)  \(printableLine(facts.author.name))  \(subject)")
    // The tree was read a moment ago; without it the findings stand without their lines.
    let tree = try? repository.tree(of: facts.commit)
    let renderer = HumanRenderer(style) { path in
      guard let file = tree?.file(at: path), file.byteCount <= CompilerLimits.fileBytes else {
        return nil
      }
      return try? file.bytes()
    }
    printError(renderer.render(diagnostics.filter { $0.severity == .error }))
  }
}
