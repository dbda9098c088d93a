import ArgumentParser
import Compiler
import ConfigModel
import Foundation
import GitSource
import Reconciler
import Server

struct PlanCommand: AsyncParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable { case human, json, markdown }

  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Show what 'apply' would change in the store.",
    discussion: """
      Compares with the live store, or, with --base, with a commit, and then asks
      no cluster. A plan that is saved by --out is applied by 'configsync apply
      FILE' as it is, or not at all. Exit code 0: nothing would change; 1:
      something would, or a commit would be refused.

      Example:
        configsync plan --repo my-config --out change.plan
        configsync plan --base origin/main --rev HEAD -o markdown
      """)

  @OptionGroup var source: SourceOptions
  @OptionGroup var cache: CacheOptions

  @Option(help: "A branch, tag or commit. Default: HEAD.")
  var rev = "HEAD"

  @Option(help: "A commit to compare with, instead of the store.")
  var base: String?

  @Option(name: .shortAndLong, help: "human, json or markdown.")
  var output = Format.human

  @Option(help: "A file for the plan, for 'apply'.")
  var out: String?

  @OptionGroup var arguments: ReconcileArguments
  @OptionGroup var trust: TrustOptions
  @OptionGroup var cluster: ClusterOptions
  @OptionGroup var color: ColorOptions

  func validate() throws {
    if base != nil, out != nil {
      throw ValidationError("a plan against --base can't be applied: leave --out away")
    }
  }

  func run() async throws {
    let plan = try await make()
    if let out { try PlanFile.write(plan, to: out) }
    switch output {
    case .human: show(plan)
    case .json: try printJSON(PrintedPlan(plan))
    case .markdown: showMarkdown(plan)
    }
    if !plan.isEmpty { throw CommandFailure(.no, "") }
  }

  private func make() async throws -> ReconcilePlan {
    let source = try source.open(
      branch: rev, history: arguments.history, trusting: trust.signers)
    let (options, cache) = (arguments.options(), try cache.makeCache())
    guard let base else {
      return try await cluster.withClient { client in
        try await source.refresh()
        return try await SourceReconciler(
          source: source, target: EtcdConfigTarget(client), calendar: .system, cache: cache
        ).plan(options)
      }
    }
    do {
      try await source.refresh()
      return try await SourceReconciler(
        source: source, target: NoTarget(), calendar: .system, cache: cache
      ).plan(options, after: try source.repository.resolve(base))
    } catch let error as ReconcileError {
      throw CommandFailure(error.isRefusal ? .no : .unknown, "\(error)")
    } catch let error as GitError {
      throw CommandFailure(.unknown, "\(error)")
    }
  }

  private func table(_ plan: ReconcilePlan) -> ChangeTable {
    ChangeTable(rows: plan.changes.map { .init(key: $0.key, old: $0.old, new: $0.new) })
  }

  private func show(_ plan: ReconcilePlan) {
    print("source \(plan.source): \(plan.head?.short ?? "nothing") → \(plan.tip.short)")
    for commit in plan.commits {
      let facts = commit.facts
      let verdict = commit.findings.isEmpty ? "apply " : "refuse"
      print(
        "\(verdict)  \(facts.commit.short)  \(printableLine(facts.author.name))  \(printableLine(facts.subject))"
      )
      for finding in commit.findings { print("        \(Self.line(finding))") }
    }
    for key in plan.drifted { print("put back  \(printableLine(key))") }
    for key in plan.leftDrifted { print("drifted, and left  \(printableLine(key))") }
    if let waiting = plan.waiting { print("waits: \(printableLine(waiting))") }
    table(plan).printText(color.style())
  }

  private static func line(_ finding: RefusalRecord.Finding) -> String {
    printableLine(
      "\(finding.file):\(finding.line):\(finding.column): \(finding.message) [\(finding.code)]")
  }

  private func showMarkdown(_ plan: ReconcilePlan) {
    let refused = plan.commits.filter { !$0.findings.isEmpty }
    print("### Plan for `\(plan.source)`\n")
    if let waiting = plan.waiting {
      print("⏸ waits: \(ChangeTable.code(printableLine(waiting)))\n")
    }
    for commit in refused {
      print("❌ \(ChangeTable.code(commit.facts.commit.short)) would be refused:\n")
      for finding in commit.findings { print("- \(ChangeTable.code(Self.line(finding)))") }
      print()
    }
    table(plan).printMarkdown()
  }
}

/// Where plans are made without a cluster.
private struct NoTarget: ConfigTarget {
  func items(under prefix: [UInt8]) async throws -> [StoredItem] { [] }
  func item(_ key: [UInt8]) async throws -> StoredItem? { nil }
  func commit(_ transaction: TargetTransaction) async throws -> TargetOutcome { .fenced }
  func watch(under prefix: String, _ changed: @escaping @Sendable (Int64, [[UInt8]]) -> Void)
    async throws
  {}
}

/// A plan in a file: JSON.
enum PlanFile {
  private static let maximumBytes = 1 << 30

  static func write(_ plan: ReconcilePlan, to path: String) throws {
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys]
      // It holds values: nobody else may read it, not for a moment.
      let draft = path + ".\(UUID().uuidString)"
      guard
        FileManager.default.createFile(
          atPath: draft, contents: try encoder.encode(plan), attributes: [.posixPermissions: 0o600])
      else { throw CocoaError(.fileWriteUnknown) }
      guard rename(draft, path) == 0 else {
        let reason = String(cString: strerror(errno))
        try FileManager.default.removeItem(atPath: draft)
        throw CommandFailure(.unknown, "can't write '\(path)': \(reason)")
      }
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      throw CommandFailure(.unknown, "can't write '\(path)': \(error.localizedDescription)")
    }
  }

  static func read(_ path: String) throws -> ReconcilePlan {
    let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
    guard size <= maximumBytes, let data = FileManager.default.contents(atPath: path) else {
      throw CommandFailure(.unknown, "can't read '\(path)', or it is no plan")
    }
    do {
      let plan = try JSONDecoder().decode(ReconcilePlan.self, from: data)
      guard plan.version == ReconcilePlan.currentVersion else {
        throw CommandFailure(.unknown, "'\(path)' is a plan of another version: \(plan.version)")
      }
      return plan
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      throw CommandFailure(.unknown, "'\(path)' is no plan, or is damaged")
    }
  }
}

/// `plan -o json`.
private struct PrintedPlan: Encodable {
  struct Change: Encodable {
    var key: String
    var change: String
    var old: PrintedValue?
    var new: PrintedValue?
  }
  struct Commit: Encodable {
    var commit: String
    var author: String
    var subject: String
    var ok: Bool
    var findings: [RefusalRecord.Finding]
  }

  var source: String
  var head: String?
  var headRevision: Int64
  var tip: String
  var added: Int
  var changed: Int
  var removed: Int
  var commits: [Commit]
  var changes: [Change]
  var drifted: [String]
  var leftDrifted: [String]
  var waiting: String?

  init(_ plan: ReconcilePlan) {
    source = plan.source
    head = plan.head?.text
    headRevision = plan.headRevision
    tip = plan.tip.text
    added = plan.count(of: .added)
    changed = plan.count(of: .changed)
    removed = plan.count(of: .removed)
    commits = plan.commits.map { commit in
      Commit(
        commit: commit.facts.commit.text, author: commit.facts.author.name,
        subject: commit.facts.subject, ok: commit.findings.isEmpty, findings: commit.findings)
    }
    changes = plan.changes.map { change in
      Change(
        key: change.key, change: change.kind.rawValue, old: change.old.map { PrintedValue($0) },
        new: change.new.map { PrintedValue($0) })
    }
    drifted = plan.drifted
    leftDrifted = plan.leftDrifted
    waiting = plan.waiting
  }
}
