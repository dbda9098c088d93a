import EtcdProtos
import Foundation
import GRPCCore
import SwiftProtobuf
import Synchronization

/// A watch stream of one server, and what came on it, watch by watch.
final class WatchedStream: Sendable {
  private struct State {
    /// By watch: what was said of it, and its events, one a line.
    var told: [Int64: [String]] = [:]
    /// Responses that created a watch, in order.
    var answers: [String] = []
    var progress = 0
    var isOver = false
    var waiters:
      [(condition: @Sendable (State) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
  }

  private let state = Mutex(State())
  private let requests: AsyncStream<Etcdserverpb_WatchRequest>
  private let feed: AsyncStream<Etcdserverpb_WatchRequest>.Continuation

  init() { (requests, feed) = AsyncStream.makeStream(of: Etcdserverpb_WatchRequest.self) }

  /// A server that says nothing for so long has nothing to say.
  private static let patience = Duration.seconds(60)

  /// Runs until it is cancelled: as with etcd, a client that has nothing more to ask is told on.
  func run(on server: ServerUnderTest) async throws {
    let patience = Task { [self] in
      try await Task.sleep(for: WatchedStream.patience)
      giveUp()
    }
    defer {
      patience.cancel()
      giveUp()
    }
    let client = Etcdserverpb_Watch.Client(wrapping: server.client)
    let requests = requests
    try await client.watch { writer in
      for await request in requests { try await writer.write(request) }
    } onResponse: { [self] response in
      for try await message in response.messages { take(message) }
    }
  }

  /// Whoever still waits gets what came until now.
  private func giveUp() {
    let waiting = state.withLock { state in
      defer { state.waiters = [] }
      state.isOver = true
      return state.waiters
    }
    for waiter in waiting { waiter.continuation.resume() }
  }

  private func take(_ message: Etcdserverpb_WatchResponse) {
    let due = state.withLock { state in
      let answer =
        "\(message.watchID) created: \(message.created) canceled: \(message.canceled) "
        + "compacted: \(message.compactRevision) \(message.cancelReason)"
      if message.created {
        state.answers.append(answer)
      } else if message.canceled {
        state.told[message.watchID, default: []].append(answer)
      } else if message.events.isEmpty {
        state.progress += 1
      }
      for event in message.events {
        state.told[message.watchID, default: []].append(
          event.textFormatString().replacing("\n", with: " "))
      }
      let waiters = state.waiters
      state.waiters = waiters.filter { !$0.condition(state) }
      return waiters.filter { $0.condition(state) }
    }
    for waiter in due { waiter.continuation.resume() }
  }

  private func wait(until condition: @escaping @Sendable (State) -> Bool) async {
    await withCheckedContinuation { continuation in
      let isDue = state.withLock { state in
        if state.isOver || condition(state) { return true }
        state.waiters.append((condition, continuation))
        return false
      }
      if isDue { continuation.resume() }
    }
  }

  /// Sends a request that is answered at once, and returns the answer.
  func ask(_ request: Etcdserverpb_WatchRequest) async -> String {
    let count = state.withLock { $0.answers.count }
    feed.yield(request)
    await wait { $0.answers.count > count }
    return state.withLock { $0.answers.count > count ? $0.answers[count] : "no answer" }
  }

  /// Returns once the server says that everything so far has been told.
  func settle() async {
    let count = state.withLock { $0.progress }
    feed.yield(.with { $0.progressRequest = .init() })
    await wait { $0.progress > count }
  }

  /// Returns once each watch has been told as much.
  func settle(like other: [Int64: [String]]) async {
    await wait { state in
      other.allSatisfy { state.told[$0.key, default: []].count >= $0.value.count }
    }
  }

  var told: [Int64: [String]] { state.withLock { $0.told } }
}
