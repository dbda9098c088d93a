import Compiler
public import ConfigModel

/// Looks at the signatures of all commits that come with a change.
public struct SignatureCheck: Sendable {
  public struct Answer: Sendable {
    /// Who has signed the change itself; nil if nobody who is trusted.
    public var signer: Signer?
    public var findings: [Diagnostic]

    /// Where signatures are not asked for.
    public static let none = Answer(signer: nil, findings: [])
  }

  private let source: any ConfigSource

  public init(_ source: some ConfigSource) { self.source = source }

  init(of source: any ConfigSource) { self.source = source }

  /// - Parameter base: what was applied before: all that it holds was looked at then.
  /// - Throws: the source's error, if it can't be found out.
  public func check(_ commit: CommitID, after base: CommitID?) async throws -> Answer {
    var commits: [SignedCommit] = []
    var signer: Signer?
    for id in try await source.commits(reachableFrom: commit, butNotFrom: base) {
      let verdict = try await source.signature(of: id)
      if id == commit, case .trusted(let known) = verdict { signer = known }
      commits.append(SignedCommit(try await source.facts(of: id), verdict))
    }
    return Answer(signer: signer, findings: signatureFindings(commits))
  }
}
