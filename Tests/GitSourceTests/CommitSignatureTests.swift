import ConfigModel
import Foundation
import TestSupport
import Testing

@testable import GitSource

/// Where a signature stands, and what it is of.
struct CommitSignatureTests {
  private func parse(_ text: String) -> CommitSignature { CommitSignature(of: Array(text.utf8)) }

  @Test func theHeadersFieldIsTheSignature() {
    let found = parse(
      "tree t\ngpgsig -----BEGIN\n x\n \n -----END\nauthor a\n\nmessage\ngpgsig no\n")
    #expect(
      found
        == .found(
          SignedBytes(
            signature: Array("-----BEGIN\nx\n\n-----END\n".utf8),
            content: Array("tree t\nauthor a\n\nmessage\ngpgsig no\n".utf8))))
  }

  @Test(arguments: [
    "tree t\n\ngpgsig -----BEGIN\n x\n", "tree t\nauthor a\n", "", "tree t",
    "tree t\n gpgsig x\n\nm\n", "tree t\ngpgsigx y\n\nm\n",
  ])
  func whatStandsElsewhereIsNone(text: String) { #expect(parse(text) == .none) }

  @Test(arguments: [
    "tree t\ngpgsig a\ngpgsig b\n\nm\n", "tree t\ngpgsig-sha256 a\n\nm\n",
    "tree t\ngpgsig a\n\nm\u{0}n\n",
  ])
  func whatIsAmbiguousIsMalformed(text: String) {
    guard case .malformed = parse(text) else {
      Issue.record("\(parse(text))")
      return
    }
  }

  private func write(_ git: GitFixture, _ commit: String) throws -> CommitID {
    let written = try execute(
      "git", ["-C", git.path, "hash-object", "-t", "commit", "-w", "--literally", "--stdin"],
      input: commit)
    return try #require(
      CommitID(written.output.trimmingCharacters(in: .whitespacesAndNewlines)), "\(written.output)")
  }

  /// Programs that end before they have read what is signed must end nothing else.
  @Test(arguments: ["SSH", "PGP"])
  func aMalformedSignatureOfALargeCommitIsOnlyBad(kind: String) async throws {
    let (git, folder) = (try GitFixture(), try TemporaryFolder())
    let first = try git.commit(["a": "1"], "first")
    let tree = try git.run("rev-parse", "\(first)^{tree}")
    let trusted = folder.path + "/trusted"
    try Data(
      "alice@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7u4VpuLcGkLwVPxVCNlwu3p1UXkNxbG8+qN3DFuXb2\n"
        .utf8
    )
    .write(to: URL(fileURLWithPath: trusted))
    let verifier = SignatureVerifier(
      try GitRepository(git.path), trusting: TrustedSigners(sshFile: trusted, openPGPFile: trusted))
    for length in [10, 400_000] {
      for number in 0..<5 {
        let commit = try write(
          git,
          """
          tree \(tree)
          parent \(first)
          author A <a@b> 0 +0000
          committer A <a@b> 0 +0000
          gpgsig -----BEGIN \(kind) SIGNATURE-----
           AAAA
           -----END \(kind) SIGNATURE-----

          \(number) \(String(repeating: "x", count: length))

          """)
        let verdict = try await verifier.verdict(of: commit)
        guard case .bad = verdict else {
          Issue.record("\(verdict)")
          continue
        }
      }
    }
  }

  /// Another id with the same signature would be a way around a rejection.
  @Test(arguments: [
    "\n x", "\n ", "\n -----BEGIN SSH SIGNATURE-----\n -----END SSH SIGNATURE-----",
  ])
  func nothingStandsBesideASignature(tail: String) async throws {
    let (git, folder) = (try GitFixture(), try TemporaryFolder())
    let key = folder.path + "/alice"
    let made = try execute("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key])
    try #require(made.status == 0)
    let allowed = folder.path + "/allowed"
    try Data(
      ("alice@example.com " + (try String(contentsOfFile: key + ".pub", encoding: .utf8))).utf8
    )
    .write(to: URL(fileURLWithPath: allowed))
    try git.write(["a": "1"])
    try git.run("add", "-A")
    try git.run(
      "-c", "gpg.format=ssh", "-c", "user.signingKey=\(key)", "commit", "-q", "-S", "-m", "m")
    let whole = try git.run("cat-file", "commit", "HEAD") + "\n"
    let changed = whole.replacing(
      "-----END SSH SIGNATURE-----", with: "-----END SSH SIGNATURE-----" + tail)
    let verifier = SignatureVerifier(
      try GitRepository(git.path), trusting: TrustedSigners(sshFile: allowed))
    guard case .trusted = try await verifier.verdict(of: try GitRepository(git.path).resolve())
    else {
      Issue.record("the commit itself is not trusted")
      return
    }
    let verdict = try await verifier.verdict(of: try write(git, changed))
    // An empty line at its end is taken by Git, too, and is signed as little.
    if case .trusted = verdict { #expect(tail == "\n ") }
  }
}
