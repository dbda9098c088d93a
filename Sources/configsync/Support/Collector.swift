import ConfigSyncClient
import Synchronization

/// Events that a watch hands over.
final class Collector: Sendable {
  private let state = Mutex<[ClientEvent]>([])
  var events: [ClientEvent] { state.withLock { $0 } }
  func add(_ events: [ClientEvent]) { state.withLock { $0 += events } }
}
