import Compiler
import ConfigModel
import Testing

/// What nests without brackets ends as an error, however deep it is.
struct TOMLDepthTests {
  private func codes(_ text: String) -> [DiagnosticCode] {
    compile(SourceTree(contents: ["a.toml": Array(text.utf8)])).diagnostics.map(\.code)
  }

  @Test(arguments: [70, 1900, 5000, 200_000])
  func partsOfAKeyHaveALimit(count: Int) {
    let key = Array(repeating: "a", count: count).joined(separator: ".")
    #expect(codes("\(key) = 1\n") == [.limitDepth])
    #expect(codes("[\(key)]\nb = 1\n") == [.limitDepth])
    #expect(codes("a = {\(key) = 1}\n") == [.limitDepth])
  }

  @Test func listsOfFractionsAreNoKeys() {
    let items = Array(repeating: "1.5", count: 5000).joined(separator: ", ")
    #expect(codes("a = [\(items)]\n").isEmpty)
  }

  @Test(arguments: ["\u{25b}", "\u{a1} = 1", "a = \u{1680}1"])
  func lettersBeyondASCIIEndNothing(text: String) {
    #expect(codes(text + "\n") == [.tomlSyntax])
  }

  /// Tables inside each other, each with a key of many parts.
  @Test(arguments: [(250, 2), (1990, 200), (60, 100), (1, 300)])
  func partsOfKeysInsideEachOtherAddUp(parts: Int, tables: Int) {
    let key = Array(repeating: "k", count: parts).joined(separator: ".")
    let start = String(repeating: "\(key) = {", count: tables)
    #expect(codes("\(start)a = 1\(String(repeating: "}", count: tables))\n") == [.limitDepth])
    #expect(
      codes("a = [{\(start)a = 1\(String(repeating: "}", count: tables))}]\n") == [.limitDepth])
  }

  /// The quotes before the three that end a long string are its own.
  @Test(arguments: ["\"", "'"], ["", "1", "2"])
  func longStringsMayEndWithTheirOwnQuotes(quote: String, more: String) {
    let end = String(repeating: quote, count: 3 + (Int(more) ?? 0))
    let long = String(repeating: quote, count: 3) + "a" + end
    let key = Array(repeating: "k", count: 200_000).joined(separator: ".")
    #expect(codes("x = {s = \(long), \(key) = 1}\n") == [.limitDepth])
    let text = String(repeating: "word. ", count: 3000)
    #expect(codes("x = [\(long), \"\(text)\"]\n").isEmpty)
  }

  /// A text of many sentences is no key of many parts.
  @Test(arguments: ["\"", "'", "\"\"\"", "\'\'\'"])
  func dotsInStringsAreNoKeys(quote: String) {
    let text = String(repeating: "So it is. ", count: 5000)
    #expect(codes("a = \(quote)\(text)\(quote)\nb = 1\n").isEmpty)
    let name = text.prefix(3000)
    #expect(codes("\(quote.prefix(1))\(name)\(quote.prefix(1)) = 1\n").isEmpty)
    #expect(codes("# \(quote)\(text)\na = 1\n").isEmpty)
    // What follows a string is looked at again.
    let key = Array(repeating: "a", count: 5000).joined(separator: ".")
    #expect(codes("a = \(quote)x\(quote)\n\(key) = 1\n") == [.limitDepth])
    #expect(codes("a = \"x\\\"\"\n\(key) = 1\n") == [.limitDepth])
  }
}
