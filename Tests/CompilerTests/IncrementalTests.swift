import Compiler
import ConfigModel
import Jsonnet
import Synchronization
import TestSupport
import Testing

/// A cache changes what a compilation costs, never what it gives.
struct IncrementalTests {
  private static let paths = [
    "configsync.yaml", "base/db.yaml", "base/_.yaml", "base/sub/x.json", "eu/db.toml",
    "eu/motd.conf",
    "production/db.yaml", "production/motd.conf", "production/sub/x.yaml", "staging/db.json",
    "shared.yaml", "doc.yaml",
  ]

  /// Contents that mean something where they stand, some of them wrong.
  private static func content(
    of path: String, _ random: inout SeededRandomNumbers
  ) -> String {
    let number = Int.random(in: 0..<4, using: &random)
    if path == "configsync.yaml" {
      return """
        apiVersion: configsync/v1
        encode: \(number == 0 ? "document" : "leaf")
        prefix: \(number == 1 ? "/acme" : "/")
        limits: {maxValueBytes: \(number == 2 ? 6 : 4096)}
        layers:
          production: [\(["base", "base, eu", "eu", "eu, base"][number])]
          staging: [base]
        files:
          - {match: "**/*.conf", encode: raw}
          - {match: doc.yaml, encode: \(number < 2 ? "document" : "leaf")}
          - {match: eu/db.toml, ignore: \(number == 3)}

        """
    }
    let isBroken = Int.random(in: 0..<40, using: &random) == 0
    if path.hasSuffix(".conf") { return "line \(number)" }
    let text = ["x", "${/shared/a}", "y${/shared/a}", isBroken ? "${./none}" : "$${./a}"][number]
    let other = Int.random(in: 0..<4, using: &random)
    if path.hasSuffix(".json") { return #"{"a": \#(other), "b": "\#(text)", "c": null}"# }
    if path.hasSuffix(".toml") { return "a = \(other)\nb = \"\(text)\"\n" }
    if isBroken { return "a: [1, 2\n" }
    return ["a: \(other)\nb: \(text)\n", "a: \(text)\n", "a: null\nb: {}\n", "a: [1, 2]\n"][other]
  }

  /// The tree of some files, made from another one or anew.
  private static func tree(
    _ files: [String: String], from old: SourceTree, _ random: inout SeededRandomNumbers
  ) -> SourceTree {
    let new = SourceTree(
      files.map { path, content in
        SourceTree.File(path: path, objectID: content, byteCount: content.utf8.count) {
          Array(content.utf8)
        }
      })
    if Bool.random(using: &random) { return new }
    return old.applying(new.differences(from: old).map { ($0.path, $0.new) })
  }

  private static func describe(_ compilation: Compilation) -> [String] {
    let items = compilation.keySpace?.items.map { "\($0.key) = \($0.value)" } ?? []
    return items + compilation.diagnostics.map { "\($0)" } + ["\(compilation.fileCount)"]
  }

  @Test(arguments: 0..<8)
  func aCacheChangesNothing(seed: UInt64) {
    var random = SeededRandomNumbers(seed: seed)
    let cache = CompileCache()
    var files = ["shared.yaml": "a: 1\n", "base/db.yaml": "a: 0\n", "eu/motd.conf": "hello"]
    var tree = SourceTree([])
    var (valid, partial) = (0, 0)
    for _ in 0..<120 {
      let path = Self.paths.randomElement(using: &random) ?? ""
      let isGone = Int.random(in: 0..<5, using: &random) == 0
      files[path] = isGone ? nil : Self.content(of: path, &random)
      tree = Self.tree(files, from: tree, &random)
      let found = compile(tree, cache: cache)
      #expect(Self.describe(found) == Self.describe(compile(tree)))
      if found.keySpace != nil { valid += 1 }
      if found.extent != .whole { partial += 1 }
    }
    #expect(partial > valid / 3, "most that are valid are compiled from the one before")
    #expect((1..<120).contains(valid), "some commits are valid, and some are not")
  }

  /// Storage in memory; some of what it gives back is cut off.
  private final class Shelf: CompileStorage {
    private let values = Mutex<[[UInt8]: [UInt8]]>([:])
    private let random = Mutex(SeededRandomNumbers(seed: 1))
    let hits = Mutex(0)

    func value(for key: [UInt8]) -> [UInt8]? {
      guard let value = values.withLock({ $0[key] }) else { return nil }
      hits.withLock { $0 += 1 }
      let isCut = random.withLock { Int.random(in: 0..<4, using: &$0) == 0 }
      guard isCut else { return value }
      return Array(value.prefix(random.withLock { Int.random(in: 0..<value.count, using: &$0) }))
    }

    func store(_ value: [UInt8], for key: [UInt8]) { values.withLock { $0[key] = value } }
    func flush() {}
  }

  /// What other processes have stored, whole or cut off, changes nothing either.
  @Test(arguments: 0..<4)
  func whatIsStoredChangesNothing(seed: UInt64) {
    var random = SeededRandomNumbers(seed: seed)
    let shelf = Shelf()
    var files = ["shared.yaml": "# yaml-language-server: $schema=x.json\na: 1\n"]
    for _ in 0..<100 {
      let path = Self.paths.randomElement(using: &random) ?? ""
      files[path] = Self.content(of: path, &random)
      let tree = Self.tree(files, from: SourceTree([]), &random)
      let found = compile(tree, cache: CompileCache(storage: shelf))
      #expect(Self.describe(found) == Self.describe(compile(tree)))
    }
    #expect(shelf.hits.withLock { $0 } > 100)
  }

  /// What is evaluated or checked depends on other files: each of them may change, go, or come.
  private static let dependent: [String: [String]] = [
    "configsync.yaml": [
      "apiVersion: configsync/v1\nroot: c\nfiles: [{match: '*/a.*', schema: s/a.json}]\n",
      "apiVersion: configsync/v1\nroot: c\nlayers: {p: [b]}\n"
        + "files: [{match: '*/a.*', schema: s/b.json}]\npolicies: ['policies/*.jsonnet']\n",
    ],
    "s/a.json": [
      #"{"$ref": "types.json#/$defs/n"}"#, #"{"properties": {"n": {"$ref": "https://e.x/t"}}}"#,
    ],
    "s/b.json": [#"{"required": ["n"]}"#],
    "s/types.json": [
      #"{"$defs": {"n": {"properties": {"n": {"type": "integer"}}}}}"#,
      #"{"$id": "https://e.x/t", "$defs": {"n": {}}, "type": "integer"}"#,
    ],
    "lib/x.libsonnet": ["{n: 1}", "{n: 'one'}", "{n: import 'y.libsonnet'}"],
    "lib/y.libsonnet": ["2", "null"],
    "c/p/a.jsonnet": [
      "(import '../../lib/x.libsonnet') + {m: 1}", "{n: importstr '../../lib/y.libsonnet'}",
    ],
    "c/b/a.yaml": ["n: 7\n", "m: ${/p/a/n}\n"],
    "policies/n.jsonnet": [
      "function(config, previous) [{key: '/p/a/n', message: 'x', severity: 'warning'}]",
      "function(config, previous) if config == previous then [{key: '/', message: 'same'}] else []",
    ],
  ]

  @Test(
    .enabled(if: JsonnetEvaluator.isAvailable, "configsync is not beside the tests"),
    arguments: 0..<3)
  func aCacheKnowsWhatDependsOnWhat(seed: UInt64) {
    var random = SeededRandomNumbers(seed: seed)
    let cache = CompileCache()
    let shelf = Shelf()
    var files = Self.dependent.mapValues { $0[0] }
    var before: SourceTree?
    var (valid, partial) = (0, 0)
    for _ in 0..<25 {
      let path = Self.dependent.keys.sorted().randomElement(using: &random) ?? ""
      let isGone = Int.random(in: 0..<5, using: &random) == 0
      files[path] = isGone ? nil : Self.dependent[path]?.randomElement(using: &random)
      let tree = Self.tree(files, from: before ?? SourceTree([]), &random)
      let last = before
      let history = CommitHistory(by: nil) { $0 == 1 ? last : nil }
      let found = compile(tree, after: history, cache: cache)
      let whole = Self.describe(compile(tree, after: history))
      #expect(Self.describe(found) == whole)
      let stored = compile(tree, after: history, cache: CompileCache(storage: shelf))
      #expect(Self.describe(stored) == whole)
      if found.keySpace != nil { valid += 1 }
      if found.extent != .whole { partial += 1 }
      before = tree
    }
    #expect(partial > 0, "some are compiled from the one before")
    #expect((1..<25).contains(valid), "some commits are valid, and some are not")
  }

  /// What one change makes the compiler look at.
  @Test(arguments: [
    ("p0/f0.yaml", "n: 8\n", 1), ("base/a.yaml", "n: 8\n", 2), ("q/r.yaml", "a: 7\n", 3),
    ("q/s.yaml", "b: 8\nc: ${/q/r/a}\n", 2), ("s/n.json", #"{"type": "object", "title": "n"}"#, 3),
    ("p7/f7.yaml", "n: 9\n", 1), ("README.md", "nothing that is published", 0),
  ])
  func aChangeCostsWhatDependsOnIt(path: String, content: String, units: Int) {
    var files: [String: String] = [
      "configsync.yaml": "apiVersion: configsync/v1\nfiles: [{match: q/*.yaml, schema: s/n.json}]\n"
        + "layers: {l1: [base], l2: [base], l3: [other]}\n",
      "base/a.yaml": "n: 1\n", "l1/b.yaml": "n: 1\n", "other/a.yaml": "n: 1\n",
      "s/n.json": #"{"type": "object"}"#, "q/r.yaml": "a: 1\n", "q/s.yaml": "b: ${/q/r/a}\n",
      "q/t.yaml": "c: ${/q/s/b}\n",
    ]
    for number in 0..<500 { files["p\(number % 10)/f\(number).yaml"] = "n: \(number)\n" }
    func tree(_ files: [String: String]) -> SourceTree {
      SourceTree(
        files.map { path, content in
          SourceTree.File(path: path, objectID: content, byteCount: content.utf8.count) {
            Array(content.utf8)
          }
        })
    }
    let cache = CompileCache()
    #expect(compile(tree(files), cache: cache).extent == .whole)
    files[path] = content
    let found = compile(tree(files), cache: cache)
    #expect(found.extent == .units(units))
    #expect(Self.describe(found) == Self.describe(compile(tree(files))))
  }

  private static func compiled(_ files: [String: String], _ cache: CompileCache) -> Compilation {
    var random = SeededRandomNumbers(seed: 1)
    return compile(tree(files, from: SourceTree([]), &random), cache: cache)
  }

  /// What the cache has learned from a tree that came to nothing is not what the last good one was made of.
  @Test(.enabled(if: JsonnetEvaluator.isAvailable, "configsync is not beside the tests"))
  func anImportThatCameWithAnErrorCountsOnceThatIsMended() {
    let cache = CompileCache()
    var files = [
      "configsync.yaml":
        "apiVersion: configsync/v1\nlayers: {q: [base]}\nfiles: [{match: lib.jsonnet, ignore: true}]\n",
      "p/main.jsonnet": "import '../lib.libsonnet'", "base/a.jsonnet": "import '../lib.libsonnet'",
      "lib.libsonnet": "{n: 1}", "p/x.yaml": "a: 1\n",
    ]
    func check() {
      let found = Self.describe(Self.compiled(files, cache))
      #expect(found == Self.describe(Self.compiled(files, CompileCache())))
    }
    check()
    files["lib.libsonnet"] = "{n: 2}"
    files["p/x.yaml"] = "a: [\n"
    check()
    files["p/x.yaml"] = "a: 1\n"
    check()
    // Nearer to the tree before the last than to the last.
    for number in 0..<5 { files["p/y\(number).yaml"] = "a: 1\n" }
    files["lib.libsonnet"] = "{n: 3}"
    check()
    for number in 0..<5 { files["p/y\(number).yaml"] = nil }
    check()
  }

  /// The same bytes are another document under another name.
  @Test func aCopyOfASchemaSwitchesNothingOff() {
    let schema = "$id: https://e.x/t\nproperties: {port: {type: integer}}\n"
    var files = [
      "configsync.yaml": "apiVersion: configsync/v1\nroot: config\n", "schemas/s.yaml": schema,
      "config/p/x.yaml": "# yaml-language-server: $schema=https://e.x/t\nport: many\n",
    ]
    let cache = CompileCache()
    #expect(Self.compiled(files, cache).diagnostics.map(\.code) == [.schemaType])
    files["aaa.json"] = schema
    #expect(Self.compiled(files, cache).diagnostics.map(\.code) == [.schemaType])
    #expect(Self.compiled(files, CompileCache()).diagnostics.map(\.code) == [.schemaType])
  }
}
