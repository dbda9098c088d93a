import Foundation
import TestSupport
import Testing

/// The fuzzers build, and each takes a few inputs: `make fuzz` gives them millions.
struct FuzzingTests {
  /// Inputs for each; some decoders make files of theirs.
  private static let inputs = 64
  private static let longest = 256

  @Test(arguments: fuzzTargets.keys.sorted())
  func aDecoderTakesWhateverComes(_ name: String) throws {
    let decode = try #require(fuzzTargets[name])
    var chance = SeededRandomNumbers(seed: name.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) })
    var taken = 0
    decode([])
    for number in 0..<FuzzingTests.inputs {
      let count = Int(chance.next() % UInt64(FuzzingTests.longest))
      // Any bytes, and mostly those of texts.
      let bytes = (0..<count).map { _ in
        number % 2 == 0 ? UInt8(truncatingIfNeeded: chance.next()) : chance.character()
      }
      decode(bytes)
      taken += 1
    }
    #expect(taken == FuzzingTests.inputs)
  }

  @Test func theScriptRunsEveryFuzzer() throws {
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../Scripts/fuzz.sh")
    let text = try String(contentsOf: script, encoding: .utf8)
    let list = try #require(text.split(separator: "|| targets=(").dropFirst().first)
    let names = list.prefix { $0 != ")" }.split(whereSeparator: \.isWhitespace).map(String.init)
    #expect(names.sorted() == fuzzTargets.keys.sorted())
  }
}

extension SeededRandomNumbers {
  fileprivate mutating func character() -> UInt8 {
    let characters = Array("{}[]:,\"'\n #$/.*?\\()|&-_<>=01ab".utf8) + [0]
    return characters[Int(next() % UInt64(characters.count))]
  }
}
