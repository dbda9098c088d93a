import Compiler
import ConfigModel
import Testing

/// What a hostile repository may write with references.
struct ReferenceLimitTests {
  private func codes(_ files: [String: String]) -> [DiagnosticCode] {
    compile(SourceTree(contents: files.mapValues { Array($0.utf8) })).diagnostics.map(\.code)
  }

  @Test func aChainHasAnEnd() {
    func chain(_ count: Int) -> String {
      (0..<count).map { "k\($0): ${./k\($0 + 1)}\n" }.joined() + "k\(count): 1\n"
    }
    #expect(codes(["a.yaml": chain(CompilerLimits.referenceChain - 1)]) == [])
    #expect(codes(["a.yaml": chain(20_000)]).first == .limitReferences)
    // The same from its other end: targets sort before what refers to them.
    func reversed(_ count: Int) -> String {
      "k1000: 1\n" + (1...count).map { "k\(1000 + $0): ${./k\(999 + $0)}\n" }.joined()
    }
    #expect(codes(["a.yaml": reversed(CompilerLimits.referenceChain - 1)]) == [])
    #expect(codes(["a.yaml": reversed(300)]) == [.limitReferences])
  }

  /// Each text is twice the one that it refers to.
  @Test func aBombOfReferencesIsStopped() {
    let bomb = (0..<60).map { "k\($0): ${./k\($0 + 1)}${./k\($0 + 1)}\n" }.joined() + "k60: xxxx\n"
    #expect(codes(["a.yaml": bomb]).first == .limitValueBytes)
  }

  /// Few values, of many bytes each.
  @Test func aBombOfLongTextsIsStopped() {
    let long = String(repeating: "x", count: 1 << 20)
    let keys = (0..<80).map { "k\($0): *a\n" }.joined()
    #expect(codes(["a.yaml": "a: &a \(long)\n\(keys)"]) == [.limitAliases])
    #expect(codes(["a.yaml": "a: &a\n  ? \(long)\n  : 1\n\(keys)"]) == [.limitAliases])
    #expect(codes(["a.yaml": "a: &a \(long.dropLast(8))\nb: *a\n"]) == [])
  }

  /// A long name over many keys is as long in each of them.
  @Test func aBombOfLongKeysIsStopped() {
    func file(_ bytes: Int, _ keys: Int) -> String {
      "{\"\(String(repeating: "k", count: bytes))\": {"
        + (0..<keys).map { "\"c\($0)\": 1" }.joined(separator: ", ") + "}}"
    }
    #expect(codes(["a.json": file(250_000, 20_000)]) == [.limitKeyBytes])
    #expect(codes(["a.json": file(4000, 100_000)]) == [.limitKeyBytes])
    #expect(codes(["a.json": file(4000, 100)]) == [])
    #expect(codes(["a.json": file(4094, 1)]) == [.limitKeyBytes])
    #expect(codes(["a.json": file(4089, 1)]) == [])
    let settings = "apiVersion: configsync/v1\nlayers: {p: [b]}\n"
    #expect(
      codes(["configsync.yaml": settings, "b/a.json": file(5000, 2)]) == [.limitKeyBytes])
  }

  @Test func aBombOfListsIsStopped() {
    let bomb = (1..<60).map { "a\($0): ['${./a\($0 - 1)}', '${./a\($0 - 1)}']\n" }.joined()
    #expect(codes(["a.yaml": "a0: [x]\n" + bomb]).first == .limitReferences)
  }

  /// Forwards and backwards: what is known already must not hide how deep it is.
  @Test(arguments: [1, -1])
  func listsWithinListsHaveAnEnd(direction: Int) {
    let (open, close) = (String(repeating: "[", count: 50), String(repeating: "]", count: 50))
    let keys = (1..<300).map { number in
      "k\(1_000 + number): \(open)'${./k\(1_000 + number + direction)}'\(close)\n"
    }.joined()
    let codes = codes(["a.yaml": "k1000: 1\nk1300: 1\n" + keys])
    #expect(codes.first == .limitReferences && Set(codes).count == 1)
  }

  @Test func whatManyKeysReferToCountsAsOften() {
    let large = String(repeating: "x", count: 1 << 20)
    let keys = (0..<300).map { "k\($0): ${/big}\n" }.joined()
    #expect(Set(codes(["big.yaml": large, "a.yaml": keys])) == [.limitReferences])
  }

  /// Twenty keys below three thousand namespaces are stopped at the limit of keys, and not made first.
  @Test func aLayerBelowManyNamespacesIsNoBomb() {
    let namespaces = (0..<3_000).map { "  n\($0): [base]\n" }.joined()
    let settings = "apiVersion: configsync/v1\nlimits: {maxKeys: 1000}\nlayers:\n" + namespaces
    let keys = (0..<20).map { "k\($0): 1\n" }.joined()
    #expect(codes(["configsync.yaml": settings, "base/a.yaml": keys]) == [.limitKeys])
    let empty = (0..<400).map { ("base/f\($0).yaml", "") }
    #expect(
      codes(Dictionary(uniqueKeysWithValues: empty + [("configsync.yaml", settings)]))
        == [.limitFiles])
  }

  @Test func unknownReferencesAreAllReported() {
    let keys = (0..<2_000).map { "k\($0): ${./q\($0)}\n" }.joined()
    #expect(codes(["a.yaml": keys]) == Array(repeating: .referenceUnknown, count: 2_000))
  }

  @Test func manyReferencesIntoOneDocumentReadItOnce() {
    let document = (0..<5_000).map { "v\($0): \($0)\n" }.joined()
    let keys = (0..<5_000).map { "k\($0): ${/doc/v\($0)}\n" }.joined()
    let settings = "apiVersion: configsync/v1\nfiles: [{match: doc.yaml, encode: document}]\n"
    #expect(codes(["configsync.yaml": settings, "doc.yaml": document, "a.yaml": keys]) == [])
  }
}
