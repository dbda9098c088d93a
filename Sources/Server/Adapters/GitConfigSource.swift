public import ConfigModel
public import GitSource
public import Reconciler

/// A Git repository as a source of configuration: a local one, or the mirror of a remote one.
public struct GitConfigSource: ConfigSource {
  public let repository: GitRepository
  /// What is resolved: a branch, tag or commit.
  private let revision: String
  private let mirror: GitMirror?
  private let verifier: SignatureVerifier

  /// - Parameters:
  ///   - branch: the branch, tag or commit that is followed; HEAD is the one checked out.
  ///   - signers: who is trusted to sign commits.
  public init(
    _ repository: GitRepository, branch: String = "HEAD",
    trusting signers: TrustedSigners = TrustedSigners()
  ) {
    self.repository = repository
    revision = branch
    mirror = nil
    verifier = SignatureVerifier(repository, trusting: signers)
  }

  /// What the mirror follows.
  public init(_ mirror: GitMirror, trusting signers: TrustedSigners) {
    repository = mirror.repository
    revision = "HEAD"
    self.mirror = mirror
    verifier = SignatureVerifier(repository, trusting: signers)
  }

  /// As of now: somebody may check out another branch of a local repository.
  public var branch: String? {
    if let mirror { mirror.branch } else { repository.branchName(of: revision) }
  }

  public func refresh() async throws { _ = try await mirror?.fetch() }

  public func tip() async throws -> CommitID {
    guard let mirror else { return try repository.resolve(revision) }
    guard let tip = try mirror.tip() else {
      throw GitError.failed(operation: "read the mirror", reason: "nothing was fetched yet")
    }
    return tip
  }

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
