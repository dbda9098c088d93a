import Testing

@testable import Store

struct WatchHubTests {
  /// Deliveries until `count` events have come, as `revision:keys`.
  private func events(_ stream: WatchStream, until last: Int64) async throws -> [String] {
    var seen: [String] = []
    while let deliveries = try await stream.next() {
      for case .events(let id, let batch, _) in deliveries {
        seen.append("\(id)@\(batch.revision):\(batch.events.map(\.key.description).joined())")
        if batch.revision.rawValue >= last { return seen }
      }
    }
    return seen
  }

  @Test func aWatchFromThePastGoesOnIntoTheFuture() async throws {
    let store = try AppliedStore()
    for key in ["a", "b", "c"] as [Key] { try store.put(key, "1") }
    let stream = store.hub.openStream()
    _ = stream.add(WatchRequest(.from("a"), from: Revision(3)), id: nil)
    try store.put("d", "1")
    #expect(try await events(stream, until: 5) == ["0@3:b", "0@4:c", "0@5:d"])
    try store.put("e", "1")
    #expect(try await events(stream, until: 6) == ["0@6:e"])
    stream.close()
  }

  @Test func aRevisionComesWholeAndOnce() async throws {
    let store = try AppliedStore()
    let stream = store.hub.openStream()
    _ = stream.add(WatchRequest(.prefix("k")), id: 7)
    try store.apply(
      .transaction(
        Transaction(
          success: (0..<500).map { .put(PutRequest(Key("k\($0)"), .set([1]))) }
            + [.put(PutRequest("other", .set([1])))])))
    var batches: [EventBatch] = []
    while batches.isEmpty, let deliveries = try await stream.next() {
      for case .events(_, let batch, _) in deliveries { batches.append(batch) }
    }
    #expect(batches.count == 1)
    #expect(batches[0].events.count == 500)
    stream.close()
  }

  @Test func aSlowWatcherReadsOnFromTheStore() async throws {
    let store = try AppliedStore()
    let stream = store.hub.openStream()
    _ = stream.add(WatchRequest(.prefix("k")), id: nil)
    let large = String(repeating: "x", count: 1 << 20)
    for _ in 0..<30 { try store.put("k", large) }
    let seen = try await events(stream, until: 31)
    #expect(seen == (2...31).map { "0@\($0):k" }, "each once, in order, none skipped")
    stream.close()
  }

  @Test func answersToRequestsKeepTheirOrder() async throws {
    let store = try AppliedStore()
    let stream = store.hub.openStream()
    _ = stream.add(WatchRequest(.from("a")), id: 1)
    stream.refuse("because")
    _ = stream.add(WatchRequest(.from("a")), id: 2)
    var told: [String] = []
    for delivery in try await stream.next() ?? [] {
      switch delivery {
      case .created(let id, _): told.append("created \(id)")
      case .refused(let reason): told.append(reason)
      default: told.append("something else")
      }
    }
    #expect(told == ["created 1", "because", "created 2"])
    stream.close()
  }

  /// Who applies asks whether many would be told.
  @Test func watchesAreCounted() async throws {
    let store = try AppliedStore()
    let hub = store.hub
    let (one, other) = (hub.openStream(), hub.openStream())
    for id in 1...3 { _ = one.add(WatchRequest(.from("a")), id: WatchID(id)) }
    #expect(one.add(WatchRequest(.from("a")), id: 3) == nil)
    _ = other.add(WatchRequest(.from("a")), id: 1)
    #expect(hub.watches == 4 && hub.streams == 2)
    one.cancel(1)
    one.cancel(1)
    one.cancel(9)
    one.cancel(2, number: 77)
    #expect(hub.watches == 3)
    one.close()
    one.close()
    one.cancel(2)
    _ = one.add(WatchRequest(.from("a")), id: 5)
    #expect(hub.watches == 1 && hub.streams == 1)
    // One that asks for what is compacted ends.
    for value in ["1", "2", "3"] { try store.put("a", value) }
    try store.apply(.compact(Revision(4)))
    _ = other.add(WatchRequest(.from("a"), from: Revision(2)), id: 2)
    #expect(hub.watches == 2)
    while hub.watches == 2, try await other.next() != nil {}
    #expect(hub.watches == 1)
    other.close()
    #expect(hub.watches == 0)
  }

  @Test func filtersPreviousValuesAndIds() async throws {
    let store = try AppliedStore()
    try store.put("a", "1")
    let stream = store.hub.openStream()
    #expect(stream.add(WatchRequest(.single("a"), wantsPrevious: true), id: nil) == 0)
    #expect(stream.add(WatchRequest(.single("a"), filters: [.noPut]), id: nil) == 1)
    #expect(stream.add(WatchRequest(.single("a")), id: 1) == nil, "the id is taken")
    try store.put("a", "2")
    try store.apply(.delete(DeleteRequest(.single("a"))))
    #expect(try await events(stream, until: 4).count >= 2)
    stream.close()
  }

  @Test func progressComesAfterWhatItSpeaksOf() async throws {
    let store = try AppliedStore()
    for _ in 0..<5 { try store.put("a", "1") }
    let stream = store.hub.openStream()
    _ = stream.add(WatchRequest(.single("a"), from: Revision(2)), id: nil)
    stream.requestProgress()
    var delivered: [Int64] = []
    var bookmark: Int64?
    while bookmark == nil, let deliveries = try await stream.next() {
      for delivery in deliveries {
        switch delivery {
        case .events(_, let batch, _): delivered.append(batch.revision.rawValue)
        case .progress(let revision): bookmark = revision.rawValue
        default: break
        }
      }
    }
    #expect(delivered == [2, 3, 4, 5, 6])
    #expect(bookmark == 6)
    stream.close()
  }
}
