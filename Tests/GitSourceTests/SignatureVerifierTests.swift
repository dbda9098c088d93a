import ConfigModel
import Foundation
import TestSupport
import Testing

@testable import GitSource

/// Commits that Git itself has signed, with keys made here.
struct SignatureVerifierTests {
  private final class Keys {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    func makeSSH(_ name: String, _ type: String = "ed25519") throws -> String {
      let path = folder.path + "/" + name
      let made = try execute("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", name, "-f", path])
      try #require(made.status == 0, "\(made.output)")
      return path
    }

    func publicKey(_ path: String) throws -> String {
      try String(contentsOfFile: path + ".pub", encoding: .utf8)
    }

    func write(_ name: String, _ content: String) throws -> String {
      let path = folder.path + "/" + name
      try Data(content.utf8).write(to: URL(fileURLWithPath: path))
      return path
    }
  }

  private func verdict(
    _ git: GitFixture, _ commit: String, _ signers: TrustedSigners
  ) async throws -> SignatureVerdict {
    let verifier = SignatureVerifier(try GitRepository(git.path), trusting: signers)
    return try await verifier.verdict(of: try #require(CommitID(commit)))
  }

  private func signed(_ git: GitFixture, _ key: String, _ files: [String: String]) throws -> String
  {
    try git.write(files)
    try git.run("add", "-A")
    try git.run(
      "-c", "gpg.format=ssh", "-c", "user.signingKey=\(key)", "commit", "-q", "-S", "-m", "signed")
    return try git.run("rev-parse", "HEAD")
  }

  @Test(arguments: ["ed25519", "ecdsa", "rsa"])
  func sshSignaturesAreToldByWhoIsAllowed(type: String) async throws {
    let (git, keys) = (try GitFixture(), try Keys())
    let (alice, eve) = (try keys.makeSSH("alice", type), try keys.makeSSH("eve"))
    let allowed = try keys.write(
      "allowed", "alice@example.com,a@example.com \(try keys.publicKey(alice))")
    let trust = TrustedSigners(sshFile: allowed)
    let unsigned = try git.commit(["a": "1"], "unsigned")
    #expect(try await verdict(git, unsigned, trust) == .missing)
    let commit = try signed(git, alice, ["a": "2"])
    guard case .trusted(let signer) = try await verdict(git, commit, trust) else {
      Issue.record("Alice is not trusted")
      return
    }
    #expect(signer.addresses == ["alice@example.com", "a@example.com"])
    #expect(signer.key.hasPrefix("ssh:SHA256:"))
    #expect(try await verdict(git, commit, TrustedSigners()) == .unchecked)
    let stranger = try signed(git, eve, ["a": "3"])
    guard case .untrusted = try await verdict(git, stranger, trust) else {
      Issue.record("a stranger is trusted")
      return
    }
    guard case .untrusted = try await verdict(git, commit, TrustedSigners(openPGPFile: allowed))
    else {
      Issue.record("no SSH key was named")
      return
    }
  }

  @Test(arguments: [
    ("alice@example.com valid-before=\"20200101\" ", false),
    ("alice@example.com valid-after=\"20990101\" ", false),
    ("alice@example.com namespaces=\"file\" ", false),
    ("alice@example.com namespaces=\"git\" ", true), ("*@example.com ", true),
  ])
  func whatTheAllowedSignersSayCounts(entry: String, isTrusted: Bool) async throws {
    let (git, keys) = (try GitFixture(), try Keys())
    let alice = try keys.makeSSH("alice")
    let allowed = try keys.write("allowed", entry + (try keys.publicKey(alice)))
    let commit = try signed(git, alice, ["a": "1"])
    let verdict = try await verdict(git, commit, TrustedSigners(sshFile: allowed))
    if case .trusted(let signer) = verdict {
      #expect(isTrusted && signer.addresses == (entry.hasPrefix("*") ? [] : ["alice@example.com"]))
    } else {
      #expect(!isTrusted, "\(verdict)")
    }
  }

  /// The signature of one commit under the content of another.
  @Test func aCommitThatWasChangedIsNotSigned() async throws {
    let (git, keys) = (try GitFixture(), try Keys())
    let alice = try keys.makeSSH("alice")
    let trust = TrustedSigners(
      sshFile: try keys.write("allowed", "alice@example.com \(try keys.publicKey(alice))"))
    let commit = try signed(git, alice, ["a": "1"])
    let forged =
      try git.run("cat-file", "commit", commit).replacing("signed", with: "forged") + "\n"
    let written = try execute(
      "git", ["-C", git.path, "hash-object", "-t", "commit", "-w", "--stdin"], input: forged)
    let id = written.output.trimmingCharacters(in: .whitespacesAndNewlines)
    guard case .bad = try await verdict(git, id, trust) else {
      Issue.record("the forged commit \(id) is taken")
      return
    }
  }

  @Test func openPGPSignaturesAreToldByTheKeysThatWereExported() async throws {
    let (git, keys) = (try GitFixture(), try Keys())
    let home = keys.folder.path + "/gnupg"
    try FileManager.default.createDirectory(
      atPath: home, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    defer { _ = try? execute("gpgconf", ["--homedir", home, "--kill", "all"]) }
    func gpg(_ arguments: String...) throws -> String {
      let answer = try execute("gpg", ["--homedir", home, "--batch", "-q"] + arguments)
      try #require(answer.status == 0, "\(answer.output)")
      return answer.output
    }
    for (user, expiry) in [
      ("Alice <alice@example.com>", "never"), ("Eve <eve@example.com>", "never"),
    ] {
      _ = try gpg("--passphrase", "", "--quick-gen-key", user, "ed25519", "sign", expiry)
    }
    let program = try keys.write("gpg.sh", "#!/bin/sh\nexec gpg --homedir \(home) \"$@\"\n")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
    func commit(by user: String, _ content: String) throws -> String {
      try git.write(["a": content])
      try git.run("add", "-A")
      try git.run(
        "-c", "gpg.program=\(program)", "-c", "user.signingKey=\(user)", "commit", "-q", "-S", "-m",
        "signed")
      return try git.run("rev-parse", "HEAD")
    }
    let byAlice = try commit(by: "alice@example.com", "1")
    let byEve = try commit(by: "eve@example.com", "2")
    let armored = try keys.write("alice.asc", try gpg("--armor", "--export", "alice@example.com"))
    let binary = keys.folder.path + "/alice.gpg"
    _ = try gpg("--output", binary, "--export", "alice@example.com")
    for file in [armored, binary] {
      let trust = TrustedSigners(openPGPFile: file)
      guard case .trusted(let signer) = try await verdict(git, byAlice, trust) else {
        Issue.record("Alice is not trusted by \(file)")
        continue
      }
      #expect(signer.addresses == ["alice@example.com"] && signer.key.hasPrefix("openpgp:"))
      guard case .untrusted = try await verdict(git, byEve, trust) else {
        Issue.record("Eve is trusted")
        continue
      }
    }
    let trust = TrustedSigners(openPGPFile: armored)
    let forged =
      try git.run("cat-file", "commit", byAlice).replacing("signed", with: "forged") + "\n"
    let written = try execute(
      "git", ["-C", git.path, "hash-object", "-t", "commit", "-w", "--stdin"], input: forged)
    let id = written.output.trimmingCharacters(in: .whitespacesAndNewlines)
    guard case .bad = try await verdict(git, id, trust) else {
      Issue.record("the forged commit is taken")
      return
    }
    await #expect(throws: GitError.self) {
      _ = try await verdict(git, byAlice, TrustedSigners(openPGPFile: "/nonexistent"))
    }
  }

  @Test(arguments: [
    ("[GNUPG:] GOODSIG 1 A <a@b>\n[GNUPG:] VALIDSIG F\n", 0, true),
    ("[GNUPG:] GOODSIG 1 A <a@b>\n[GNUPG:] VALIDSIG F\n", 1, false),
    ("[GNUPG:] GOODSIG 1 A <a@b>\n", 0, false), ("", 0, false),
    ("[GNUPG:] VALIDSIG F\n[GNUPG:] EXPKEYSIG 1 A\n", 0, false),
    ("[GNUPG:] GOODSIG 1 A\n[GNUPG:] VALIDSIG F\n[GNUPG:] BADSIG 1 A\n", 0, false),
    (
      "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 1 A\n[GNUPG:] VALIDSIG F\n[GNUPG:] NEWSIG\n"
        + "[GNUPG:] GOODSIG 2 B\n[GNUPG:] VALIDSIG G\n", 0, false
    ),
    ("gpgv: [GNUPG:] GOODSIG 1 A\nGOODSIG 1 A\nVALIDSIG F\n", 0, false),
    ("[GNUPG:] REVKEYSIG 1 A\n[GNUPG:] GOODSIG 1 A\n[GNUPG:] VALIDSIG F\n", 0, false),
  ])
  func onlyOneGoodSignatureIsGood(status: String, code: Int32, isTrusted: Bool) {
    let verdict = OpenPGPStatus(status).verdict(code: code)
    if case .trusted = verdict { #expect(isTrusted) } else { #expect(!isTrusted) }
  }

  @Test func commitsBetweenTwoAreListedWithThoseOfMerges() throws {
    let git = try GitFixture()
    let base = try git.commit(["a": "1"], "base")
    try git.run("checkout", "-q", "-b", "side")
    let side = try git.commit(["b": "1"], "side")
    try git.run("checkout", "-q", "main")
    let main = try git.commit(["a": "2"], "main")
    try git.run("merge", "-q", "--no-ff", "-m", "merge", "side")
    let tip = try git.run("rev-parse", "HEAD")
    let repository = try GitRepository(git.path)
    let (newest, oldest) = (try repository.resolve(tip), try repository.resolve(base))
    let found = try repository.commits(reachableFrom: newest, butNotFrom: oldest)
    #expect(Set(found.map(\.text)) == [side, main, tip] && found.last?.text == tip)
    let all = try repository.commits(reachableFrom: newest, butNotFrom: nil)
    #expect(all.count == 4 && all.first?.text == base)
  }
}
