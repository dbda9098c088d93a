public import ConfigModel

/// A commit with what is known of its signature.
public struct SignedCommit: Sendable {
  public var facts: CommitFacts
  public var verdict: SignatureVerdict

  public init(_ facts: CommitFacts, _ verdict: SignatureVerdict) {
    self.facts = facts
    self.verdict = verdict
  }
}

/// What is wrong with the signatures of commits of which each has to be signed by somebody who is trusted.
///
/// - Parameter commits: all that come with the change, not only its newest.
/// - Returns: at most `CompilerLimits.signatureFindings`.
public func signatureFindings(_ commits: [SignedCommit]) -> [Diagnostic] {
  let span = SourceSpan(file: Settings.fileName)
  let findings = commits.lazy.compactMap { commit -> Diagnostic? in
    let name = "commit \(commit.facts.commit.short) by \(commit.facts.author.email)"
    switch commit.verdict {
    case .trusted: return nil
    case .missing:
      return Diagnostic(
        .signatureMissing, at: span, "\(name) is not signed, and every commit has to be",
        hint:
          "sign it ('git commit --amend -S', or 'git rebase --exec' for several), and push the branch again"
      )
    case .untrusted(let reason):
      return Diagnostic(
        .signatureUntrusted, at: span, "\(name) is signed by nobody who is trusted: \(reason)",
        hint: "who is trusted is said where the reconciler runs, not in the repository")
    case .bad(let reason):
      return Diagnostic(
        .signatureInvalid, at: span, "the signature of \(name) does not fit it: \(reason)",
        hint: "somebody has changed the commit after it was signed, or the signature was damaged")
    case .unchecked:
      return Diagnostic(
        .signatureUnchecked, .note, at: span, "the signature of \(name) was not checked",
        hint: "say who is trusted by --ssh-signers or --openpgp-signers")
    }
  }
  return Array(findings.prefix(CompilerLimits.signatureFindings))
}
