import Compiler
import ConfigModel
import Foundation
import Jsonnet
import TestSupport
import Testing

/// Repositories as text, with the key space or the findings that they must give.
struct FixtureTests {
  @Test func everyRepositoryGivesWhatItsFixtureSays() throws {
    var (count, errors) = (0, 0)
    let needsEvaluator = ["jsonnet.txt", "policies.txt"]
    for script in try Script.all(beside: #filePath) {
      // Where this module alone is built, `configsync` is not beside the tests.
      let isEvaluated = needsEvaluator.contains(script.url.lastPathComponent)
      if isEvaluated, !JsonnetEvaluator.isAvailable {
        print("\(script.url.lastPathComponent): configsync is not beside the tests")
        continue
      }
      let found = script.cases.map { FixtureTests.describe($0.files) }
      if Script.mustUpdate { try script.update(found) }
      for (item, lines) in zip(script.cases, found) {
        count += 1
        if item.expected.contains(where: FixtureTests.isFinding) { errors += 1 }
        #expect(
          FixtureTests.agree(item.expected, lines),
          """
          \(script.url.lastPathComponent): \(item.name)
          expected:
          \(item.expected.joined(separator: "\n"))
          found:
          \(lines.joined(separator: "\n"))
          """)
      }
    }
    #expect(count >= 400, "the fixtures are read")
    #expect(
      2 * errors >= count, "at least as many end in an error as give keys: \(errors) of \(count)")
  }

  /// Whether a line is a place and a code, not a key and its value.
  private static func isFinding(_ line: String) -> Bool {
    let words = line.split(separator: " ")
    return words.count >= 2 && words[1] != "="
      && DiagnosticCode(rawValue: String(words[1])) != nil
  }

  static func describe(_ files: [(path: String, bytes: [UInt8])]) -> [String] {
    let tree = SourceTree(
      files.map { file in
        SourceTree.File(path: file.path, byteCount: file.bytes.count) { file.bytes }
      })
    let compilation = compile(tree)
    if let keySpace = compilation.keySpace {
      return keySpace.items.map { path, item in
        let value = Script.escape(item.value)
        return value.isEmpty ? "\(path) =" : "\(path) = \(value)"
      }
    }
    return compilation.diagnostics.filter { $0.severity == .error }.map { diagnostic in
      let (start, end) = (diagnostic.span.start, diagnostic.span.end)
      let place = "\(diagnostic.span.file):\(start.line):\(start.column)"
      let stretch = start == end ? "" : "-\(end.line):\(end.column)"
      let related = diagnostic.related.map {
        " related \($0.span.file):\($0.span.start.line):\($0.span.start.column)"
      }.joined()
      return "\(place)\(stretch) \(diagnostic.code.rawValue)\(related)"
    }
  }

  /// Whether the lines are equal, but for what an expectation leaves open: the end of a span, its
  /// column, or what is related.
  static func agree(_ expected: [String], _ found: [String]) -> Bool {
    expected.count == found.count
      && zip(expected, found).allSatisfy { expected, found in
        // Compared by bytes: Swift takes composed and decomposed texts for equal.
        expected.utf8.elementsEqual(found.utf8) || isLessPrecise(expected, than: found)
      }
  }

  private static func isLessPrecise(_ expected: String, than found: String) -> Bool {
    let expectedWords = expected.split(separator: " ")
    let foundWords = found.split(separator: " ")
    guard expectedWords.count >= 2, foundWords.count >= expectedWords.count,
      !expected.contains(" = "), expectedWords.dropFirst() == foundWords[1..<expectedWords.count]
    else { return false }
    let place = expectedWords[0]
    return foundWords[0] == place || foundWords[0].hasPrefix(place + ":")
      || foundWords[0].hasPrefix(place + "-")
  }
}
