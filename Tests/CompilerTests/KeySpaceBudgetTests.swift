import ConfigModel
import Jsonnet
import Testing

@testable import Compiler

/// What a small repository may ask for.
struct KeySpaceBudgetTests {
  private func codes(
    _ files: [String: String], bytes: Int = CompilerLimits.keySpaceBytes
  ) -> [DiagnosticCode] {
    let tree = SourceTree(contents: files.mapValues { Array($0.utf8) })
    var compiler = TreeCompiler(
      tree: tree, cache: CompileCache(), deadline: JsonnetDeadline(), keySpaceBytes: bytes)
    let compilation = compiler.compile()
    #expect((compilation.keySpace == nil) == compilation.diagnostics.hasErrors)
    return compilation.diagnostics.map(\.code)
  }

  /// Several threads reach the limit: whichever is first, the same is said.
  @Test func filesTogetherHaveALimit() {
    let text = String(repeating: "x", count: 100)
    var files: [String: String] = [:]
    for number in 0..<100 { files["a\(number).yaml"] = "k: \(text)\n" }
    #expect(codes(files, bytes: 100_000) == [])
    files["broken.yaml"] = "a: [\n"
    for _ in 0..<20 { #expect(codes(files, bytes: 20_000) == [.limitFiles]) }
    #expect(codes(files, bytes: 100_000) == [.yamlSyntax])
  }

  @Test func namespacesAboveALayerCountEach() {
    let files = [
      "configsync.yaml": "apiVersion: configsync/v1\nlayers: {p: [b], q: [b], r: [b]}\n",
      "b/a.yaml": "k: \(String(repeating: "x", count: 100))\n",
    ]
    #expect(codes(files, bytes: 2000) == [])
    #expect(codes(files, bytes: 1000) == [.limitFiles])
  }

  @Test func namesOfMapsCountInEachKey() {
    let name = String(repeating: "k", count: 1000)
    let keys = (0..<50).map { "\"c\($0)\": 1" }.joined(separator: ", ")
    #expect(codes(["a.json": "{\"\(name)\": {\(keys)}}"], bytes: 60_000) == [.limitFiles])
    #expect(codes(["a.json": "{\"k\": {\(keys)}}"], bytes: 60_000) == [])
    // So does each key, however short it is.
    #expect(codes(["a.json": "{\"k\": {\(keys)}}"], bytes: 10_000) == [.limitFiles])
  }

  /// Patterns that would take hours are not begun with.
  @Test func pathsAndPatternsTogetherHaveALimit() {
    let pattern = "xxxxxxx" + String(repeating: "{a,b}", count: 8) + "*"
    func settings(_ rules: Int) -> String {
      "apiVersion: configsync/v1\nfiles:\n"
        + String(repeating: "  - {match: '\(pattern)', ignore: true}\n", count: rules)
    }
    var files = ["configsync.yaml": settings(CompilerLimits.patterns)]
    #expect(codes(files) == [])
    for number in 0..<500 { files["folder/of/files/a\(number).yaml"] = "k: 1\n" }
    #expect(codes(files) == [.limitFiles])
    files["configsync.yaml"] = settings(2)
    #expect(codes(files) == [])
    files["configsync.yaml"] = settings(CompilerLimits.patterns + 1)
    #expect(codes(files) == [.configInvalid])
  }

  @Test func whatIsNotAskedForIsForgottenByBytes() {
    var table = Generations<Int, String>()
    let half = CompilerLimits.rememberedBytes / 2
    for number in 0..<3 { table.insert("\(number)", for: number, bytes: half) }
    #expect(table.find(0) == "0", "the generation before is still there")
    for number in 3..<9 { table.insert("\(number)", for: number, bytes: half) }
    #expect(table.find(1) == nil && table.find(8) == "8")
    table.insert("new", for: 8, bytes: 1)
    #expect(table.find(8) == "new")
  }
}
