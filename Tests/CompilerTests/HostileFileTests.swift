import ConfigModel
import Testing

@testable import Compiler

/// What one file may make the compiler do.
struct HostileFileTests {
  private func findings(_ text: String, named name: String) -> [Diagnostic] {
    var diagnostics: [Diagnostic] = []
    let source = SourceText(file: name, bytes: Array(text.utf8))
    _ =
      name.hasSuffix("json")
      ? JSONParser.parse(source, &diagnostics) : YAMLComposer.parse(source, &diagnostics)
    return diagnostics
  }

  @Test func theFindingsOfAFileAreBounded() {
    let members = Array(repeating: "\"\":1", count: 1_000).joined(separator: ",")
    let surrogates = String(repeating: "\\ud800", count: 1_000)
    for (name, text) in [
      ("a.json", "{\(members)}"), ("b.json", "\"\(surrogates)\""),
      ("c.yaml", String(repeating: "a: 1\n", count: 1_000)),
      ("d.yaml", String(repeating: "<<: {}\n", count: 1_000)),
    ] {
      #expect(findings(text, named: name).count == CompilerLimits.diagnosticsPerFile, "\(name)")
    }
  }

  @Test(arguments: [
    ("0", 16, "0"), ("000", 8, "0"), ("7", 8, "7"),
    ("ffffffffffffffff", 16, "18446744073709551615"),
    ("10000000000000000", 16, "18446744073709551616"), ("3b9aca00", 16, "1000000000"),
    ("7346545000", 8, "1000000000"), ("7346544777", 8, "999999999"),
    ("1000000000000000000000000000000000", 16, "5444517870735015415413993718908291383296"),
    ("DE0B6B3A7640000", 16, "1000000000000000000"),
  ])
  func digitsOfABaseBecomeDecimal(digits: String, radix: Int, decimal: String) {
    #expect(Numbers.integer(digits.utf8, radix: radix, isNegative: false) == decimal)
    let negative = decimal == "0" ? "0" : "-" + decimal
    #expect(Numbers.integer(digits.utf8, radix: radix, isNegative: true) == negative)
  }

  @Test(arguments: ["/a%zz", "/%2f", "\"/a\\nb\"", "\"/\\u0001\"", "/a%41"])
  func aPrefixThatNoKeyHasIsRefused(prefix: String) {
    let text = "apiVersion: configsync/v1\nprefix: \(prefix)\n"
    let file = SourceTree.File(
      path: "configsync.yaml", kind: .file, objectID: nil, byteCount: text.utf8.count
    ) { Array(text.utf8) }
    #expect(readSettings(SourceTree([file])) == nil)
  }
}
