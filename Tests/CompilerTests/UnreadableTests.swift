import ConfigModel
import Jsonnet
import Synchronization
import Testing

@testable import Compiler

/// What can't be read just now is neither valid nor invalid, and is read again.
struct UnreadableTests {
  private struct Damaged: Error {}

  private final class Disk: Sendable {
    let damaged = Mutex<String?>(nil)

    func tree(_ files: [String: String]) -> SourceTree {
      SourceTree(
        files.map { path, content in
          SourceTree.File(path: path, objectID: content, byteCount: content.utf8.count) { [self] in
            if damaged.withLock({ $0 }) == path { throw Damaged() }
            return Array(content.utf8)
          }
        })
    }
  }

  private static let schema = #"{"$id": "https://e.x/t", "type": "object"}"#
  private let files = [
    "configsync.yaml": "apiVersion: configsync/v1\nroot: c\nlayers: {q: [base]}\n"
      + "files: [{match: 'p/s.yaml', schema: s/a.json}]\npolicies: ['policies/*.jsonnet']\n",
    "c/p/a.yaml": "x: 1\n", "c/p/s.yaml": "n: 1\n", "c/base/a.yaml": "y: 1\n",
    "c/p/t.yaml": "# yaml-language-server: $schema=https://e.x/t\nn: 1\n",
    "c/p/j.jsonnet": "import '../../lib.libsonnet'", "lib.libsonnet": "{z: 1}",
    "s/a.json": #"{"$ref": "b.json"}"#, "s/b.json": #"{"type": "object", "x": 1}"#,
    "s/t.json": schema, "s/other.json": #"{"$id": "https://e.x/u"}"#,
    "policies/a.jsonnet": "function(config, previous) import '../rules.libsonnet'",
    "rules.libsonnet": "[]",
  ]

  @Test(
    .enabled(if: JsonnetEvaluator.isAvailable, "configsync is not beside the tests"),
    arguments: [
      "configsync.yaml", "c/p/a.yaml", "c/p/s.yaml", "c/base/a.yaml", "c/p/t.yaml", "c/p/j.jsonnet",
      "lib.libsonnet", "s/a.json", "s/b.json", "s/t.json", "s/other.json", "policies/a.jsonnet",
      "rules.libsonnet",
    ])
  func whatCantBeReadIsReadAgain(path: String) {
    let (disk, cache) = (Disk(), CompileCache())
    disk.damaged.withLock { $0 = path }
    let first = compile(disk.tree(files), cache: cache)
    #expect(first.keySpace == nil && first.unknown?.code == .fileUnreadable)
    disk.damaged.withLock { $0 = nil }
    let second = compile(disk.tree(files), cache: cache)
    #expect(second.diagnostics.map(\.message) == [] && second.keySpace?.count == 5)
  }

  /// Older owners do not stand in for those of a commit that can't be read.
  @Test func aCommitBeforeThatCantBeReadIsNotPassedOver() {
    let disk = Disk()
    func tree(_ owners: String, _ value: Int) -> SourceTree {
      disk.tree([
        "configsync.yaml": "apiVersion: configsync/v1\nowners: {/p/: [\(owners)]}\n",
        "p/a.yaml": "x: \(value)\n", "p/big.yaml": "big: \(value)\n",
      ])
    }
    let trees = [tree("a@b.c", 1), tree("'a@b.c', 'bob@b.c'", 1)]
    func found() -> Compilation {
      compile(
        tree("a@b.c", 2),
        after: CommitHistory(by: ["bob@b.c"]) { ago in
          // The commit itself can be read: only what was before is damaged.
          if ago == 1 { disk.damaged.withLock { $0 = "p/big.yaml" } }
          return ago <= 2 ? trees[ago - 1] : nil
        })
    }
    #expect(found().unknown?.code == .historyUnknown)
  }
}
