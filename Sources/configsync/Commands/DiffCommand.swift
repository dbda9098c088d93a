import ArgumentParser
import Compiler
import ConfigModel
import Foundation
import GitSource

struct DiffCommand: ParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json, markdown }

  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "Show which keys differ between two commits.",
    discussion: """
      A..B compares two commits; A alone, or A.., compares a commit with the working tree, and
      nothing at all HEAD with it. Exit code 1: they differ, or one of them is invalid.

      Example:
        configsync diff main..HEAD
        configsync diff -o markdown
      """)

  @Argument(help: "A..B, A.. or A.")
  var range = "HEAD"

  @OptionGroup var repository: RepositoryOptions
  @OptionGroup var cache: CacheOptions

  @Option(help: "Only keys that begin with this.")
  var prefix = ""

  @Option(name: .shortAndLong, help: "text, json or markdown.")
  var output = Format.text

  @OptionGroup var color: ColorOptions

  func run() throws {
    let ends = range.firstRange(of: "..")
    let from = ends.map { String(range[..<$0.lowerBound]) } ?? range
    let to = ends.map { String(range[$0.upperBound...]) } ?? ""
    let (repository, cache) = (try repository.open(), try cache.makeCache())
    let old = try keySpace(from.isEmpty ? "HEAD" : from, of: repository, cache)
    let new = try keySpace(to.isEmpty ? nil : to, of: repository, cache)
    var diff = KeySpaceDiff(from: old, to: new)
    if !prefix.isEmpty {
      diff.changes.removeAll { !$0.key.text.utf8.starts(with: prefix.utf8) }
    }
    switch output {
    case .text: table(diff).printText(color.style())
    case .json: try printJSON(DiffReport(diff))
    case .markdown: table(diff).printMarkdown()
    }
    if !diff.changes.isEmpty { throw CommandFailure(.no, "") }
  }

  private func keySpace(
    _ revision: String?, of repository: GitRepository, _ cache: CompileCache
  ) throws -> KeySpace {
    // What a policy says of a change is for `validate`: the change is shown all the more.
    let tree = try repository.tree(at: revision)
    let compilation = compileValues(tree, cache: cache)
    guard let keySpace = compilation.keySpace else {
      printError(render(compilation, of: tree, color.style(of: STDERR_FILENO)))
      throw CommandFailure(.no, "\(revision ?? "the working tree") is invalid; nothing is compared")
    }
    return keySpace
  }

  private func table(_ diff: KeySpaceDiff) -> ChangeTable {
    ChangeTable(
      rows: diff.changes.map { change in
        ChangeTable.Row(
          key: change.key.text, old: change.old?.value, new: change.new?.value,
          place: (change.new ?? change.old).map { item in
            let origin = item.origin
            return "\(origin.file):\(origin.start.line):\(origin.start.column)"
          })
      })
  }
}

/// `diff -o json`.
private struct DiffReport: Encodable {
  struct Place: Encodable {
    var file: String
    var line: Int
    var column: Int
  }

  struct Change: Encodable {
    var key: String
    var change: String
    var old: PrintedValue?
    var new: PrintedValue?
    var oldSource: Place?
    var source: Place?
  }

  var added: Int
  var changed: Int
  var removed: Int
  var changes: [Change]

  init(_ diff: KeySpaceDiff) {
    added = diff.count(of: .added)
    changed = diff.count(of: .changed)
    removed = diff.count(of: .removed)
    func place(_ item: KeySpace.Item?) -> Place? {
      item.map {
        Place(
          file: $0.origin.file, line: $0.origin.start.line, column: $0.origin.start.column)
      }
    }
    changes = diff.changes.map { change in
      Change(
        key: change.key.text, change: change.kind.rawValue,
        old: change.old.map { PrintedValue($0.value) },
        new: change.new.map { PrintedValue($0.value) }, oldSource: place(change.old),
        source: place(change.new))
    }
  }
}
