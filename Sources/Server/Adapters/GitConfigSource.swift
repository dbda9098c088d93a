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

  // MARK: - Answers

  /// Asks the repository, and where it may have answered so for want of history, once more with all of it.
  private func whole<Value>(
    _ body: () throws -> Value, unless isSure: (Value, _ cut: Set<CommitID>) -> Bool
  ) async throws -> Value {
    guard let mirror else { return try body() }
    let cut = try mirror.repository.shallowCommits()
    if cut.isEmpty { return try body() }
    let answer = Result { try body() }
    if case .success(let value) = answer, isSure(value, cut) { return value }
    guard try await mirror.deepen() else { return try answer.get() }
    return try body()
  }

  public func resolve(_ revision: String) async throws -> CommitID {
    try await whole {
      try repository.resolve(revision)
    } unless: { _, _ in
      true
    }
  }

  public func hasFetched(_ commit: CommitID) async throws -> Bool { try repository.holds(commit) }

  public func holds(_ commit: CommitID) async throws -> Bool {
    try await whole {
      try repository.holds(commit)
    } unless: { isHeld, _ in
      isHeld
    }
  }

  public func facts(of commit: CommitID) async throws -> CommitFacts {
    // A later libgit2 tells no parents of one where the history is cut.
    try await whole {
      try repository.facts(of: commit)
    } unless: { _, cut in
      !cut.contains(commit)
    }
  }

  public func tree(of commit: CommitID) async throws -> SourceTree {
    try await whole {
      try repository.tree(of: commit)
    } unless: { _, _ in
      true
    }
  }

  public func firstParents(
    from tip: CommitID, until end: CommitID?, limit: Int
  ) async throws -> [CommitID] {
    try await whole {
      try repository.firstParents(from: tip, until: end, limit: limit)
    } unless: { commits, cut in
      commits.count == limit || !commits.contains(where: cut.contains)
    }
  }

  public func isAncestor(_ ancestor: CommitID, of commit: CommitID) async throws -> Bool {
    try await whole {
      try repository.isAncestor(ancestor, of: commit)
    } unless: { isSo, _ in
      isSo
    }
  }

  public func commits(
    reachableFrom tip: CommitID, butNotFrom end: CommitID?
  ) async throws -> [CommitID] {
    // Signatures depend on it: nothing may be missing.
    try await whole {
      try repository.commits(reachableFrom: tip, butNotFrom: end)
    } unless: { _, _ in
      false
    }
  }

  public func signature(of commit: CommitID) async throws -> SignatureVerdict {
    try await verifier.verdict(of: commit)
  }
}
