/// Lets one of several reconcilers of a source work while the others rest.
///
/// It is a hint, that spares work: whoever takes a commit is fenced by the store's head, whether it holds a lease or not.
public protocol SourceLease: Sendable {
  /// How long one that rests waits before it asks again.
  var pause: Duration { get }
  /// Takes the lease of a source, unless somebody else has it.
  ///
  /// - Returns: nil if this reconciler holds it, or who does.
  /// - Throws: `TargetError` if nobody can tell.
  func holder(of source: String) async throws -> String?
}
