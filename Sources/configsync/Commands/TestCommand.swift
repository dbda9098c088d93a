import ArgumentParser
import Compiler
import ConfigModel
import Foundation

struct TestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test", abstract: "Run the repository's own tests of its policies.",
    discussion: """
      Tests are files that end in _test.jsonnet. Such a file evaluates to an object, each field of
      which is a test: true, or {actual: …, expected: …} with two equal values.

      Exit code 1: a test fails; 2: the repository can't be read.

      Example:
        configsync test --repo my-config
      """)

  @OptionGroup var repository: RepositoryOptions

  @Option(help: "A branch, tag or commit. Default: the working tree.")
  var rev: String?

  @Option(name: .shortAndLong, help: "human, json or junit.")
  var output = Format.human

  enum Format: String, ExpressibleByArgument, CaseIterable { case human, json, junit }

  private struct Outcome: Encodable {
    var file: String
    var name: String
    var ok: Bool
    var line: Int?
    var message: String?
  }

  private struct Report: Encodable {
    var ok: Bool
    var tests: [Outcome]
  }

  func run() throws {
    let results = PolicyTests.run(try repository.tree(at: rev))
    let failures = results.compactMap(\.failure)
    if let finding = failures.first(where: { $0.code == .jsonnetUnavailable }) {
      throw CommandFailure(.unknown, finding.message)
    }
    switch output {
    case .junit: print(JUnitReport.render(results), terminator: "")
    case .json:
      try printJSON(
        Report(
          ok: failures.isEmpty,
          tests: results.map { result in
            Outcome(
              file: result.file, name: result.name, ok: result.failure == nil,
              line: result.failure?.span.start.line, message: result.failure?.message)
          }))
    case .human: show(results)
    }
    if !failures.isEmpty { throw CommandFailure(.no, "") }
  }

  private func show(_ results: [PolicyTestResult]) {
    for result in results {
      let name = result.name.isEmpty ? result.file : "\(result.file): \(result.name)"
      guard let failure = result.failure else {
        print("ok    \(printableLine(name))")
        continue
      }
      print("FAIL  \(printableLine(name))")
      let start = failure.span.start
      print(
        "      \(printableLine(failure.span.file)):\(start.line):\(start.column): "
          + printableLine(failure.message))
    }
    let failed = results.count { $0.failure != nil }
    if results.isEmpty {
      print("no tests: a file that ends in '_test.jsonnet' is one")
    } else {
      print("\(results.count - failed) passed, \(failed) failed")
    }
  }
}
