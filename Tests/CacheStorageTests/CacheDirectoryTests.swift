import CacheStorage
import Compiler
import ConfigModel
import Foundation
import GRDB
import Jsonnet
import TestSupport
import Testing

struct CacheDirectoryTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path + "/cache" }
  private var file: String { path + "/files.sqlite" }

  init() throws { folder = try TemporaryFolder() }

  private func open(_ program: String = "one") throws -> CacheDirectory {
    try CacheDirectory(path: path, program: program)
  }

  @Test func whatIsStoredIsThereForTheNextRun() throws {
    do {
      let first = try open()
      #expect(first.value(for: [1]) == nil)
      first.store([7, 8], for: [1])
      first.store([], for: [2])
      first.flush()
    }
    let second = try open()
    #expect(second.value(for: [1]) == [7, 8] && second.value(for: [2]) == [])
    second.store([9], for: [1])
    second.flush()
    #expect(try open().value(for: [1]) == [9])
  }

  @Test func anotherBuildOfTheProgramFindsNothing() throws {
    let first = try open()
    first.store([7], for: [1])
    first.flush()
    #expect(try open("two").value(for: [1]) == nil)
    #expect(try open("one").value(for: [1]) == nil, "it was emptied for the other")
  }

  @Test(arguments: ["value = X'0708'", "key = X'03'", "checksum = checksum + 1"])
  func whatIsDamagedIsNotThere(damage: String) throws {
    let first = try open()
    first.store([7, 9], for: [1])
    first.flush()
    try DatabaseQueue(path: file).write { try $0.execute(sql: "UPDATE entries SET \(damage)") }
    let second = try open()
    #expect(second.value(for: [1]) == nil && second.value(for: [3]) == nil)
    second.store([5], for: [1])
    second.flush()
    #expect(second.value(for: [1]) == [5])
  }

  @Test(arguments: ["", "no database at all", String(repeating: "SQLite format 3\0 ", count: 400)])
  func aFileThatIsNoCacheIsMadeAnew(content: String) throws {
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    try Data(content.utf8).write(to: URL(fileURLWithPath: file))
    let cache = try open()
    cache.store([7], for: [1])
    cache.flush()
    #expect(try open().value(for: [1]) == [7])
  }

  @Test func aDirectoryThatOthersCanWriteIsRefused() throws {
    _ = try open()
    for mode in [0o770, 0o702, 0o777] {
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
      #expect(throws: CacheDirectoryError.writableByOthers(path: path)) { _ = try open() }
    }
  }

  @Test func aPathThatIsNoDirectoryIsAnError() throws {
    let plain = folder.path + "/plain"
    try Data("x".utf8).write(to: URL(fileURLWithPath: plain))
    #expect(throws: CacheDirectoryError.self) {
      _ = try CacheDirectory(path: plain, program: "one")
    }
  }

  /// Another process may empty the database while this one has it open.
  @Test func twoRunsMayShareADirectory() throws {
    let (first, second) = (try open(), try open())
    for number in 0..<100 {
      let key: [UInt8] = [UInt8(number)]
      (number % 2 == 0 ? first : second).store(key, for: key)
    }
    first.flush()
    second.flush()
    for number in 0..<100 {
      #expect(first.value(for: [UInt8(number)]) == [UInt8(number)])
    }
  }

  @Test func theProgramHasOneIdentity() throws {
    // One that is built without build ids has none, and then there is no cache either.
    guard let identity = ProgramIdentity.current() else { return }
    #expect(ProgramIdentity.current() == identity)
    #expect(identity.split(separator: " ").allSatisfy { $0.count >= 16 })
  }

  /// The next process reads none of the files that are stored, and evaluates none.
  @Test func storedFilesAreNotRead() throws {
    var files = [
      "p/a.yaml":
        "a:\n  b: 1\n  c: [x, 1.50, null, {d: true}]\n  d: ${./b} and $${/x}\n  e: null\n",
      "p/b.json": #"{"$schema": "../schema.json", "é": "x", "n": 12345678901234567890.10}"#,
      "p/c.toml": "x = 1979-05-27\n[t]\ny = [{z = 'a'}]\n", "p/d.yml": "",
      "p/e.yaml": "# yaml-language-server: $schema=https://e.x/s\n",
      "base/a.yaml": "a: {b: 2, f: 3}\n",
    ]
    if JsonnetEvaluator.isAvailable {
      files["p/f.jsonnet"] = "(import 'g.libsonnet') + {a: std.range(1, 3)}"
      files["p/g.libsonnet"] = "{g: {h: 'i'}}"
    }
    let always = [
      "schema.json": #"{"required": ["n"]}"#,
      "configsync.yaml":
        "apiVersion: configsync/v1\nlayers: {p: [base]}\nfiles: [{match: schema.json, ignore: true}]\n",
    ]
    func compiled(isReadable: Bool) throws -> Compilation {
      let tree = SourceTree(
        files.merging(always) { first, _ in first }.map { path, text in
          SourceTree.File(path: path, objectID: text, byteCount: text.utf8.count) {
            guard isReadable || always[path] != nil else {
              throw CocoaError(.fileReadNoPermission)
            }
            return Array(text.utf8)
          }
        })
      return compile(tree, cache: CompileCache(storage: try open()))
    }
    let first = try compiled(isReadable: true)
    let second = try compiled(isReadable: false)
    #expect((first.keySpace?.count ?? 0) >= 8)
    #expect(first.diagnostics.map(\.code) == [.schemaUnchecked])
    #expect(first.diagnostics.map(\.span) == second.diagnostics.map(\.span))
    let (before, after) = (first.keySpace?.items, second.keySpace?.items)
    #expect(before?.map(\.key) == after?.map(\.key))
    #expect(before?.map(\.value) == after?.map(\.value))
  }
}
