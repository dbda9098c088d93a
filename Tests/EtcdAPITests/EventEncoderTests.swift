import EtcdProtos
import Store
import SwiftProtobuf
import Testing

@testable import EtcdAPI

/// Events that many are told.
struct EventEncoderTests {
  private func put(_ value: String, at revision: Int64, previous: KeyValue? = nil) -> KeyEvent {
    KeyEvent(.put(item(value, at: revision)), previous: previous)
  }

  private func item(_ value: String, at revision: Int64) -> KeyValue {
    KeyValue(
      key: Key("key"), value: Array(value.utf8), createRevision: Revision(1),
      modRevision: Revision(revision), version: revision, lease: 0)
  }

  private func plain(_ events: [KeyEvent]) throws -> [UInt8] {
    var response = Etcdserverpb_WatchResponse()
    response.events = events.map(Mvccpb_Event.init)
    return try response.serializedBytes()
  }

  @Test func whateverWasToldBeforeEachGetsWhatIsTrue() throws {
    let encoder = EventEncoder()
    let before = item("a", at: 2)
    let lists = [
      [put("b", at: 3)], [put("b", at: 3, previous: before)], [put("b", at: 4)], [put("c", at: 3)],
      [put("b", at: 3), KeyEvent(.delete(Key("key"), at: Revision(3)), previous: before)],
      [KeyEvent(.delete(Key("key"), at: Revision(3)), previous: nil)], [],
      [put(String(repeating: "x", count: 100_000), at: 3)],
    ]
    for list in lists {
      for other in lists {
        #expect(try encoder.encode(list) == plain(list))
        #expect(try encoder.encode(list) == plain(list), "the same again")
        #expect(try encoder.encode(other) == plain(other))
      }
    }
  }

  @Test func eventsCanBeAppendedToAResponseWithout() throws {
    let events = [put("b", at: 3), put("c", at: 3)]
    var response = Etcdserverpb_WatchResponse()
    response.header.revision = 3
    response.watchID = 7
    response.fragment = true
    let head: [UInt8] = try response.serializedBytes()
    response.events = events.map(Mvccpb_Event.init)
    #expect(try head + EventEncoder().encode(events) == response.serializedBytes())
  }
}
