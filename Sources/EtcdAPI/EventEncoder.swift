import EtcdProtos
import Store
import SwiftProtobuf
import Synchronization

/// Events as they stand in a `WatchResponse`, kept for the next who is told the same: of a change that many watch
/// all but the first get a copy of bytes.
final class EventEncoder: Sendable {
  private struct Last {
    var events: [KeyEvent]
    var bytes: [UInt8]
  }

  /// What is kept takes no more than this.
  private static let keptBytes = 64 << 10

  private let last = Mutex<Last?>(nil)

  /// The field `events` of a response, which may be appended to a response that has none.
  ///
  /// - Complexity: O(*n*) in the bytes; of those who ask for the same one after the other, only the first encodes.
  func encode(_ events: [KeyEvent]) throws -> [UInt8] {
    // Copies of an event share its buffers: equal ones are mostly told by that.
    if let last = last.withLock({ $0 }), last.events == events { return last.bytes }
    var response = Etcdserverpb_WatchResponse()
    response.events = events.map(Mvccpb_Event.init)
    let bytes: [UInt8] = try response.serializedBytes()
    if bytes.count <= EventEncoder.keptBytes {
      let kept = Last(events: events, bytes: bytes)
      last.withLock { $0 = kept }
    }
    return bytes
  }
}
