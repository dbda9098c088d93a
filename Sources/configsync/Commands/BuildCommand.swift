import ArgumentParser
import Compiler
import ConfigModel
import Foundation

struct BuildCommand: AsyncParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable { case table, json, env }

  static let configuration = CommandConfiguration(
    commandName: "build", abstract: "Print the key space of a configuration.",
    discussion: """
      Example:
        configsync build --repo my-config --prefix /production/
        configsync build --repo my-config --explain /production/database/pool/size
      """)

  @OptionGroup var repository: RepositoryOptions
  @OptionGroup var cache: CacheOptions

  @Option(help: "A branch, tag or commit. Default: the working tree.")
  var rev: String?

  @Option(help: "Only keys that begin with this.")
  var prefix = ""

  @Option(help: "Show which files, layers and references made the value of this key.")
  var explain: String?

  @Option(name: .shortAndLong, help: "table, json or env.")
  var output = Format.table

  @OptionGroup var color: ColorOptions

  func run() async throws {
    let (tree, compilation) = try await repository.compile(at: rev, try cache.makeCache())
    guard let keySpace = compilation.keySpace else {
      printError(render(compilation, of: tree, color.style(of: STDERR_FILENO)))
      throw CommandFailure(.no, "the configuration is invalid; nothing is built")
    }
    if let explain { return try show(explanationOf: explain, in: tree, compilation) }
    let items = keySpace.items.filter { $0.key.text.utf8.starts(with: prefix.utf8) }
    switch output {
    case .table:
      for (path, item) in items { print("\(printableLine(path.text)) = \(printable(item.value))") }
    case .json:
      printKeys(items.map { ($0.key.text, $0.value.value) })
    case .env:
      for (path, item) in items {
        print("\(variable(path.text.dropFirst(prefix.count)))=\(quoted(item.value))")
      }
    }
  }

  private func show(
    explanationOf key: String, in tree: SourceTree, _ compilation: Compilation
  ) throws {
    let explanations = Compiler.explain(ConfigPath(escaped: key), in: tree, compilation)
    guard !explanations.isEmpty else {
      throw CommandFailure(.no, "no file says anything of '\(key)'")
    }
    for (index, explanation) in explanations.enumerated() {
      if index > 0 { print() }
      print(explanation.text)
    }
  }

  /// A key as the name of a variable: letters, digits and `_`.
  private func variable(_ key: Substring) -> String {
    let name = key.drop { $0 == "/" }.uppercased().map { character in
      character.isASCII && (character.isLetter || character.isNumber) ? character : "_"
    }
    return (name.first?.isNumber == true ? "_" : "") + String(name)
  }

  /// A value as a shell reads it back.
  private func quoted(_ value: [UInt8]) -> String {
    "'" + String(decoding: value, as: UTF8.self).replacing("'", with: "'\\''") + "'"
  }
}
