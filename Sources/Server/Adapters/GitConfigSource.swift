public import ConfigModel
public import GitSource
public import Reconciler

/// A local Git repository as a source of configuration.
public struct GitConfigSource: ConfigSource {
  private let repository: GitRepository
  private let branch: String
  private let verifier: SignatureVerifier

  /// - Parameters:
  ///   - branch: the branch, tag or commit that is followed; HEAD is the one checked out.
  ///   - signers: who is trusted to sign commits.
  public init(
    _ repository: GitRepository, branch: String = "HEAD",
    trusting signers: TrustedSigners = TrustedSigners()
  ) {
    self.repository = repository
    verifier = SignatureVerifier(repository, trusting: signers)
    self.branch = branch
  }

  public func tip() async throws -> CommitID { try repository.resolve(branch) }

  public func resolve(_ revision: String) async throws -> CommitID {
    try repository.resolve(revision)
  }

  public func facts(of commit: CommitID) async throws -> CommitFacts {
    try repository.facts(of: commit)
  }

  public func tree(of commit: CommitID) async throws -> SourceTree {
    try repository.tree(of: commit)
  }

  public func firstParents(
    from tip: CommitID, until end: CommitID?
  ) async throws -> [CommitID] {
    try repository.firstParents(from: tip, until: end)
  }

  public func isAncestor(_ ancestor: CommitID, of commit: CommitID) async throws -> Bool {
    try repository.isAncestor(ancestor, of: commit)
  }

  public func commits(
    reachableFrom tip: CommitID, butNotFrom end: CommitID?
  ) async throws -> [CommitID] {
    try repository.commits(reachableFrom: tip, butNotFrom: end)
  }

  public func signature(of commit: CommitID) async throws -> SignatureVerdict {
    try await verifier.verdict(of: commit)
  }
}
