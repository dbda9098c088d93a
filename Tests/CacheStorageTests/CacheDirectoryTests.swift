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
  private var inside: String { path + "/configsync-cache" }

  /// The one database that is there.
  private func file() throws -> String {
    let names = try FileManager.default.contentsOfDirectory(atPath: inside)
    return inside + "/" + (try #require(names.first { $0.hasSuffix(".sqlite") }))
  }

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
    let second = try open("two")
    #expect(second.value(for: [1]) == nil)
    second.store([8], for: [1])
    second.flush()
    #expect(first.value(for: [1]) == [7], "each has its own")
  }

  @Test(arguments: [
    "value = X'0708'", "key = X'03'", "checksum = checksum + 1", "checksum = 'abc'",
    "value = 7", "checksum = 1e300", "value = ''",
  ])
  func whatIsDamagedIsNotThere(damage: String) throws {
    let first = try open()
    first.store([7, 9], for: [1])
    first.flush()
    try DatabaseQueue(path: try file()).write {
      try $0.execute(sql: "UPDATE entries SET \(damage)")
    }
    let second = try open()
    #expect(second.value(for: [1]) == nil && second.value(for: [3]) == nil)
    second.store([5], for: [1])
    second.flush()
    #expect(second.value(for: [1]) == [5])
  }

  @Test(arguments: ["", "no database at all", String(repeating: "SQLite format 3\0 ", count: 400)])
  func aFileThatIsNoCacheIsMadeAnew(content: String) throws {
    _ = try open()
    try Data(content.utf8).write(to: URL(fileURLWithPath: try file()))
    let cache = try open()
    cache.store([7], for: [1])
    cache.flush()
    #expect(try open().value(for: [1]) == [7])
  }

  @Test func aDirectoryThatOthersCanWriteIsRefused() throws {
    _ = try open()
    for (place, mode) in [
      (path, 0o770), (path, 0o702), (path, 0o777), (inside, 0o750), (inside, 0o701),
    ] {
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: place)
      #expect(throws: CacheDirectoryError.openToOthers(path: place)) { _ = try open() }
      try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: place)
    }
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    _ = try open()
  }

  /// Nothing that others have put there is removed, however old.
  @Test func whatIsNoCacheIsLeftAlone() throws {
    _ = try open()
    let old: [FileAttributeKey: Any] = [.modificationDate: Date(timeIntervalSince1970: 0)]
    let mine = inside + "/0123456789abcdef.sqlite"
    let foreign = [path + "/0123456789abcdef.sqlite", path + "/photos.sqlite"]
    for file in foreign + [mine] {
      try Data("x".utf8).write(to: URL(fileURLWithPath: file))
      try FileManager.default.setAttributes(old, ofItemAtPath: file)
    }
    _ = try open()
    for file in foreign { #expect(FileManager.default.fileExists(atPath: file)) }
    #expect(!FileManager.default.fileExists(atPath: mine), "a database of an old build is removed")
  }

  /// A run may be ended between any two of its files.
  @Test func whatWasBegunIsGoneOnWith() throws {
    _ = try open()
    let names = try FileManager.default.contentsOfDirectory(atPath: inside)
    #expect(Set(names).isSuperset(of: ["CACHEDIR.TAG", ".gitignore"]))
    for name in names where name != "CACHEDIR.TAG" {
      try FileManager.default.removeItem(atPath: inside + "/" + name)
    }
    _ = try open()
    #expect(FileManager.default.fileExists(atPath: inside + "/.gitignore"))
    try FileManager.default.removeItem(atPath: inside + "/CACHEDIR.TAG")
    _ = try open()
    #expect(FileManager.default.fileExists(atPath: inside + "/CACHEDIR.TAG"))
  }

  @Test func aFolderWithOtherThingsIsRefused() throws {
    try FileManager.default.createDirectory(
      atPath: inside, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    try Data("x".utf8).write(to: URL(fileURLWithPath: inside + "/photos.sqlite"))
    #expect(throws: CacheDirectoryError.self) { _ = try open() }
    #expect(try FileManager.default.contentsOfDirectory(atPath: inside) == ["photos.sqlite"])
  }

  @Test func linksInsideAreRefused() throws {
    _ = try open()
    let (file, other) = (try file(), folder.path + "/other")
    try FileManager.default.moveItem(atPath: file, toPath: other)
    try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: other)
    #expect(throws: CacheDirectoryError.openToOthers(path: file)) { _ = try open() }
    try FileManager.default.removeItem(atPath: file)
    try FileManager.default.linkItem(atPath: other, toPath: file)
    #expect(throws: CacheDirectoryError.openToOthers(path: file)) { _ = try open() }
    try FileManager.default.removeItem(atPath: inside)
    try FileManager.default.createDirectory(atPath: other + ".d", withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(atPath: inside, withDestinationPath: other + ".d")
    #expect(throws: CacheDirectoryError.openToOthers(path: inside)) { _ = try open() }
  }

  @Test func aPathThatIsNoDirectoryIsAnError() throws {
    let plain = folder.path + "/plain"
    try Data("x".utf8).write(to: URL(fileURLWithPath: plain))
    #expect(throws: CacheDirectoryError.self) {
      _ = try CacheDirectory(path: plain, program: "one")
    }
  }

  /// A database of which a byte is another gives what was stored, or nothing.
  @Test func bitsThatTurnEndNothing() throws {
    let first = try open()
    for number in 0..<50 as Range<UInt8> {
      first.store([UInt8](repeating: number, count: 300), for: [number])
    }
    first.flush()
    try DatabaseQueue(path: try file()).writeWithoutTransaction {
      try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
    }
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: try file())))
    var random = SeededRandomNumbers(seed: 7)
    for _ in 0..<60 {
      var bytes = whole
      let place = Int.random(in: 0..<bytes.count, using: &random)
      bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      let name = try file()
      for end in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: name + end) }
      try Data(bytes).write(to: URL(fileURLWithPath: name))
      let cache = try open()
      for number in 0..<50 as Range<UInt8> {
        let value = cache.value(for: [number])
        #expect(value == nil || value == [UInt8](repeating: number, count: 300))
      }
    }
  }

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
      "p/e.yaml": "# yaml-language-server: $schema=../any.json\n",
      "base/a.yaml": "a: {b: 2, f: 3}\n",
    ]
    if JsonnetEvaluator.isAvailable {
      files["p/f.jsonnet"] = "(import 'g.libsonnet') + {a: std.range(1, 3)}"
      files["p/g.libsonnet"] = "{g: {h: 'i'}}"
    }
    let always = [
      "schema.json": #"{"required": ["n"]}"#, "any.json": "{}",
      "configsync.yaml":
        "apiVersion: configsync/v1\nlayers: {p: [base]}\nfiles: [{match: '*.json', ignore: true}]\n",
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
    #expect(first.diagnostics.isEmpty && second.diagnostics.isEmpty)
    let (before, after) = (first.keySpace?.items, second.keySpace?.items)
    #expect(before?.map(\.key) == after?.map(\.key))
    #expect(before?.map(\.value) == after?.map(\.value))
  }
}
