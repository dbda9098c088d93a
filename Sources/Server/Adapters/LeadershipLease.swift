public import ConfigSyncClient
public import Reconciler

/// Lets the reconciler work that is beside the cluster's leader.
public struct LeadershipLease: SourceLease {
  private let client: ConfigClient

  /// - Parameter client: of this member alone.
  public init(_ client: ConfigClient) { self.client = client }

  public var pause: Duration { .seconds(1) }
  public var isOfAllSources: Bool { true }

  public func otherHolder(of source: String) async throws -> String? {
    try await holder(of: source)
  }

  /// The cluster goes on being led from here: where only this member can't read the source, somebody has to move that.
  public func release(_ source: String) {}

  public func holder(of source: String) async throws -> String? {
    guard let answer = await client.statuses().first else {
      throw TargetError.unavailable("this member does not answer")
    }
    let status: ClientStatus
    do {
      status = try answer.status.get()
    } catch {
      throw TargetError.unavailable("\(error)")
    }
    guard status.leader != 0 else { throw TargetError.unavailable("there is no leader") }
    return status.leader == status.member ? nil : "member \(String(status.leader, radix: 16))"
  }
}
