import ArgumentParser
import Compiler
import ConfigModel
import Foundation

struct ValidateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate", abstract: "Compile a configuration and report every finding.",
    discussion: """
      Without --rev, the working tree is read, uncommitted files too. Exit code 1: there is an
      error; 2: the repository can't be read.

      Example:
        configsync validate --repo my-config --rev HEAD~1
      """)

  @OptionGroup var repository: RepositoryOptions

  @Option(help: "A branch, tag or commit. Default: the working tree.")
  var rev: String?

  @Option(name: .shortAndLong, help: "human or json.")
  var output = OutputFormat.human

  @OptionGroup var color: ColorOptions

  func run() throws {
    let tree = try repository.tree(at: rev)
    let compilation = compile(tree)
    switch output {
    case .json: try printJSON(JSONReport(compilation))
    case .human:
      print(render(compilation, of: tree, color.style()), terminator: "")
      let errors = compilation.diagnostics.count { $0.severity == .error }
      if errors == 0 {
        print("valid: \(compilation.fileCount) files, \(compilation.keySpace?.count ?? 0) keys")
      } else {
        print("invalid: \(errors) error\(errors == 1 ? "" : "s")")
      }
    }
    if compilation.diagnostics.hasErrors { throw CommandFailure(.no, "") }
  }
}

/// The findings of a compilation with the lines of its tree.
func render(
  _ compilation: Compilation, of tree: SourceTree, _ style: HumanRenderer.Style
) -> String {
  let renderer = HumanRenderer(style) { path in
    guard let file = tree.files.first(where: { $0.path == path }), file.kind == .file,
      file.byteCount <= CompilerLimits.fileBytes
    else { return nil }
    // A file that can't be read has a finding of its own, without a line.
    return try? file.bytes()
  }
  return renderer.render(compilation.diagnostics)
}
