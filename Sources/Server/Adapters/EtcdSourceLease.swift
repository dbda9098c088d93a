import ConfigModel
public import ConfigSyncClient
public import Reconciler

/// Leases of sources as keys that hang on a lease of the store: `/.configsync/sources/<name>/lease`.
///
/// What it knows counts for as long as the store has promised to keep the lease, by this machine's clock from before the
/// store was asked.
public actor EtcdSourceLease: SourceLease {
  /// How long giving back may hold up the end of the process.
  private static let farewell = Duration.seconds(2)
  /// How often a lease is asked for that ends or changes while it is.
  private static let attempts = 3

  private let client: ConfigClient
  private let name: String
  private let seconds: Int64
  private let now: @Sendable () -> Duration
  private var lease: (id: Int64, end: Duration)?
  /// Sources whose keys hang on that lease.
  private var held: Set<String> = []

  /// - Parameters:
  ///   - name: who holds it, for people.
  ///   - seconds: how long others wait for one that has died; the store may make it longer.
  ///   - now: a clock that no one sets.
  public init(
    _ client: ConfigClient, name: String, seconds: Int64, now: @escaping @Sendable () -> Duration
  ) {
    self.client = client
    self.name = name
    self.seconds = seconds
    self.now = now
  }

  nonisolated public var pause: Duration { .seconds(Double(seconds) / 3) }
  nonisolated public var isOfAllSources: Bool { false }

  public func holder(of source: String) async throws -> String? {
    try await EtcdConfigTarget.translating {
      for _ in 0..<EtcdSourceLease.attempts {
        let lease = try await valid()
        if held.contains(source) { return nil }
        let found = try await put(source, lease)
        // Another call may have found the lease gone meanwhile.
        guard self.lease?.id == lease else { continue }
        // The answer to an earlier try may have been lost.
        guard let found, found.lease != lease else {
          held.insert(source)
          return nil
        }
        return String(decoding: found.value, as: UTF8.self)
      }
      throw TargetError.unavailable("the lease of '\(source)' changed while it was asked for")
    }
  }

  public func otherHolder(of source: String) async throws -> String? {
    try await EtcdConfigTarget.translating {
      let key = Array(ReservedKeys.lease(of: source).utf8)
      guard let found = try await client.range(.key(key)).items.first, found.lease != 0,
        found.lease != lease?.id
      else { return nil }
      return String(decoding: found.value, as: UTF8.self)
    }
  }

  public func release(_ source: String) async {
    guard held.remove(source) != nil, let lease else { return }
    let key = Array(ReservedKeys.lease(of: source).utf8)
    let mine = ClientCompare(key, .equal, .lease(lease.id))
    // Where that fails nobody takes over: this one finds its own key when it asks again, and works on.
    _ = try? await client.transact(if: [mine], then: [.delete(.key(key))], else: [])
  }

  /// Keeps what is held until the task is cancelled, and gives it back then.
  public func keep(on clock: some Clock<Duration>) async {
    while (try? await clock.sleep(for: pause)) != nil {
      // It is asked again before the time is over; then `holder` finds out.
      do { try await renew() } catch {}
    }
    guard let lease else { return }
    set(nil)
    // Others need not wait until it has run out. The task is cancelled, and what it began would be, too.
    let client = client
    await Task {
      await withTaskGroup(of: Void.self) { group in
        group.addTask { try? await client.revokeLease(lease.id) }
        group.addTask { try? await Task.sleep(for: EtcdSourceLease.farewell) }
        await group.next()
        group.cancelAll()
      }
    }.value
  }

  /// The key of a source, on this lease.
  ///
  /// - Returns: what is there of another one, or of an earlier try.
  private func put(_ source: String, _ lease: Int64) async throws -> ClientItem? {
    let key = Array(ReservedKeys.lease(of: source).utf8)
    let found = try await client.putUnlessThere(key, Array(name.utf8), lease: lease)
    // One without a lease is nobody's: it was copied from another store, or written by hand.
    guard let found, found.lease == 0 else { return found }
    return try await client.putUnlessThere(key, Array(name.utf8), lease: lease, over: found)
  }

  /// A lease that has not run out.
  private func valid() async throws -> Int64 {
    if let lease, lease.end > now() { return lease.id }
    // The store may have been away, and have it still: a restart gives it its whole time again.
    if lease != nil { try await renew() }
    if let lease, lease.end > now() { return lease.id }
    let start = now()
    let granted = try await client.grantLease(seconds: seconds)
    // Two sources may have asked at once. What nobody uses ends by itself.
    if let lease, lease.end > now() { return lease.id }
    set((granted.id, start + .seconds(granted.seconds)))
    return granted.id
  }

  private func renew() async throws {
    guard let lease else { return }
    let start = now()
    let left = try await client.renewLease(lease.id)
    let keys = left == nil ? nil : try await client.lease(lease.id)?.keys
    guard self.lease?.id == lease.id else { return }
    guard let left, let keys else { return set(nil) }
    self.lease = (lease.id, start + .seconds(left))
    // Somebody may have deleted a key.
    held.formIntersection(
      held.filter { keys.contains(Array(ReservedKeys.lease(of: $0).utf8)) })
  }

  /// What hung on another lease is not held any more.
  private func set(_ lease: (id: Int64, end: Duration)?) { (self.lease, held) = (lease, []) }
}
