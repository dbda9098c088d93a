/// Lets one of several reconcilers of a source work while the others rest.
///
/// It is a hint, that spares work: whoever takes a commit is fenced by the store's head, whether it holds a lease or not.
public protocol SourceLease: Sendable {
  /// How long one that rests waits before it asks again.
  var pause: Duration { get }
  /// Whether the answer is the same for every source, and needs nothing of the store.
  var isOfAllSources: Bool { get }
  /// Takes the lease of a source, unless somebody else has it.
  ///
  /// - Returns: nil if this reconciler holds it, or who does.
  /// - Throws: `TargetError` if nobody can tell.
  func holder(of source: String) async throws -> String?
  /// Who else has the lease; it is not taken.
  func otherHolder(of source: String) async throws -> String?
  /// Gives it back, for another one to try.
  func release(_ source: String) async
}
