import ConfigModel
import TestSupport
import Testing

@testable import Compiler

struct SourceTextTests {
  /// Each place by counting from the start of its line.
  @Test func aPlaceAndItsByteAreEachOthers() {
    var random = SeededRandomNumbers(seed: 1)
    for _ in 0..<20 {
      let pieces = ["a", "é", "😀", "\u{301}", "\n", "x: 1, "]
      let text = (0..<400).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
      let source = SourceText(file: "f", bytes: Array(text.utf8))
      var (line, column, offset) = (1, 1, 0)
      for scalar in text.unicodeScalars {
        let place = SourcePosition(line: line, column: column)
        #expect(source.position(offset) == place && source.offset(place) == offset)
        offset += UTF8.width(scalar)
        (line, column) = scalar == "\n" ? (line + 1, 1) : (line, column + 1)
      }
      #expect(source.position(offset) == SourcePosition(line: line, column: column))
      #expect(source.offset(SourcePosition(line: line, column: column + 9)) == offset)
    }
  }

  @Test func aLongLineCostsNoMoreThanManyLines() {
    let members = (0..<30_000).map { "\"k\($0)\":\($0)" }.joined(separator: ",")
    let tree = SourceTree(contents: ["a.json": Array("{\(members)}".utf8)])
    #expect(compile(tree).keySpace?.count == 30_000)
  }
}
