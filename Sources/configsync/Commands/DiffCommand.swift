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
    case .text: showText(diff)
    case .json: try printJSON(DiffReport(diff))
    case .markdown: showMarkdown(diff)
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

  // MARK: - For people

  private func place(_ item: KeySpace.Item) -> String {
    let origin = item.origin
    return printableLine("\(origin.file):\(origin.start.line):\(origin.start.column)")
  }

  private func shown(_ item: KeySpace.Item) -> String {
    let text = printableLine(item.value)
    return text.count > 100 ? text.prefix(99) + "…" : text
  }

  private func showText(_ diff: KeySpaceDiff) {
    let style = color.style()
    func line(_ sign: String, _ tint: Int, _ text: String) {
      print(style == .colored ? "\u{1b}[\(tint)m\(sign) \(text)\u{1b}[0m" : "\(sign) \(text)")
    }
    for change in diff.changes {
      let key = printableLine(change.key.text)
      switch (change.old, change.new) {
      case (let old?, let new?):
        line("~", 33, "\(key): \(shown(old)) → \(shown(new))  (\(place(new)))")
      case (nil, let new?): line("+", 32, "\(key) = \(shown(new))  (\(place(new)))")
      case (let old?, nil): line("-", 31, "\(key) = \(shown(old))  (was \(place(old)))")
      case (nil, nil): break
      }
    }
    print(summary(diff))
  }

  private func summary(_ diff: KeySpaceDiff) -> String {
    guard !diff.changes.isEmpty else { return "no key differs" }
    let (added, changed) = (diff.count(of: .added), diff.count(of: .changed))
    return "\(added) added, \(changed) changed, \(diff.count(of: .removed)) removed"
  }

  private func showMarkdown(_ diff: KeySpaceDiff) {
    print("**\(summary(diff))**")
    guard !diff.changes.isEmpty else { return }
    print("\n| | key | old | new | source |\n| --- | --- | --- | --- | --- |")
    for change in diff.changes {
      let sign = change.kind == .added ? "+" : change.kind == .removed ? "−" : "~"
      let cells = [
        sign, code(printableLine(change.key.text)), change.old.map { code(shown($0)) } ?? "",
        change.new.map { code(shown($0)) } ?? "",
        (change.new ?? change.old).map { code(place($0)) } ?? "",
      ]
      print("| " + cells.joined(separator: " | ") + " |")
    }
  }

  /// A text in a cell of a table, as it is: fenced by more backticks than are in it.
  private func code(_ text: String) -> String {
    guard !text.isEmpty else { return "(empty)" }
    var longest = 0
    var run = 0
    // By scalars: to Swift's characters a sign before a combining mark is another one.
    for scalar in text.unicodeScalars {
      run = scalar == "`" ? run + 1 : 0
      longest = max(longest, run)
    }
    let fence = String(repeating: "`", count: longest + 1)
    let space = longest > 0 ? " " : ""
    let cell = text.unicodeScalars.map { $0 == "|" ? "\\|" : String($0) }.joined()
    return fence + space + cell + space + fence
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
