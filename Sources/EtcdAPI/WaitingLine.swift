import Cluster
import GRPCServer
import Store

/// Those who wait for one thing: a key each under a prefix, hung on a lease. Whose key was created first
/// has it (etcd's recipe for locks and elections).
struct WaitingLine: Sendable {
  struct Place: Sendable {
    var key: Key
    /// Which life of the key it is.
    var created: Revision
    var lease: Int64
    /// Nobody was before it when it was asked for.
    var isFirst = false
    /// It was held already when it was asked for.
    var isHeld = false
  }

  /// Seconds of the lease of whoever brings none.
  private static let defaultTTL: Int64 = 60

  let session: Session
  let prefix: Key

  init(session: Session, name: [UInt8]) {
    self.session = session
    prefix = Key(name + [UInt8(ascii: "/")])
  }

  private var range: KeyRange { .prefix(prefix) }

  /// Takes a place at the end; the lease's own, if it has one.
  ///
  /// - Throws: `StoreError.leaseNotFound`.
  func enter(lease: Int64, value: [UInt8]) async throws -> Place {
    // Before a lease is granted that nobody would use.
    let rights = try await session.rights()
    try rights.checkWrite(range)
    try rights.checkRead(range)
    let lease =
      lease == 0
      ? try await session.member.grantLease(
        0, ttl: WaitingLine.defaultTTL, for: session.caller()
      ).id : lease
    let key = Key(prefix.bytes + Array(String(lease, radix: 16).utf8))
    let owner = Operation.range(
      RangeQuery(range, limit: 1, sort: RangeQuery.Sort(.create, .ascending), content: .keysOnly))
    let entry = Transaction(
      compares: [Compare(.single(key), .create(Revision(0)))],
      success: [.put(PutRequest(key, .set(value), lease: .set(lease))), owner],
      failure: [.range(RangeQuery(.single(key))), owner])
    let outcome = try await session.propose(.transaction(entry))
    guard case .transaction(let result) = try outcome.result.get() else {
      throw GRPCStatus(.internalError, "etcdserver: a transaction gave another result")
    }
    var isFirst = false
    if case .range(let owner)? = result.results.last {
      isFirst = owner.items.first?.key == key
    }
    guard !result.hasSucceeded, case .range(let found)? = result.results.first,
      let item = found.items.first
    else { return Place(key: key, created: outcome.revision, lease: lease, isFirst: isFirst) }
    let place = Place(
      key: key, created: item.createRevision, lease: lease, isFirst: isFirst, isHeld: true)
    if item.value != value { try await replace(value, at: place) }
    return place
  }

  /// Puts another value; false if the place was lost.
  @discardableResult
  func replace(_ value: [UInt8], at place: Place) async throws -> Bool {
    try await change(
      place, by: .put(PutRequest(place.key, .set(value), lease: .set(place.lease))))
  }

  /// Gives the place up; one that was lost stays so.
  @discardableResult
  func leave(_ place: Place) async throws -> Bool {
    try await change(place, by: .delete(DeleteRequest(.single(place.key))))
  }

  private func change(_ place: Place, by operation: Operation) async throws -> Bool {
    let outcome = try await session.propose(
      .transaction(
        Transaction(
          compares: [Compare(.single(place.key), .create(place.created))],
          success: [operation])))
    guard case .transaction(let result) = try outcome.result.get() else { return false }
    return result.hasSucceeded
  }

  /// Returns once nobody is before `place`; whoever gives up leaves the line. One who is first already
  /// has not waited, and keeps the place whatever happens.
  ///
  /// - Throws: `GRPCStatus` if the place is lost meanwhile, or the caller has gone.
  func wait(at place: Place) async throws {
    if place.isFirst, place.isHeld { return }
    do {
      while !place.isFirst, let (before, revision) = try await neighbour(of: place) {
        try await waitForDeletion(of: before, after: revision)
      }
      try await session.member.readBarrier()
      let left = try await session.range(RangeQuery(.single(place.key))).result.items.first
      guard left?.createRevision == place.created else {
        throw GRPCStatus(.unknown, "mutex: session is expired")
      }
      // Nobody would know that the caller has it now.
      if Task.isCancelled { throw GRPCStatus(.cancelled, "context canceled") }
    } catch {
      // In a task of its own: that of the call may be cancelled.
      Task { try await leave(place) }
      throw error
    }
  }

  /// The place right before `place`, and as of which revision; nil if there is none.
  private func neighbour(of place: Place) async throws -> (key: Key, revision: Revision)? {
    try await session.member.readBarrier()
    var query = RangeQuery(
      range, limit: 1, sort: RangeQuery.Sort(.create, .descending), content: .keysOnly)
    query.createBounds.maximum = Revision(place.created.rawValue - 1)
    let (result, state) = try await session.range(query)
    return result.items.first.map { ($0.key, state.revision) }
  }

  private func waitForDeletion(of key: Key, after revision: Revision) async throws {
    let request = WatchRequest(.single(key), from: revision.next, filters: [.noPut])
    try await session.follow(request) { _ in true }
  }

  /// Whoever was first, and as of which revision.
  func first() async throws -> (item: KeyValue?, revision: Revision) {
    try await session.member.readBarrier()
    let query = RangeQuery(range, limit: 1, sort: RangeQuery.Sort(.create, .ascending))
    let (result, state) = try await session.range(query)
    return (result.items.first, state.revision)
  }

  /// A watch of everyone in the line.
  func everyone(after revision: Revision) -> WatchRequest {
    WatchRequest(range, from: revision.next)
  }
}
