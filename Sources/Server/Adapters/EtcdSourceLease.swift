import ConfigModel
public import ConfigSyncClient
public import Reconciler

/// Leases of sources as keys that hang on a lease of the store: `/.configsync/sources/<name>/lease`.
///
/// What it knows counts for as long as the store has promised to keep the lease, by this machine's clock from before the
/// store was asked.
public actor EtcdSourceLease: SourceLease {
  private let client: ConfigClient
  private let name: String
  private let seconds: Int64
  private let now: @Sendable () -> Duration
  private var lease: (id: Int64, end: Duration)?
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

  public func holder(of source: String) async throws -> String? {
    if let lease, lease.end > now() {
      if held.contains(source) { return nil }
    } else {
      forget()
    }
    return try await EtcdConfigTarget.translating {
      let lease = try await grant()
      let key = Array(ReservedKeys.lease(of: source).utf8)
      let found = try await client.putUnlessThere(key, Array(name.utf8), lease: lease)
      // The answer to an earlier try may have been lost.
      guard let found, found.lease != lease else {
        held.insert(source)
        return nil
      }
      return String(decoding: found.value, as: UTF8.self)
    }
  }

  /// Keeps what is held until the task is cancelled, and gives it back then.
  public func keep(on clock: some Clock<Duration>) async {
    while (try? await clock.sleep(for: pause)) != nil {
      // It is asked again before the time is over; then `holder` finds out.
      do { try await renew() } catch {}
    }
    guard let lease else { return }
    forget()
    // Others need not wait until it has run out. The task is cancelled, and what it began would be, too.
    await Task { try? await client.revokeLease(lease.id) }.value
  }

  private func renew() async throws {
    guard let lease else { return }
    let start = now()
    let left = try await client.renewLease(lease.id)
    // Another call may have found it gone meanwhile.
    guard self.lease?.id == lease.id else { return }
    guard let left else { return forget() }
    self.lease = (lease.id, start + .seconds(left))
  }

  private func grant() async throws -> Int64 {
    if let lease, lease.end > now() { return lease.id }
    let start = now()
    let granted = try await client.grantLease(seconds: seconds)
    if let lease, lease.end > now() {
      // Two sources asked at once. What nobody uses ends by itself.
      return lease.id
    }
    lease = (granted.id, start + .seconds(granted.seconds))
    return granted.id
  }

  private func forget() { (lease, held) = (nil, []) }
}
