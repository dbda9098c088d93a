import ArgumentParser
import Compiler
import ConfigModel
import Foundation
import GitSource

struct ValidateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate", abstract: "Compile a configuration and report every finding.",
    discussion: """
      Without --rev, the working tree is read, uncommitted files too. Exit code 1: there is an
      error; 2: the repository can't be read. Policies compare the working tree with HEAD, and a
      --rev with the commit before it, whether that was refused or not: where several commits
      are new, give the --base that is live. Owners are asked of a --rev alone.

      Example:
        configsync validate --repo my-config --rev HEAD~1
        configsync validate --rev HEAD --base origin/main
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case human, json, sarif, junit, github
  }

  @OptionGroup var repository: RepositoryOptions
  @OptionGroup var cache: CacheOptions

  @Option(help: "A branch, tag or commit. Default: the working tree.")
  var rev: String?

  @Option(
    help: "With --rev: what is live. The commits after it are judged as the reconciler would.")
  var base: String?

  @Option(name: .shortAndLong, help: "human, json, sarif, junit or github.")
  var output = Format.human

  @Flag(help: "Validate the working tree again whenever a file changes, until interrupted.")
  var watch = false

  @OptionGroup var trust: TrustOptions
  @OptionGroup var color: ColorOptions

  func validate() throws {
    if base != nil, rev == nil { throw ValidationError("--base needs --rev") }
    guard watch, rev != nil || output != .human else { return }
    throw ValidationError("--watch is for people and the working tree: leave --rev and -o out")
  }

  func run() async throws {
    if watch { try await watchForever() }
    guard try await show() else { throw CommandFailure(.no, "") }
  }

  /// Whether there is no error.
  private func show() async throws -> Bool {
    let (tree, compilation) = try await repository.compile(
      at: rev, since: base, trusting: trust.signers, try cache.makeCache())
    switch output {
    case .json: try printJSON(JSONReport(compilation))
    case .sarif: try printJSON(SARIFReport(compilation.diagnostics))
    case .junit: print(JUnitReport.render(compilation.diagnostics), terminator: "")
    case .github:
      print(GitHubReport.render(compilation.diagnostics), terminator: "")
      print(summary(of: compilation))
    case .human:
      print(render(compilation, of: tree, color.style()), terminator: "")
      print(summary(of: compilation))
    }
    return !compilation.diagnostics.hasErrors
  }

  private func summary(of compilation: Compilation) -> String {
    let errors = compilation.diagnostics.count { $0.severity == .error }
    let warnings = compilation.diagnostics.count { $0.severity == .warning }
    let more = warnings > 0 ? ", \(warnings) warning\(warnings == 1 ? "" : "s")" : ""
    if errors == 0 {
      return
        "valid: \(compilation.fileCount) files, \(compilation.keySpace?.count ?? 0) keys\(more)"
    }
    return "invalid: \(errors) error\(errors == 1 ? "" : "s")\(more)"
  }

  private func watchForever() async throws -> Never {
    var known: WorkingTreeState?
    let folder = try repository.open().workingDirectory
    guard let folder else {
      throw CommandFailure(.unknown, "a bare repository has no files to watch")
    }
    while true {
      let state = WorkingTreeState(of: folder)
      if state != known {
        known = state
        if isatty(STDOUT_FILENO) == 1 { print("\u{1b}[2J\u{1b}[H", terminator: "") }
        _ = try await show()
        fflush(nil)
      }
      try await Task.sleep(for: .milliseconds(300))
    }
  }
}

/// What tells whether a file of a working tree has changed: sizes and times.
private struct WorkingTreeState: Equatable {
  private struct File: Equatable {
    var size: Int
    var changed: Date
  }

  private var files: [String: File] = [:]

  init(of folder: String) {
    let keys: Set<URLResourceKey> = [
      .fileSizeKey, .contentModificationDateKey, .isDirectoryKey,
    ]
    let walk = FileManager.default.enumerator(
      at: URL(fileURLWithPath: folder), includingPropertiesForKeys: Array(keys))
    while let url = walk?.nextObject() as? URL {
      if url.lastPathComponent == ".git" {
        walk?.skipDescendants()
        continue
      }
      // A file that goes while it is looked at has changed anyway.
      guard let values = try? url.resourceValues(forKeys: keys), values.isDirectory != true else {
        continue
      }
      files[url.path] = File(
        size: values.fileSize ?? 0, changed: values.contentModificationDate ?? .distantPast)
    }
  }
}

/// The findings of a compilation with the lines of its tree.
func render(
  _ compilation: Compilation, of tree: SourceTree, _ style: HumanRenderer.Style
) -> String {
  let renderer = HumanRenderer(style) { path in
    guard let file = tree.file(at: path), file.kind == .file,
      file.byteCount <= CompilerLimits.fileBytes
    else { return nil }
    // A file that can't be read has a finding of its own, without a line.
    return try? file.bytes()
  }
  return renderer.render(compilation.diagnostics)
}
