import Foundation
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
}
