import Foundation
import GRDB
import TestSupport
import Testing

@testable import Store

struct DurabilityTests {
  /// SQLite writes no page that stays as it is, and then syncs nothing: the log is cut behind this call.
  @Test func makingDurableWritesThoughNothingHasChanged() throws {
    let store = try AppliedStore()
    try store.put("a", "1")
    try store.store.commit()
    func logBytes() throws -> Int {
      try FileManager.default.contentsOfDirectory(atPath: store.folder.path)
        .filter { $0.hasSuffix("-wal") }
        .reduce(0) { sum, name in
          let path = store.folder.path + "/" + name
          return sum + (try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0)
        }
    }
    var before = try logBytes()
    #expect(before > 0)
    for _ in 0..<3 {
      #expect(try store.store.makeDurable() == store.store.current)
      let after = try logBytes()
      #expect(after > before, "a frame was written, and with it all before it synced")
      before = after
    }
  }

  /// A reader commits what is open, and waits for no disk: the write-ahead log is moved by who applies.
  @Test func onlyACheckpointWritesToTheDatabase() throws {
    let store = try AppliedStore()
    func databaseBytes() throws -> Int {
      let found = try FileManager.default.attributesOfItem(atPath: store.databasePath)
      return try #require(found[.size] as? Int)
    }
    let before = try databaseBytes()
    try store.store.checkpointIfDue()
    #expect(try databaseBytes() == before, "there is little to move")
    let megabyte = String(repeating: "x", count: 1 << 20)
    for number in 0..<20 {
      try store.put(Key("k\(number)"), megabyte)
      #expect(try store.store.range(RangeQuery(.from("k"), content: .countOnly)).result.count > 0)
    }
    #expect(try databaseBytes() == before)
    try store.store.commit()
    try store.store.checkpointIfDue()
    #expect(try databaseBytes() > 20 << 20)
    // The log begins anew: nothing is due.
    try store.put("k", "small")
    try store.store.commit()
    let after = try databaseBytes()
    try store.store.checkpointIfDue()
    #expect(try databaseBytes() == after)
    #expect(try store.keys(RangeQuery(.from("k"))).count == 21)
  }

  /// Who has other work applies only where nobody and nothing has to be waited for.
  @Test func aStoreIsOpenWhileNothingHasToBeWaitedFor() throws {
    let store = try AppliedStore()
    #expect(!store.store.isOpen, "a transaction begins with a lock")
    try store.put("a", "1")
    #expect(store.store.isOpen)
    #expect(try store.keys(RangeQuery(.from("a"))) == ["a"])
    #expect(!store.store.isOpen, "the reader has committed")
    try store.put("a", "2")
    #expect(store.store.isOpen)
    let database = store.store.newest
    try database.readOpen { _ in #expect(!store.store.isOpen, "somebody is at the writer") }
    #expect(store.store.isOpen)
    try database.checkpoint(.passive)
    #expect(!store.store.isOpen)
    try store.put("a", "3")
    #expect(store.store.isOpen)
    #expect(try store.value("a") == "3")
  }
}
